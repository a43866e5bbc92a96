"""The folder of the example deposition: its YAML, its maps and every file of its runs."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray

from coverslip.demo.deposition import pictures, tilts
from coverslip.demo.deposition.annotations import write_annotations, write_later, write_particles
from coverslip.demo.deposition.scene import DATASETS, RUNS, UNALIGNED, USUAL_SIDE, Run, Scene, Shape, scene_of
from coverslip.demo.write import write_mrc, write_table
from coverslip.errors import InvalidRequestError

FIRST, LATER = "lab-2026-03", "lab-2026-04"
"""What the two configs call their ``source_prefix``."""
LATER_RUNS = ("TS_01", "TS_02")
LEAST_SIDE, MOST_SIDE = 32, 1024
FRAME_SIDE = 32
LABEL = "Coverslip demo: simulated"


@dataclass(frozen=True, slots=True)
class Example:
    """Where the parts of the example are."""

    deposition: Path
    """The config of the first deposition."""
    annotations: Path
    """The config of the deposition that a month later adds annotations to the first dataset."""
    input: Path
    """What ``--input`` is to be: both configs name folders in it."""
    shape: Shape
    """Of every tomogram."""


def write_deposition(
    folder: Path, *, size: int | tuple[int, int, int] = 256, on_file: Callable[[Path], None] | None = None
) -> Example:
    """Return where the example is, after writing it.

    The same size gives the same bytes (on one machine and one set of packages). Files that are there are replaced.

    Parameters
    ----------
    folder
        Where it goes; made if need be.
    size
        Of every tomogram in voxels: one number, or Z, Y, X; each from 32 to 1024.
    on_file
        Told about the folder of every run that is written, and about both configs.

    Raises
    ------
    InvalidRequestError
        The size makes no sense.
    MissingDependencyError
        h5py is not installed, which one of the files needs.
    """
    shape = (size, size, size) if isinstance(size, int) else size
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in shape):
        raise InvalidRequestError(f"sides of a tomogram have {LEAST_SIDE} to {MOST_SIDE} voxels, not {size}")
    told = on_file or (lambda _: None)
    sources = folder / "input"
    scenes = {run: scene_of(run, shape) for run in RUNS}
    for run, scene in scenes.items():
        here = _made(sources / FIRST / run.folder)
        _write_run(here, run, scene)
        write_annotations(here, run, scene)
        told(here)
        if run.name in LATER_RUNS:
            later = _made(sources / LATER / run.folder)
            write_later(later, run, scene)
            told(later)
    for dataset in DATASETS:
        own = {run: scene for run, scene in scenes.items() if run.dataset == dataset}
        write_particles(sources / FIRST / dataset, own, min(shape) / USUAL_SIDE)
    _write_tables(sources / FIRST)
    example = Example(folder / "deposition.yaml", folder / "annotations.yaml", sources, shape)
    for path in (example.deposition, example.annotations):
        path.write_bytes(resources.files(__package__).joinpath(path.name).read_bytes())
        told(path)
    return example


def _write_run(folder: Path, run: Run, scene: Scene) -> None:
    """Write the tomogram of a run and everything that it was made from."""
    random = np.random.default_rng(run.seed + 100)
    cloud = pictures.cloud_of(scene, random)
    volume = pictures.tomogram(scene, cloud, random)
    write_mrc(folder / f"{run.name}_rec.mrc", volume, voxel_angstrom=run.voxel_angstrom, label=LABEL)
    sections = tilts.straight() if run.name == UNALIGNED else tilts.tilts_of(run)
    stack = pictures.tilt_series(scene, cloud, sections, random)
    _write_stack(folder / f"{run.name}.{'st' if run.is_first else 'mrc'}", stack, run.voxel_angstrom)
    texts = {
        f"{run.name}.mdoc": tilts.mdoc(run, scene.shape),
        f"{run.name}.rawtlt": tilts.tilt_list(),
        f"{run.name}_ctffind.txt": tilts.ctffind(run),
    }
    if not run.is_first:
        texts[f"{run.name}.aln"] = tilts.aln(sections, scene.shape)
    elif run.name != UNALIGNED:
        texts |= {
            f"{run.name}.xf": tilts.xf(sections),
            f"{run.name}.tlt": tilts.tilt_list(),
            "tilt.com": tilts.tilt_com(run, scene.shape),
            "newst.com": tilts.newst_com(run),
        }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="ascii", newline="\n")
    if run.is_first:
        pixel = run.voxel_angstrom / 4
        _write_stack(folder / "gain.mrc", pictures.gain(FRAME_SIDE, random), pixel)
        _made(folder / "frames")
        for taken in range(len(tilts.ORDER)):
            exposures = pictures.frame(4, FRAME_SIDE, random).astype(np.int8)
            _write_stack(folder / "frames" / tilts.frame_name(run, taken), exposures, pixel)


def _write_tables(folder: Path) -> None:
    """Write the map of runs and the table of objects."""
    header = ("run_name", "tomo_spacing", "micrograph", "aligned_with", "reconstructed_with", "quality")
    rows = []
    for run in RUNS:
        programs = ("IMOD", "IMOD") if run.is_first else ("AreTomo 3", "AreTomo 3")
        name = f"{run.name}.tomostar" if run.is_first else run.name
        rows.append((run.name, f"{run.voxel_angstrom:g}", name, *programs, "4" if run.is_first else "3"))
    write_table(folder / "runs.csv", header, rows)
    objects = (
        ("GO:0022626", "cytosolic ribosome", "", "Ribosomes of the cytosol"),
        ("GO:0005874", "microtubule", "", "Microtubules of 13 protofilaments"),
        ("GO:0031982", "vesicle", "", "Unilamellar vesicles"),
    )
    columns = ("run_name", "object_id", "object_name", "object_state", "object_description")
    write_table(folder / "objects.csv", columns, [(run.name, *one) for run in RUNS for one in objects])


def _write_stack(path: Path, images: NDArray[np.generic], pixel_angstrom: float) -> None:
    """Write images, shape n, Y, X, as an MRC stack."""
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(images)
        mrc.set_image_stack()
        mrc.voxel_size = (pixel_angstrom, pixel_angstrom, 1.0)
        mrc.header.label[:] = b""
        mrc.header.label[0] = LABEL.encode("ascii")
        mrc.header.nlabl = 1


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
