"""Files of other projects: expected values by hand, and the same as independent parsers say."""

import warnings
from pathlib import Path
from typing import Any

import imodmodel
import mdocfile
import numpy as np
import pytest
import starfile
from scipy.spatial.transform import Rotation

from coverslip import open_image
from coverslip.cryoet import (
    instance_mask,
    labels_of,
    read_alignment,
    read_captions,
    read_ctf,
    read_mdoc,
    read_mesh,
    read_mesh_group,
    read_points,
    semantic_mask,
)
from coverslip.cryoet.star import read_star
from coverslip.model import Region
from tests.cryoet import written
from tests.cryoet.written import put

HALF, ROOT = float(np.sqrt(0.5)), float(np.sqrt(3) / 2)


def close(found: object, expected: object) -> None:
    """Compare arrays with values written by hand."""
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), atol=1e-12)


@pytest.mark.samples
@pytest.mark.parametrize(
    ("name", "file", "first", "second"),
    [
        ("relion3_star", "relion_3_star.star", "tomo_1.tomostar", "tomo_2.tomostar"),
        ("relion4_star", "relion_4_star.star", "TS_001", "TS_002"),
        ("tomoman_relion_star", "tomoman_relion_star.star", "grid_1_lamella1_pos1", "grid_1_lamella1_pos2"),
    ],
)
def test_particles_of_the_portal(samples: Path, name: str, file: str, first: str, second: str) -> None:
    path = samples / "star" / "cryoet-portal" / file
    one = read_points(path, "OrientedPoint", name, filter_value=first, binning=4)
    np.testing.assert_allclose(one.coordinates, [[1.3, 2.6, 3.8], [0.2, 0.4, 0.7]])
    close(np.asarray(one.rotations)[0], [[0, -HALF, HALF], [1, 0, 0], [0, HALF, HALF]])
    two = read_points(path, "OrientedPoint", name, filter_value=second, binning=2)
    np.testing.assert_allclose(two.coordinates, [[3.5, 3, 2.5], [-1.5, 2, -0.5], [4, 0.5, 1]])
    close(np.asarray(two.rotations)[0], [[0, 0, -1], [0, 1, 0], [1, 0, 0]])


@pytest.mark.samples
def test_stopgap_of_the_portal(samples: Path) -> None:
    path = samples / "star" / "cryoet-portal" / "stopgap_star.star"
    one = read_points(path, "OrientedPoint", "stopgap_star", filter_value="1", binning=4)
    np.testing.assert_allclose(one.coordinates, [[0.7, 1.4, 2.2], [1.8, 1.6, 1.3]])
    expected = [[[0, 1, 0], [-HALF, 0, HALF], [HALF, 0, HALF]]]
    close(np.asarray(one.rotations)[:1], expected)
    # phi 90 comes first, so it must not matter to the axis; psi 120 and the 90 do
    close(np.asarray(one.rotations)[1] @ [0, 0, 1], [ROOT, 0.5, 0])


@pytest.mark.samples
def test_orientations_are_those_of_scipy(samples: Path) -> None:
    folder = samples / "star" / "dynamo2m"
    table = np.loadtxt(folder / "example.tbl")
    points = read_points(folder / "example.tbl", "OrientedPoint", "dynamo_tbl")
    np.testing.assert_allclose(points.coordinates, table[:, 23:26] + table[:, 3:6])
    turned = Rotation.from_euler("zxz", table[:, 6:9], degrees=True).inv().as_matrix()
    close(np.asarray(points.rotations), turned)
    frame: Any = starfile.read(folder / "example.star")
    points = read_points(folder / "example.star", "OrientedPoint", "relion3_star")
    np.testing.assert_allclose(points.coordinates, frame[[f"rlnCoordinate{axis}" for axis in "XYZ"]])
    angles = frame[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    turned = Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()
    close(np.asarray(points.rotations), turned)


@pytest.mark.samples
def test_every_star_file_says_what_starfile_says(samples: Path) -> None:
    files = sorted((samples / "star").rglob("*.star"))
    assert len(files) > 10
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected: dict[str, Any] = starfile.read(path, always_dict=True)
        found = read_star(path).blocks
        assert set(found) == set(expected), path
        for name, block in found.items():
            if block.table is None:
                assert {key: str(value) for key, value in expected[name].items()}.keys() == block.pairs.keys(), path
                continue
            frame = expected[name]
            assert tuple(frame.columns) == block.table.columns, path
            assert len(frame) == len(block.table.rows), path
            for column in frame.columns if len(frame) else ():
                values = frame[column].to_numpy()
                if values.dtype.kind in "if":
                    np.testing.assert_array_equal(block.table.numbers([column])[:, 0], values.astype(float))
                else:
                    assert block.table.words(column) == list(values), path


@pytest.mark.samples
def test_picks_and_instances_of_the_portal(samples: Path) -> None:
    folder = samples / "mrc" / "cryoet-portal" / "20002" / "annotations"
    picks = read_points(folder / "copick.json", "OrientedPoint", "copick", binning=10)
    close(picks.coordinates, [[4, 2, 3], [0, 5, 1], [3, 1.5, 9.2], [3, 1, 5]])
    close(np.asarray(picks.rotations)[0], [[0, -HALF, HALF], [1, 0, 0], [0, HALF, HALF]])
    places = [[2, 4, 6], [2, 2, 2], [3, 2, 1], [0, 3, 0], [4, 2, 1], [1.5, 1, 0.5]]
    instances = read_points(folder / "copick_instance.json", "InstanceSegmentation", "copick", binning=5)
    close(instances.coordinates, places)
    assert np.asarray(instances.instance_ids).tolist() == [0, 1, 2, 3, 4, 5]
    tardis = read_points(folder / "tardis.csv", "InstanceSegmentation", "tardis", binning=2)
    close(tardis.coordinates, places)
    assert np.asarray(tardis.instance_ids).tolist() == [0, 0, 1, 1, 1, 2]
    for file, delimiter in (("points.csv", ","), ("points_tab_delim.csv", "\t")):
        table = read_points(folder / file, "Point", "csv", delimiter=delimiter)
        np.testing.assert_array_equal(table.coordinates, [[1, 2, 3], [2, 2, 2], [0, 3, 0]])


@pytest.mark.samples
def test_meshes_of_the_portal_are_one_mesh(samples: Path) -> None:
    folder = samples / "portal" / "annotation-fixtures"
    expected = read_mesh(folder / "triangular_mesh.obj", "obj", scale_factor=2)
    assert (len(expected.vertices), len(expected.faces)) == (40, 72)
    np.testing.assert_allclose(expected.vertices[0], [2.1914289, 3.23068862, 2.9599998])
    (group,) = read_mesh_group(folder / "triangular_mesh.hff", mesh_name="special_name", scale_factor=2)
    others = [read_mesh(folder / f"triangular_mesh.{name}", name, scale_factor=2) for name in ("stl", "vtk", "glb")]
    for mesh in (*others, group):
        np.testing.assert_allclose(mesh.vertices[mesh.faces], expected.vertices[expected.faces], atol=1e-5)
        assert mesh.vertices.shape == expected.vertices.shape


@pytest.mark.samples
def test_captions_of_the_portal(samples: Path) -> None:
    folder = samples / "portal" / "annotation-fixtures"
    assert read_captions(folder / "global_caption.json", "GlobalCaption").object_count == 3
    found = read_captions(folder / "annotation_caption.json", "AnnotationCaption")
    assert [each.label for each in found.entries] == [1, 1, 2, 2, 2]


@pytest.mark.samples
def test_masks_of_the_portal(samples: Path) -> None:
    folder = samples / "mrc" / "cryoet-portal" / "20002" / "annotations"
    with open_image(folder / "semantic_mask.mrc") as file:
        (image,) = file.images
        expected = np.zeros((4, 4, 4), np.int8)
        expected[:2, 1:3, 1] = 1
        expected[0, 1, 1] = expected[0, 2, 1] = 1
        np.testing.assert_array_equal(semantic_mask(image, mask_label=2).read(0, Region())[0, 0], expected)
        assert labels_of(instance_mask(image)) == (1, 2, 3)
    for name, options in (("small_semantic_mask", {"mask_label": 2}), ("small_probability_map", {"threshold": 0.5})):
        with open_image(folder / f"{name}.mrc") as file:
            mask = semantic_mask(file.images[0], size=(4, 4, 4), **options)
            expected = np.zeros((4, 4, 4), np.int8)
            expected[:2, :2] = 1
            np.testing.assert_array_equal(mask.read(0, Region())[0, 0], expected)


@pytest.mark.samples
def test_the_tilt_series_of_the_portal(samples: Path) -> None:
    folder = samples / "mrc" / "cryoet-portal" / "10001_input"
    files = [folder / "alignments" / f"TS_run1.{ending}" for ending in ("xf", "tlt")]
    sections = read_alignment(files, "IMOD").sections
    assert [each.tilt_angle for each in sections] == [-5.0, 0.0, 5.0]
    assert {each.in_plane_rotation for each in sections} == {((0.029, -1.0), (1.0, 0.029))}
    offsets = [(each.x_offset, each.y_offset) for each in sections]
    np.testing.assert_allclose(np.array(offsets), [[23.95253, -56.17124], [57.29936, 74.2421], [80.5102, 91.54409]])
    rows = read_ctf(folder / "metadata" / "TS_run1_ctffind4.txt", "CTFFIND")
    assert [row.defocus_1 for row in rows] == [72249.28, 72222.11, 71568.57]
    assert (rows[2].azimuth, rows[2].cross_correlation, rows[2].max_resolution) == (-42.32, 0.1612, 27.712)


@pytest.mark.samples
@pytest.mark.parametrize("name", ["foo-TS_run1.mdoc", "close-TS_run1.mdoc"])
def test_mdocs_say_what_mdocfile_says(samples: Path, name: str) -> None:
    path = samples / "mrc" / "cryoet-portal" / "10001_input" / "metadata" / "mdocs_modified" / name
    frame = mdocfile.read(path)
    sections = read_mdoc(path).sections
    assert [each.z_value for each in sections] == frame["ZValue"].tolist()
    assert [each.tilt_angle for each in sections] == frame["TiltAngle"].tolist()
    assert [each.exposure_time for each in sections] == frame["ExposureTime"].tolist()
    assert [each.frame_name for each in sections] == [path.name for path in frame["SubFramePath"]]


def test_models_say_what_imodmodel_says(tmp_path: Path) -> None:
    slicer = [(13.1, 0, -30.2, 235.5, 682.7, 302), (-41.4, 20.5, -47.7, 221.9, 661.2, 327)]
    content = written.imod_model([[[(1, 2, 3), (2, 2, 2)], [(0, 3, 0)]], [[(9, 8, 7)]]], slicer)
    path = put(tmp_path, "a.mod", content)
    np.testing.assert_array_equal(
        read_points(path, "Point", "mod").coordinates, imodmodel.read(path)[["x", "y", "z"]].to_numpy()
    )
    frame = imodmodel.read(path, annotation="slicer_angles")
    points = read_points(path, "OrientedPoint", "mod")
    np.testing.assert_array_equal(points.coordinates, frame[["center_x", "center_y", "center_z"]].to_numpy())
    angles = -frame[["x_rot", "y_rot", "z_rot"]].to_numpy()
    turned = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    close(np.asarray(points.rotations), turned)
