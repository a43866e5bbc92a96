"""Points as every program writes them: values by hand."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from coverslip.cryoet import FORMATS, Points, read_points
from coverslip.cryoet.pointset import PointShape
from coverslip.errors import InvalidRequestError, ReadError, UnreadableFileError
from tests.cryoet import written
from tests.cryoet.written import put

SQUARE = math.sqrt(3) / 2
TILTED = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
"""RELION's rot 0, tilt 90, psi 0: the particle's z axis points along -x."""
TURNED = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
"""RELION's psi 90: the coordinate system turns anticlockwise, the particle clockwise."""


def matrix_of_relion(rot: float, tilt: float, psi: float) -> list[list[float]]:
    """Return the matrix as it is spelled out in RELION's euler.cpp."""
    ca, cb, cg = (math.cos(math.radians(angle)) for angle in (rot, tilt, psi))
    sa, sb, sg = (math.sin(math.radians(angle)) for angle in (rot, tilt, psi))
    return [
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ]


def check(points: Points, coordinates: object, rotations: object = None, ids: object = None) -> None:
    """Compare with values written by hand."""
    np.testing.assert_allclose(points.coordinates, np.reshape(np.array(coordinates, float), (-1, 3)), atol=1e-12)
    assert (points.rotations is None) == (rotations is None)
    if points.rotations is not None:
        np.testing.assert_allclose(points.rotations, np.array(rotations, float), atol=1e-12)
    assert (points.instance_ids is None) == (ids is None)
    if points.instance_ids is not None:
        assert points.instance_ids.tolist() == ids


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("csv", "1,2,3\n4,5,6.5\n\n", {}),
        ("csv", "\ufeff1 ,2, 3,ribosome\r\n4,5,6.5,\r\n", {}),
        ("csv", '"1","2","3"\n4,5,6.5', {"columns": "xyz", "filter_value": None}),
        ("csv", "3,2,1\n6.5,5,4\n", {"columns": "zyx"}),
        ("csv", "2|3|1\n5|6.5|4\n", {"order": "yzx", "delimiter": "|"}),
        ("csv", "  1   2  3\n4\t5 6.5\n", {"delimiter": " "}),
        ("csv", "2,4,6\n8,10,13\n", {"binning": 2}),
        ("csv_with_header", "a,b,c\n1,2,3\n4,5,6.5\n", {"delimiter": ",", "binning": 1.0}),
        ("tsv", "x\ty\tz\n1\t2\t3\n4\t5\t6.5\n", {}),
        ("tsv", "1\t2\t3\n4\t5\t6.5\n", {"delimiter": "\t"}),
    ],
)
def test_tables(tmp_path: Path, name: str, content: str, options: dict[str, object]) -> None:
    points = read_points(put(tmp_path, "a.csv", content), "Point", name, **options)
    check(points, [[1, 2, 3], [4, 5, 6.5]])
    assert points.object_count == len(points) == 2


def test_a_table_of_nothing_has_no_points(tmp_path: Path) -> None:
    assert len(read_points(put(tmp_path, "a.csv", "x,y,z\n"), "Point", "csv_with_header")) == 0
    assert len(read_points(put(tmp_path, "b.csv", ""), "Point", "csv")) == 0


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("1,2,3\n1,2\n", r"a.csv:2: expected three columns"),
        ("1,2,3\n\n1,nan,3\n", r"a.csv:3: y is no finite number: 'nan'"),
        ("1,2,1e400\n", r"a.csv:1: z is no finite number"),
        ("x,y,z\n1,2,3\n", r"a.csv:1: x is no finite number: 'x'"),
        ("1_0,2,3\n", r"a.csv:1: x is no finite number"),
        ('1,2,3\n"1,2,3\n', r"a.csv:\d: this is no table"),
        ("1,2,\0\n", r"no text file"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path: Path, content: str, where: str) -> None:
    with pytest.raises(ReadError, match=where):
        read_points(put(tmp_path, "a.csv", content), "Point", "csv")


def test_tardis_has_ids(tmp_path: Path) -> None:
    points = read_points(put(tmp_path, "a.csv", written.TARDIS), "InstanceSegmentation", "tardis", binning=2)
    check(points, [[2, 4, 6], [2, 2, 2], [3, 2, 1]], ids=[0, 0, 3])
    assert points.object_count == 2
    with pytest.raises(ReadError, match=r"b.csv:2: the id is no whole number: '1.5'"):
        read_points(put(tmp_path, "b.csv", "IDs,x,y,z\n1.5,1,2,3\n"), "InstanceSegmentation", "tardis")


def test_relion_3(tmp_path: Path) -> None:
    path = put(tmp_path, "a.star", written.RELION3)
    one = read_points(path, "OrientedPoint", "relion3_star", filter_value="tomo_1.tomostar", binning=2)
    check(one, [[4.5, 9, 13.5], [5.5, 10.5, 15.5]], [TILTED, TURNED])
    two = read_points(path, "OrientedPoint", "relion3_star", filter_value="tomo_2.tomostar", order="xyz")
    check(two, [[8, 8, 8]], [matrix_of_relion(30, 60, 45)])
    assert len(read_points(path, "Point", "relion3_star")) == 3
    assert len(read_points(path, "Point", "relion3_star", filter_value="tomo_3.tomostar")) == 0


def test_relion_says_where_the_axis_of_a_particle_points(tmp_path: Path) -> None:
    """Rot turns about the particle's own axis: it does not change where that axis points."""
    two = read_points(put(tmp_path, "a.star", written.RELION3), "OrientedPoint", "relion3_star").rotations
    assert two is not None
    np.testing.assert_allclose(
        two[2] @ [0, 0, 1], [-math.cos(math.pi / 4) * SQUARE, math.sin(math.pi / 4) * SQUARE, 0.5], atol=1e-12
    )


def test_an_order_of_axes_turns_coordinates_and_orientations(tmp_path: Path) -> None:
    path = put(tmp_path, "a.star", written.RELION3)
    points = read_points(path, "OrientedPoint", "relion3_star", filter_value="tomo_1.tomostar", order="zyx")
    check(points, [[27, 18, 9], [31, 21, 11]], [[[0, 0, 1], [0, 1, 0], [-1, 0, 0]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]])


def test_relion_4_divides_shifts_by_the_pixel_size_of_the_tilt_series(tmp_path: Path) -> None:
    path = put(tmp_path, "a.star", written.RELION4)
    one = read_points(path, "OrientedPoint", "relion4_star", filter_value="TS_001", binning=4)
    check(one, [[24, 48, 78]], [TILTED])
    check(read_points(path, "Point", "relion4_star", filter_value="TS_002", binning=1), [[98, 196, 306]])
    without = written.RELION4.replace("_rlnTomoTiltSeriesPixelSize #3", "_rlnMicrographOriginalPixelSize #3")
    path = put(tmp_path, "b.star", without)
    check(read_points(path, "Point", "relion4_star", filter_value="TS_001"), [[99, 198, 303]])


def test_relion_4_turns_shifts_and_orientations_with_their_box(tmp_path: Path) -> None:
    text = written.RELION4.replace("_rlnOpticsGroup #11\nTS", "_rlnOpticsGroup #11\n_rlnTomoSubtomogramRot #12\nTS")
    text = text.replace("Rot #12\n", "Rot #12\n_rlnTomoSubtomogramTilt #13\n_rlnTomoSubtomogramPsi #14\n")
    text = text.replace("0 90 0 1\n", "0 90 0 1 0 0 90\n").replace("0 90 0 2\n", "0 90 0 2 0 0 0\n")
    path = put(tmp_path, "a.star", text)
    # the shift of (4, 8, -12) pixels becomes (8, -4, -12)
    both = read_points(path, "OrientedPoint", "relion4_star")
    check(both, [[92, 204, 312], [98, 196, 306]], [[[0, 1, 0], [0, 0, 1], [1, 0, 0]], TILTED])


def test_tomoman(tmp_path: Path) -> None:
    path = put(tmp_path, "a.star", written.TOMOMAN)
    check(
        read_points(path, "OrientedPoint", "tomoman_relion_star", filter_value="grid_1", binning=3),
        [[3, 6, 9]],
        [TILTED],
    )
    check(read_points(path, "Point", "tomoman_relion_star", filter_value="grid_2"), [[11, 21, 31]])


def test_stopgap(tmp_path: Path) -> None:
    path = put(tmp_path, "a.star", written.STOPGAP)
    one = read_points(path, "OrientedPoint", "stopgap_star", filter_value="1", binning=2)
    about_x, about_z = [[1, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    check(one, [[5.5, 9, 16.5], [5.5, 10.5, 15.5]], [about_x, about_z])
    two = read_points(path, "OrientedPoint", "stopgap_star", filter_value="012")
    # the axis of the particle: Rz(psi) Rx(the) z, which phi does not change
    np.testing.assert_allclose(
        np.asarray(two.rotations)[0] @ [0, 0, 1], [SQUARE * math.sqrt(0.5), -0.5 * math.sqrt(0.5), math.sqrt(0.5)]
    )
    assert len(read_points(path, "Point", "stopgap_star", filter_value="TS_1")) == 0


def test_dynamo_is_the_inverse_of_its_angles(tmp_path: Path) -> None:
    path = put(tmp_path, "a.tbl", written.DYNAMO)
    one = read_points(path, "OrientedPoint", "dynamo_tbl", filter_value="1", binning=2)
    check(
        one,
        [[5.5, 9, 16.5], [5.5, 10.5, 15.5]],
        [[[1, 0, 0], [0, 0, 1], [0, -1, 0]], [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]],
    )
    check(read_points(path, "Point", "dynamo_tbl", filter_value="12"), [[8, 8, 8]])
    with pytest.raises(ReadError, match=r"b.tbl:1: a row of a Dynamo table has 26 columns or more, this one 3"):
        read_points(put(tmp_path, "b.tbl", "1 2 3\n"), "Point", "dynamo_tbl")


def test_one_particle_has_one_orientation_in_every_program(tmp_path: Path) -> None:
    """A particle that RELION, Dynamo and STOPGAP all describe, by the conversions that are published for them."""
    rot, tilt, psi = 137.7000, 1.1777, 42.7270
    columns = ("CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi")
    relion = "data_\nloop_\n" + "".join(f"_rln{name}\n" for name in columns) + f"1 1 1 {rot} {tilt} {psi}\n"
    # https://github.com/alisterburt/eulerangles has this pair, found by averaging with both programs
    dynamo = f"1 1 1 0 0 0 -47.2730 {tilt} -132.3000" + " 0" * 14 + " 1 1 1\n"
    # tdrot = -psi, tilt = -the, narot = -phi
    stopgap = written.STOPGAP.split("   1   1")[0] + f"1 1 1 1 1 1 0 0 0 0 132.3 47.2730 {-tilt} 1\n"
    read = [
        read_points(put(tmp_path, "a", content), "OrientedPoint", name).rotations
        for name, content in (("relion3_star", relion), ("dynamo_tbl", dynamo), ("stopgap_star", stopgap))
    ]
    for other in read[1:]:
        np.testing.assert_allclose(np.asarray(other), np.asarray(read[0]), atol=1e-12)


def test_imod_points_come_from_all_contours_as_they_are_stored(tmp_path: Path) -> None:
    content = written.imod_model([[[(1, 2, 3), (2, 2, 2)], []], [[(0.5, 3, -0.5)]]], extra=b"MINX" + bytes(3) + b"\2ab")
    points = read_points(put(tmp_path, "a.mod", content), "Point", "mod", binning=2)
    check(points, [[0.5, 1, 1.5], [1, 1, 1], [0.25, 1.5, -0.25]])


def test_imod_orientations_are_the_inverse_of_slicer_angles(tmp_path: Path) -> None:
    slicer = [(90, 0, 0, 1, 2, 3), (0, 90, 0, 4, 5, 6), (0, 0, 90, 7, 8, 9), (90, 0, 90, 1, 1, 1)]
    points = read_points(put(tmp_path, "a.mod", written.imod_model(slicer=slicer)), "OrientedPoint", "mod")
    about_x = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    about_y = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    about_z = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    both = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    check(points, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]], [about_x, about_y, about_z, both])
    with pytest.raises(ReadError, match="has no slicer angles"):
        read_points(put(tmp_path, "b.mod", written.imod_model([[[(1, 2, 3)]]])), "OrientedPoint", "mod")


def test_a_model_that_ends_early_is_refused(tmp_path: Path) -> None:
    content = written.imod_model([[[(1, 2, 3), (2, 2, 2)]]])
    for end in range(len(content)):
        with pytest.raises(ReadError):
            read_points(put(tmp_path, "a.mod", content[:end]), "Point", "mod")
    at = content.index(b"CONT") + 4
    for count in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"):
        with pytest.raises(ReadError, match="ends within b'CONT'"):
            read_points(put(tmp_path, "a.mod", content[:at] + count + content[at + 4 :]), "Point", "mod")
    with pytest.raises(ReadError, match="no finite number"):
        read_points(put(tmp_path, "a.mod", written.imod_model([[[(math.nan, 2, 3)]]])), "Point", "mod")


def test_copick_adds_the_translation_and_divides_by_the_voxel_size(tmp_path: Path) -> None:
    path = put(tmp_path, "a.json", written.COPICK)
    places = [[5, 0, 3], [0, 5, 1]]
    turns = [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.eye(3)]
    check(read_points(path, "Point", "copick", binning=10), places)
    check(read_points(path, "OrientedPoint", "copick", binning=10), places, turns)
    check(read_points(path, "InstanceSegmentation", "copick", binning=10), places, ids=[7, 7])


def test_picks_without_instances_are_each_one(tmp_path: Path) -> None:
    path = put(tmp_path, "a.json", written.COPICK.replace('"instance_id": 7', '"instance_id": 0'))
    check(read_points(path, "InstanceSegmentation", "copick", binning=10), [[5, 0, 3], [0, 5, 1]], ids=[0, 1])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"angstrom"', '"pixel"', "not in 'pixel'"),
        ("[0, 0, 1, 0]", "[0, 0, -1, 0]", r"points\[0\].transformation_ is no rotation"),
        ("[0, 0, 0, 1]", "[0, 0, 0, 2]", "ends with"),
        ("[0, 0, 0, 1]", "[0, 0, 1]", "no matrix of 4 x 4"),
        ("50,", "NaN,", "holds NaN"),
        ("50,", "1e999,", r"points\[1\].location.y is no finite number"),
        ("50,", '"50",', r"points\[1\].location.y is no finite number"),
        ('"points"', '"picks"', "no list of points"),
        ('"score"', "'score'", r"a.json:4: this is no JSON"),
    ],
)
def test_damaged_picks_are_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    path = put(tmp_path, "a.json", written.COPICK.replace(old, new, 1))
    with pytest.raises(ReadError, match=why):
        read_points(path, "OrientedPoint", "copick")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("   1   1  1   10", "   1   1  1   1O", r"a.star:20: orig_x is no finite number: '1O'"),
        ("0.18  1 -2 3", "0.18  1 -2", r"a.star:20: the row has 13 values, its table 14 columns"),
        ("_the\n", "_psi\n", r"a.star:17: the column _'psi' is there twice"),
        ("_orig_x\n", "_orig_a\n", r"no table has a column _orig_x; the file has 'data_stopgap_motivelist'"),
        ("data_stop", "save_stop", r"a.star:2: this is no STAR file"),
    ],
)
def test_damaged_star_files_are_refused_with_their_line(tmp_path: Path, old: str, new: str, why: str) -> None:
    path = put(tmp_path, "a.star", written.STOPGAP.replace(old, new, 1))
    with pytest.raises(ReadError, match=why):
        read_points(path, "OrientedPoint", "stopgap_star")


def test_shifts_in_angstroms_need_an_optics_group_with_a_pixel_size(tmp_path: Path) -> None:
    for old, new, why in (
        ("data_optics", "data_other", "need data_optics with a pixel size"),
        ("1 opticsGroup1 2.0", "1 opticsGroup1 0.0", r"a.star:11: rlnTomoTiltSeriesPixelSize is 0.0"),
        ("0 90 0 2", "0 90 0 3", r"a.star:\d+: there is no optics group '3'"),
        ("\n2 opticsGroup2", "\n1 opticsGroup2", "an optics group is there twice"),
    ):
        with pytest.raises(ReadError, match=why):
            read_points(put(tmp_path, "a.star", written.RELION4.replace(old, new)), "Point", "relion4_star")


def test_what_makes_no_sense_is_said_at_once(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "1,2,3\n")
    with pytest.raises(InvalidRequestError, match="there is no format 'xls'"):
        read_points(path, "Point", "xls")
    with pytest.raises(InvalidRequestError, match=r"csv has no points of the shape OrientedPoint\. These have: mod"):
        read_points(path, "OrientedPoint", "csv")
    with pytest.raises(InvalidRequestError) as caught:
        read_points(path, "Point", "csv", filter_value="a", colour="red", binning="2", columns="zyx", order="yzx")
    assert caught.value.errors == (
        "colour: there is no such option",
        "columns: 'zyx' contradicts order 'yzx'",
        "filter_value: means nothing for csv",
        "binning: '2' is of the wrong kind",
    )
    with pytest.raises(InvalidRequestError) as caught:
        read_points(path, "Point", "csv", binning=-1, order="xxy", delimiter="ab")
    assert [error.split(":")[0] for error in caught.value.errors] == ["binning", "order", "delimiter"]
    for binning in (1e-320, 5e-324):
        with pytest.raises(ReadError, match="no finite value"):
            read_points(path, "Point", "csv", binning=binning)


def test_what_cannot_be_looked_at_is_unknown(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(UnreadableFileError):
            read_points(path, "Point", "csv")


def test_points_cannot_be_written_to_and_are_what_they_say() -> None:
    points = Points("Point", np.zeros((2, 3)))
    with pytest.raises(ValueError, match="read-only"):
        points.coordinates[0] = 1
    for shape, arrays in (
        ("Point", (np.zeros((2, 2)),)),
        ("Point", (np.full((2, 3), np.nan),)),
        ("Point", (np.zeros((2, 3)), np.zeros((2, 3, 3)))),
        ("OrientedPoint", (np.zeros((2, 3)),)),
        ("OrientedPoint", (np.zeros((2, 3)), np.zeros((1, 3, 3)))),
        ("InstanceSegmentation", (np.zeros((2, 3)), None, np.zeros(2))),
    ):
        with pytest.raises(InvalidRequestError):
            Points(shape, *arrays)  # type: ignore[arg-type]


def test_every_format_has_a_shape() -> None:
    assert {shape for each in FORMATS.values() for shape in each.shapes} == set(get_args(PointShape))
