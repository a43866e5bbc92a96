"""The example deposition: the same bytes every time, files that say where things are, and pictures that agree."""

import csv
import hashlib
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import mdocfile
import mrcfile
import numpy as np
import pytest
import starfile
import trimesh
import zarr
from numpy.typing import NDArray
from ome_zarr_models.v04.image import Image as OmeZarrImage
from scipy.spatial.transform import Rotation

import coverslip
from coverslip.cryoet import read_alignment, read_captions, read_ctf, read_mdoc, read_mesh, read_mesh_group, read_points
from coverslip.demo.deposition import RUNS, Example, Run, Scene, scene_of, write_deposition
from coverslip.demo.deposition.pictures import Tilt
from coverslip.demo.deposition.tilts import tilts_of
from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition import check

# mrcfile and trimesh set what numpy would rather have asked for
pytestmark = pytest.mark.filterwarnings("ignore:Setting the .* on a NumPy array:DeprecationWarning")

SHAPE = (63, 65, 67)
OTHER_RUN = (
    "import sys, pathlib; from coverslip.demo import write_deposition; "
    "write_deposition(pathlib.Path(sys.argv[1]), size=(63, 65, 67))"
)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return write_deposition(tmp_path_factory.mktemp("example"), size=SHAPE)


def folder_of(example: Example, run: Run, prefix: str = "lab-2026-03") -> Path:
    return example.input / prefix / run.dataset / run.name


def volume(path: Path) -> NDArray[np.generic]:
    """Return a volume as another library reads it, shape Z, Y, X."""
    with mrcfile.open(path) as mrc:
        return np.array(mrc.data)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_another_process_writes_the_same_bytes_and_so_does_a_second_time(example: Example, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    subprocess.run([sys.executable, "-c", OTHER_RUN, str(tmp_path)], env=environment, check=True, timeout=300)
    here = digests(example.deposition.parent)
    assert digests(tmp_path) == here
    told: list[Path] = []
    write_deposition(tmp_path, size=SHAPE, on_file=told.append)
    assert digests(tmp_path) == here
    assert len(told) == len(set(told)) == 10


def test_both_configs_pass_the_check_without_a_warning(example: Example) -> None:
    found = [check(path, folder=example.input) for path in (example.deposition, example.annotations)]
    assert [one.problems for one in found] == [(), ()]
    # made-up runs: two of each dataset, all with their annotations, and both of the second deposition
    assert [(one.example["annotation"], one.example["dataset"]) for one in found] == [(30, 2), (4, 1)]


@pytest.mark.parametrize("size", [31, 1025, (64, 64, 8)])
def test_a_size_that_makes_no_sense_is_refused_before_anything_is_written(
    size: int | tuple[int, int, int], tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequestError, match="32 to 1024 voxels"):
        write_deposition(tmp_path / "a", size=size)
    assert not (tmp_path / "a").exists()


def test_scenes_of_runs_are_different_and_nothing_in_one_overlaps() -> None:
    scenes = [scene_of(run, SHAPE) for run in RUNS]
    assert len({tuple(scene.ribosomes.ravel()) for scene in scenes}) == 6
    for scene in scenes:
        assert len(scene.ribosomes) == 28
        assert len(scene.vesicles) == 3
        assert len(scene.tubes) == 2
        gaps = np.linalg.norm(scene.ribosomes[:, None] - scene.ribosomes[None], axis=2)
        assert gaps[~np.eye(28, dtype=bool)].min() > 29 * scene.unit
        for one, other in pairwise(scene.vesicles):
            assert np.linalg.norm(one.center - other.center) > (one.half_axes.max() + other.half_axes.max()) * 0.99


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_every_tomogram_is_dark_where_something_is_said_to_be(run: Run, example: Example) -> None:
    scene = scene_of(run, SHAPE)
    path = folder_of(example, run) / f"{run.name}_rec.mrc"
    seen = volume(path).astype(float)
    assert seen.shape == SHAPE
    assert abs(seen.mean()) < 0.01
    assert abs(seen.std() - 1) < 0.01
    with mrcfile.open(path) as mrc:
        assert mrc.voxel_size.x == pytest.approx(run.voxel_angstrom)

    def mean_at(places: NDArray[np.float64]) -> float:
        z, y, x = np.rint(places).astype(int).T[::-1]
        return float(seen[z, y, x].mean())

    assert mean_at(scene.ribosomes) < -1.5
    away = scene.ribosomes + np.array([0, 0, 7 * 64 / 256 * 4])
    assert mean_at(np.clip(away, 0, 62)) > -0.6
    # tilts leave out what lies flat: the membrane is seen where it stands upright, in the middle of a vesicle
    turns = np.linspace(0, 2 * np.pi, 60)
    ring = np.stack([np.cos(turns), np.sin(turns), np.zeros(60)], axis=1)
    for one in scene.vesicles:
        assert mean_at(one.center + ring * one.half_axes) < mean_at(one.center + 0.6 * ring * one.half_axes) - 1


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_points_of_every_program_are_where_the_scene_has_them(run: Run, example: Example) -> None:
    scene = scene_of(run, SHAPE)
    folder = folder_of(example, run)
    if run.is_first:
        points = read_points(folder / "ribosomes.csv", "Point", "csv")
        word, star, binning = f"{run.name}.tomostar", "relion3_star", 1.0
        tubes = read_points(folder / "microtubules.csv", "InstanceSegmentation", "tardis", binning=10)
        expected_ids = [0] * 24 + [1] * 24
    else:
        points = read_points(folder / "ribosomes.csv", "Point", "csv_with_header", columns="zyx")
        word, star, binning = run.name, "relion4_star", 4.0
        tubes = read_points(folder / "microtubules.json", "InstanceSegmentation", "copick", binning=13.48)
        expected_ids = [1] * 24 + [2] * 24
    particles = folder.parent / "particles.star"
    oriented = read_points(particles, "OrientedPoint", star, binning=binning, filter_value=word)
    np.testing.assert_allclose(points.coordinates, scene.ribosomes, atol=1e-9)
    np.testing.assert_allclose(oriented.coordinates, scene.ribosomes, atol=1e-5)
    np.testing.assert_allclose(tubes.coordinates, np.concatenate(scene.tubes), atol=1e-4)
    assert tubes.instance_ids is not None
    assert tubes.instance_ids.tolist() == expected_ids
    # scipy writes a matrix of intrinsic angles; RELION's takes the tomogram to the particle
    expected = Rotation.from_euler("ZYZ", scene.angles, degrees=True).inv().as_matrix()
    assert oriented.rotations is not None
    np.testing.assert_allclose(oriented.rotations, expected, atol=1e-6)
    np.testing.assert_allclose(scene.rotations, expected, atol=1e-6)


def test_particles_are_star_files_for_others_too(example: Example) -> None:
    three = starfile.read(example.input / "lab-2026-03/90101/particles.star")
    four = starfile.read(example.input / "lab-2026-03/90102/particles.star")
    assert three["rlnMicrographName"].value_counts().to_dict() == {f"TS_0{n}.tomostar": 28 for n in (1, 2, 3)}
    assert four["particles"]["rlnTomoName"].value_counts().to_dict() == {f"TS_1{n}": 28 for n in (1, 2, 3)}
    assert float(four["optics"]["rlnTomoTiltSeriesPixelSize"].iloc[0]) == 3.37


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_masks_are_the_vesicles(run: Run, example: Example) -> None:
    scene = scene_of(run, SHAPE)
    folder = folder_of(example, run)
    if run.is_first:
        membrane = volume(folder / "membrane.mrc") == 1
        numbers = volume(folder / "vesicles.mrc")
    else:
        membrane = volume(folder / "labels.mrc") == 2
        with coverslip.open_image(folder / "vesicles.zarr") as image:
            numbers = image.images[0].read()[0, 0]
        assert (
            OmeZarrImage.from_zarr(zarr.open_group(folder / "vesicles.zarr", mode="r"))
            .attributes.multiscales[0]
            .version
            == "0.4"
        )
    assert membrane.shape == numbers.shape == SHAPE
    assert numbers.dtype == np.uint16
    z, y, x = np.indices(SHAPE)
    places = np.stack([x, y, z], axis=-1)
    for number, one in enumerate(scene.vesicles, start=1):
        share = np.linalg.norm((places - one.center) / one.half_axes, axis=-1)
        edge = 2 / one.half_axes.min()
        assert (numbers[share < 1] == number).all()
        assert not (numbers[share > 1 + edge] == number).any()
        assert not membrane[share < 1 - edge].any()
        assert membrane[np.abs(share - 1) * one.half_axes.max() < 0.5].all()
    assert not membrane[numbers == 0].any()


@pytest.mark.parametrize("run", [RUNS[0], RUNS[3]], ids=lambda run: run.name)
def test_meshes_are_closed_and_lie_on_the_membranes(run: Run, example: Example) -> None:
    scene = scene_of(run, SHAPE)
    folder = folder_of(example, run)
    file_format = "obj" if run.is_first else "stl"
    mesh = read_mesh(folder / f"vesicles.{file_format}", file_format)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces)
    assert solid.is_watertight
    expected = sum(4 / 3 * np.pi * float(np.prod(one.half_axes)) for one in scene.vesicles) * run.voxel_angstrom**3
    assert solid.volume == pytest.approx(expected, rel=0.03)
    voxels = mesh.vertices / run.voxel_angstrom
    nearest = [np.abs(np.linalg.norm((voxels - one.center) / one.half_axes, axis=1) - 1) for one in scene.vesicles]
    assert np.min(nearest, axis=0).max() < 1e-3
    if run.is_first:
        group = read_mesh_group(folder / "vesicles.hff")
        assert [one.name for one in group] == ["vesicle 1", "vesicle 2", "vesicle 3"]
        np.testing.assert_allclose(np.concatenate([one.vertices for one in group]), mesh.vertices, atol=2e-3)


@pytest.mark.parametrize(("dataset", "angstrom"), [("90101", 10.0), ("90102", 13.48)])
def test_the_mesh_of_a_ribosome_is_as_wide_as_the_ribosomes(dataset: str, angstrom: float, example: Example) -> None:
    path = example.input / "lab-2026-03" / dataset / "ribosome.glb"
    solid = trimesh.load_scene(path).to_geometry()
    # 26 voxels at the usual size, of which 63 / 256 are left
    assert solid.extents[1] == pytest.approx(26 * 63 / 256 * angstrom, rel=0.05)
    assert isinstance(solid, trimesh.Trimesh)
    assert solid.is_watertight
    assert solid.volume > 0


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_what_describes_a_tilt_series_agrees_with_it(run: Run, example: Example) -> None:
    folder = folder_of(example, run)
    stack = volume(folder / f"{run.name}.{'st' if run.is_first else 'mrc'}")
    assert stack.shape == (11, 65, 67)
    mdoc = read_mdoc(folder / f"{run.name}.mdoc")
    assert len(mdocfile.read(folder / f"{run.name}.mdoc")) == len(mdoc.sections) == 11
    angles = [round(section.tilt_angle or 0, 2) for section in mdoc.sections]
    assert angles == [0, 8, -8, -16, 16, 24, -24, -32, 32, 40, -40]
    raw = [float(line) for line in (folder / f"{run.name}.rawtlt").read_text().split()]
    assert raw == sorted(angles)
    assert [row.section for row in read_ctf(folder / f"{run.name}_ctffind.txt", "CTFFIND")] == list(range(1, 12))
    frames = sorted(path.name for path in folder.glob("frames/*"))
    assert frames == (sorted(str(section.frame_name) for section in mdoc.sections) if run.is_first else [])


@pytest.mark.parametrize("run", [run for run in RUNS if run.name != "TS_03"], ids=lambda run: run.name)
def test_alignments_say_where_the_sections_were_drawn(run: Run, example: Example) -> None:
    folder = folder_of(example, run)
    names = (f"{run.name}.xf", f"{run.name}.tlt", "tilt.com", "newst.com") if run.is_first else (f"{run.name}.aln",)
    found = read_alignment([folder / name for name in names], "IMOD" if run.is_first else "ARETOMO3")
    expected: tuple[Tilt, ...] = tilts_of(run)
    assert [section.tilt_angle for section in found.sections] == [tilt.angle for tilt in expected]
    offsets = [(section.x_offset, section.y_offset) for section in found.sections]
    np.testing.assert_allclose(offsets, [tilt.offset for tilt in expected], atol=2e-3)
    turns = Rotation.from_euler("z", [[tilt.turn] for tilt in expected], degrees=True).as_matrix()[:, :2, :2]
    np.testing.assert_allclose([section.in_plane_rotation for section in found.sections], turns, atol=1e-6)
    assert found.volume_size == (67, 65, 63)


def test_an_image_shows_the_vesicle_where_its_alignment_puts_it(example: Example) -> None:
    run = RUNS[3]
    scene: Scene = scene_of(run, SHAPE)
    stack = volume(folder_of(example, run) / f"{run.name}.mrc").astype(float)
    section = read_alignment([folder_of(example, run) / f"{run.name}.aln"], "ARETOMO3").sections[2]
    x, y, z = scene.vesicles[0].center - (np.array(SHAPE[::-1]) - 1) / 2
    tilt = np.radians(section.tilt_angle)
    turn = np.array(section.in_plane_rotation)
    place = turn @ [x * np.cos(tilt) + z * np.sin(tilt), y] + [section.x_offset, section.y_offset]
    column, row = place + (np.array([67, 65]) - 1) / 2
    rows, columns = np.indices(stack.shape[1:])
    distance = np.hypot(rows - row, columns - column)
    radius = scene.vesicles[0].half_axes.mean()
    inside = stack[2][distance < 0.8 * radius].mean()
    rim = stack[2][np.abs(distance - radius) < 1].mean()
    assert rim < inside


def test_captions_name_the_labels_of_the_vesicles(example: Example) -> None:
    for run in RUNS:
        folder = folder_of(example, run)
        about = read_captions(folder / "captions.json", "AnnotationCaption")
        assert [caption.label for caption in about.entries] == [1, 2, 3]
        assert read_captions(folder / "overview.json", "GlobalCaption").object_count == 2


def test_the_later_deposition_has_picks_and_the_inside_of_vesicles(example: Example) -> None:
    later = sorted(path.name for path in (example.input / "lab-2026-04/90101").iterdir())
    assert later == ["TS_01", "TS_02"]
    for run in RUNS[:2]:
        folder = folder_of(example, run, "lab-2026-04")
        picks = read_points(folder / "ribosome.json", "Point", "copick", binning=10)
        np.testing.assert_allclose(picks.coordinates, scene_of(run, SHAPE).ribosomes, atol=1e-5)
        lumen = volume(folder / "lumen.mrc") == 1
        first = folder_of(example, run)
        assert lumen.any()
        assert not (lumen & (volume(first / "membrane.mrc") == 1)).any()
        assert (volume(first / "vesicles.mrc")[lumen] > 0).all()


def test_the_tables_name_every_run(example: Example) -> None:
    for name, count in (("runs.csv", 1), ("objects.csv", 3)):
        with (example.input / "lab-2026-03" / name).open(newline="", encoding="utf-8") as stream:
            named = [row["run_name"] for row in csv.DictReader(stream)]
        assert named == [run.name for run in RUNS for _ in range(count)]
