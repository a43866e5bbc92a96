"""What people and programs marked in the tomograms, in the files that each of them writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from coverslip.demo.deposition.meshes import ball, joined, write_glb, write_hff, write_obj, write_stl
from coverslip.demo.deposition.pictures import membranes, subunits, vesicles
from coverslip.demo.deposition.scene import Floats, Run, Scene
from coverslip.demo.write import write_mrc, write_table

BINNING = 4
"""Pixels of the camera for one voxel of a tomogram."""
LABEL = "Coverslip demo"
PARTICLE = ("CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi")
"""Columns of both versions of RELION, after ``_rln``."""


def write_annotations(folder: Path, run: Run, scene: Scene) -> None:
    """Write what the first deposition says of a run.

    Parameters
    ----------
    folder
        Of the run.
    run
        Whose files they are.
    scene
        What is in its tomogram.

    Raises
    ------
    MissingDependencyError
        h5py is not installed.
    """
    labels, numbers = membranes(scene), vesicles(scene)
    balls = [ball(one.center * run.voxel_angstrom, one.half_axes * run.voxel_angstrom) for one in scene.vesicles]
    size = run.voxel_angstrom
    rows = [[f"{value:.2f}" for value in place] for place in scene.ribosomes.tolist()]
    if run.is_first:
        write_table(folder / "ribosomes.csv", rows[0], rows[1:])
        ids = [
            [str(number), *(f"{value * size:.3f}" for value in place)]
            for number, tube in enumerate(scene.tubes)
            for place in tube.tolist()
        ]
        write_table(folder / "microtubules.csv", ("IDs", "X [A]", "Y [A]", "Z [A]"), ids)
        write_mrc(folder / "membrane.mrc", (labels == 2).astype(np.int8), voxel_angstrom=size, label=LABEL)
        write_mrc(folder / "vesicles.mrc", numbers, voxel_angstrom=size, label=LABEL)
        write_obj(folder / "vesicles.obj", joined(balls))
        write_hff(folder / "vesicles.hff", [(f"vesicle {n}", one) for n, one in enumerate(balls, start=1)])
    else:
        write_table(folder / "ribosomes.csv", ("z", "y", "x"), [row[::-1] for row in rows])
        points = np.concatenate(scene.tubes)
        owners = np.repeat(np.arange(1, len(scene.tubes) + 1), [len(tube) for tube in scene.tubes])
        _write_copick(folder / "microtubules.json", run, "microtubule", points, owners)
        write_mrc(folder / "labels.mrc", labels, voxel_angstrom=size, label=LABEL)
        _write_zarr(folder / "vesicles.zarr", numbers, size)
        write_stl(folder / "vesicles.stl", joined(balls))
    _write_json(folder / "captions.json", {"objects": _captions(scene)})
    _write_json(folder / "overview.json", {"captions": _overview(scene)})


def write_particles(folder: Path, runs: dict[Run, Scene], fineness: float) -> None:
    """Write what subtomogram averaging says of all runs of a dataset: particles, and the shape of one.

    Parameters
    ----------
    folder
        Of the dataset.
    runs
        Its runs and what is in them.
    fineness
        Voxels for one where a ribosome has its usual size.
    """
    first = next(iter(runs))
    write = _relion3 if first.is_first else _relion4
    (folder / "particles.star").write_text(write(runs), encoding="ascii", newline="\n")
    large, small = subunits(fineness * first.voxel_angstrom)
    write_glb(folder / "ribosome.glb", joined([ball(*large), ball(*small, rounds=2)]))


def write_later(folder: Path, run: Run, scene: Scene) -> None:
    """Write what the later deposition says of a run: picks of copick, and the inside of vesicles."""
    _write_copick(folder / "ribosome.json", run, "ribosome", scene.ribosomes, None)
    lumen = (membranes(scene) == 1).astype(np.int8)
    write_mrc(folder / "lumen.mrc", lumen, voxel_angstrom=run.voxel_angstrom, label=LABEL)


def _relion3(runs: dict[Run, Scene]) -> str:
    """Return particles in voxels: whole coordinates, and origins that are taken off them."""
    columns = ("MicrographName", *PARTICLE, "OriginX", "OriginY", "OriginZ")
    lines = ["", "# version 30001", "", "data_", "", "loop_"]
    lines += [f"_rln{name} #{number}" for number, name in enumerate(columns, start=1)]
    for run, scene in runs.items():
        for place, angles in zip(scene.ribosomes, scene.angles, strict=True):
            whole = np.rint(place)
            lines.append(f"{run.name}.tomostar {_row(whole, 1, 8)} {_row(angles, 2, 8)} {_row(whole - place, 2, 6)}")
    return "\n".join([*lines, "", ""])


def _relion4(runs: dict[Run, Scene]) -> str:
    """Return particles in pixels of the camera; origins are angstroms."""
    pixel = next(iter(runs)).voxel_angstrom / BINNING
    lines = ["", "# version 40001", "", "data_optics", "", "loop_"]
    lines += ["_rlnOpticsGroup #1", "_rlnOpticsGroupName #2", "_rlnTomoTiltSeriesPixelSize #3"]
    lines += [f"1 opticsGroup1 {pixel:.6f}", "", "", "# version 40001", "", "data_particles", "", "loop_"]
    columns = ("TomoName", *PARTICLE, "OriginXAngst", "OriginYAngst", "OriginZAngst", "OpticsGroup")
    lines += [f"_rln{name} #{number}" for number, name in enumerate(columns, start=1)]
    for run, scene in runs.items():
        for place, angles in zip(scene.ribosomes, scene.angles, strict=True):
            whole = np.rint(place * BINNING)
            origin = (whole - place * BINNING) * pixel
            lines.append(f"{run.name} {_row(whole, 1, 8)} {_row(angles, 2, 8)} {_row(origin, 6, 10)} 1")
    return "\n".join([*lines, "", ""])


def _row(values: Floats, digits: int, width: int) -> str:
    # 0.0 is added so that no zero has a sign
    return " ".join(f"{round(float(value), digits) + 0.0:{width}.{digits}f}" for value in values)


def _write_copick(path: Path, run: Run, name: str, places: Floats, owners: NDArray[np.int64] | None) -> None:
    """Write picks of copick, in angstroms."""
    points = []
    for number, (x, y, z) in enumerate(np.round(places * run.voxel_angstrom, 4).tolist()):
        transformation = np.eye(4).tolist()
        owner = 0 if owners is None else int(owners[number])
        point = {"location": {"x": x, "y": y, "z": z}, "transformation_": transformation, "instance_id": owner}
        points.append({**point, "score": 1.0})
    document = {
        "pickable_object_name": name,
        "user_id": "demo",
        "session_id": "1",
        "run_name": run.name,
        "voxel_spacing": run.voxel_angstrom,
        "unit": "angstrom",
        "points": points,
        "trust_orientation": True,
    }
    _write_json(path, document)


def _write_zarr(path: Path, labels: NDArray[np.uint16], voxel_angstrom: float) -> None:
    """Write OME-Zarr 0.4 of one level."""
    # not gzip, which notes the time
    compressor: Any = {"id": "zlib", "level": 1}
    group = zarr.create_group(store=path, zarr_format=2, overwrite=True)
    array = group.create_array(
        "0",
        shape=labels.shape,
        dtype=labels.dtype,
        chunks=(64, 64, 64),
        compressors=compressor,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    array[:] = labels
    scale = {"type": "scale", "scale": [voxel_angstrom] * 3}
    about: Any = {
        "version": "0.4",
        "name": "vesicles",
        "axes": [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    group.attrs["multiscales"] = [about]


def _captions(scene: Scene) -> list[dict[str, Any]]:
    found = []
    for number, one in enumerate(scene.vesicles, start=1):
        wide = "large" if number == 1 else "small"
        text = f"A {wide} unilamellar vesicle, {2 * one.half_axes.mean():.0f} voxels across."
        found.append({"id": number - 1, "annotation_label": number, "text": text})
    return found


def _overview(scene: Scene) -> list[dict[str, Any]]:
    texts = (
        f"Simulated cytoplasm with {len(scene.vesicles)} vesicles and {len(scene.ribosomes)} ribosomes.",
        f"{len(scene.tubes)} microtubules run along x.",
    )
    return [{"id": number, "text": text} for number, text in enumerate(texts)]


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8", newline="\n")
