"""Annotations, read back by the reader of Neuroglancer's own Python package."""

import json
import time
from pathlib import Path
from typing import Any

import neuroglancer
import numpy as np
import pytest
from neuroglancer.read_precomputed_annotations import AnnotationReader
from neuroglancer.write_annotations import AnnotationWriter
from scipy.spatial.transform import Rotation

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer.precomputed import (
    Property,
    line_annotations,
    oriented_annotations,
    point_annotations,
    polygon_lines,
)
from tests.neuroglancer.precomputed.written import put, reader_of, value_of

POINTS = [[1.5, 2.0, 3.0], [10.0, 20.0, 30.0], [7.25, 8.0, 9.0]]
SPACE = neuroglancer.CoordinateSpace(names=["x", "y", "z"], units="m", scales=[7.84e-10] * 3)


def specification(name: str, kind: str) -> neuroglancer.AnnotationPropertySpec:
    return neuroglancer.AnnotationPropertySpec(id=name, type=kind)


def shown(reader: AnnotationReader, number: int) -> tuple[Any, dict[str, Any]]:
    """Return the geometry and the properties of an annotation, looked up by its number."""
    found = reader.by_id[number]
    return value_of(found), {
        spec.id: value.tolist() for spec, value in zip(reader.properties, found.props, strict=True)
    }


@pytest.mark.parametrize("is_sharded", [True, False], ids=["sharded", "one file each"])
def test_points_are_those_that_the_package_writes(tmp_path: Path, is_sharded: bool) -> None:
    names, colors = ["b", "a", "b"], [[255, 0, 0], [0, 255, 0], [1, 2, 3]]
    ours = reader_of(
        point_annotations(
            POINTS, voxel_size=7.84, names=names, diameter=[50, 60, 70], color=colors, is_sharded=is_sharded
        ),
        tmp_path / "ours",
    )
    writer = AnnotationWriter(
        SPACE,
        "point",
        properties=[
            specification("point_index", "uint32"),
            specification("diameter", "float32"),
            specification("name", "uint8"),
            specification("color", "rgb"),
        ],
    )
    for index, (point, name, color) in enumerate(zip(POINTS, [1, 0, 1], colors, strict=True)):
        writer.add_point(point, point_index=index, diameter=5.0 + index, name=name, color=color)
    writer.write(tmp_path / "theirs")
    theirs = AnnotationReader({"driver": "file", "path": f"{tmp_path / 'theirs'}/"})
    assert ours.coordinate_space.to_json() == theirs.coordinate_space.to_json()
    assert ours.annotation_type == theirs.annotation_type
    kinds = [{one.id: one.type for one in reader.properties} for reader in (ours, theirs)]
    assert kinds[0] == kinds[1]
    for number in range(3):
        assert shown(ours, number) == shown(theirs, number)
    assert 3 not in ours.by_id
    in_cells = [sorted(value_of(one) for one in reader.spatial[0][0, 0, 0]) for reader in (ours, theirs)]
    assert in_cells[0] == in_cells[1]
    assert len(in_cells[0]) == 3


def test_the_info_says_what_is_there() -> None:
    info = json.loads(
        point_annotations(POINTS, voxel_size=[7.84, 7.84, 10], names=["b", "a", "b"], instance_ids=[5, 5, 6])["info"]
    )
    by_id, spatial = info.pop("by_id"), info.pop("spatial")
    assert info == {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {"x": [7.84e-10, "m"], "y": [7.84e-10, "m"], "z": [1e-9, "m"]},
        "lower_bound": [1.0, 2.0, 3.0],
        "upper_bound": [11.0, 21.0, 31.0],
        "annotation_type": "POINT",
        "properties": [
            {"id": "point_index", "type": "uint32"},
            {"id": "instance_id", "type": "uint32"},
            {"id": "diameter", "type": "float32", "description": "nanometres"},
            {"id": "name", "type": "uint8", "enum_values": [0, 1], "enum_labels": ["a", "b"]},
            {"id": "color", "type": "rgb"},
        ],
        "relationships": [],
    }
    assert list(info["dimensions"]) == ["x", "y", "z"]
    assert by_id["key"] == "by_id"
    assert by_id["sharding"]["@type"] == "neuroglancer_uint64_sharded_v1"
    assert [level["key"] for level in spatial] == ["spatial0"]
    assert spatial[0]["grid_shape"] == [1, 1, 1]
    assert spatial[0]["chunk_size"] == [10.0, 19.0, 28.0]
    assert spatial[0]["limit"] == 3, "no more than there are: a client draws the part that it wants of the limit"


def test_a_record_is_what_the_format_says() -> None:
    files = point_annotations(
        [[1, 2, 3]], voxel_size=10, names="ribosome", diameter=250, color="#0102ff", instance_ids=[9], is_sharded=False
    )
    expected = np.array([1, 2, 3], "<f4").tobytes()
    expected += np.array([0, 9], "<u4").tobytes() + np.array([25], "<f4").tobytes() + bytes([0, 1, 2, 255])
    assert files["by_id/0"] == expected
    assert files["spatial0/0_0_0"] == np.array([1], "<u8").tobytes() + expected + bytes(8)


def test_records_are_filled_up_to_four_bytes() -> None:
    lines = line_annotations(
        [[0, 0, 0]],
        [[1, 1, 1]],
        voxel_size=1,
        properties=[
            Property("small", "uint8", np.array([7])),
            Property("middle", "uint16", np.array([300])),
            Property("large", "float32", np.array([0.5])),
        ],
        is_sharded=False,
    )
    expected = np.array([0, 0, 0, 1, 1, 1, 0.5], "<f4").tobytes() + np.array([300], "<u2").tobytes() + b"\7\0"
    assert lines["by_id/0"] == expected


def test_an_oriented_point_is_three_lines_along_its_axes(tmp_path: Path) -> None:
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float)  # x becomes y, y becomes -x
    files = oriented_annotations(
        [[10, 20, 30], [50, 50, 50]],
        [quarter, np.eye(3)],
        voxel_size=10,
        diameter=[200, 40],
        color=[[9, 8, 7], [6, 5, 4]],
        names="spike",
    )
    reader = reader_of(files, tmp_path)
    seen = [shown(reader, number) for number in range(6)]
    # 1.5 times 200 angstrom are 30 voxels of 10
    assert [place for place, _ in seen] == [
        ([10, 20, 30], [10, 50, 30]),
        ([10, 20, 30], [-20, 20, 30]),
        ([10, 20, 30], [10, 20, 60]),
        ([50, 50, 50], [56, 50, 50]),
        ([50, 50, 50], [50, 56, 50]),
        ([50, 50, 50], [50, 50, 56]),
    ]
    assert [values["line_color"] for _, values in seen] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]] * 2
    assert [values["point_color"] for _, values in seen] == [[9, 8, 7]] * 3 + [[6, 5, 4]] * 3
    assert [values["point_index"] for _, values in seen] == [0, 0, 0, 1, 1, 1]
    assert [values["diameter"] for _, values in seen] == [20] * 3 + [4] * 3
    assert reader.annotation_type == "line"
    assert reader.lower_bound == (-20, 20, 30)
    assert reader.upper_bound == (57, 57, 61)


def test_axes_are_as_long_in_every_direction_where_voxels_are_not(tmp_path: Path) -> None:
    files = oriented_annotations([[0, 0, 0]], [np.eye(3)], voxel_size=[1, 2, 5], diameter=20)
    reader = reader_of(files, tmp_path)
    assert [max(value_of(reader.by_id[number])[1]) for number in range(3)] == [30, 15, 6]


def test_a_closed_polygon_is_its_sides(tmp_path: Path) -> None:
    starts, ends = polygon_lines([[0, 0, 5], [4, 0, 5], [4, 3, 5]])
    reader = reader_of(line_annotations(starts, ends, voxel_size=10), tmp_path)
    assert [value_of(reader.by_id[number]) for number in range(3)] == [
        ([0, 0, 5], [4, 0, 5]),
        ([4, 0, 5], [4, 3, 5]),
        ([4, 3, 5], [0, 0, 5]),
    ]


def test_the_bounds_are_those_of_the_volume_and_hold_every_point() -> None:
    inside = json.loads(point_annotations(POINTS, voxel_size=1, bounds=[[0, 0, 0], [64, 64, 32]])["info"])
    assert (inside["lower_bound"], inside["upper_bound"]) == ([0, 0, 0], [64, 64, 32])
    beyond = json.loads(point_annotations(POINTS, voxel_size=1, bounds=[[0, 0, 5], [64, 20, 20]])["info"])
    assert (beyond["lower_bound"], beyond["upper_bound"]) == ([0, 0, 3], [64, 21, 31])


@pytest.mark.parametrize("is_sharded", [True, False])
def test_no_points_are_a_precompute_too(tmp_path: Path, is_sharded: bool) -> None:
    reader = reader_of(point_annotations([], voxel_size=10, names=[], is_sharded=is_sharded), tmp_path)
    assert 0 not in reader.by_id
    assert (0, 0, 0) not in reader.spatial[0]
    assert reader.metadata["spatial"][0]["limit"] == 1


def test_a_hundred_thousand_points_are_all_there_in_their_cells(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, (1000, 900, 300), (100_000, 3)).astype(np.float32)
    begun = time.perf_counter()
    files = point_annotations(points, voxel_size=5, names="x", limit=2000)
    assert time.perf_counter() - begun < 20
    assert len(files) < 10
    reader = reader_of(files, tmp_path)
    for number in (0, 1, 4711, 99_999):
        assert value_of(reader.by_id[number])[0] == points[number].tolist()
    seen: list[int] = []
    lower = np.array(reader.lower_bound)
    for level in reader.spatial:
        size = np.array(level.metadata["chunk_size"])
        counts = [0]
        for cell in np.ndindex(*level.metadata["grid_shape"]):
            if cell not in level:
                continue
            here = level[cell]
            counts.append(len(here))
            places = np.array([one.point for one in here])
            assert (places >= lower + size * cell - 1e-3).all()
            assert (places <= lower + size * (np.array(cell) + 1) + 1e-3).all()
            seen += [int(one.id) for one in here]
        assert max(counts) == level.metadata["limit"]
    assert sorted(seen) == list(range(100_000))


@pytest.mark.parametrize("is_sharded", [True, False])
def test_lines_are_found_from_both_ends(tmp_path: Path, is_sharded: bool) -> None:
    dice = np.random.default_rng(5)
    starts = dice.uniform(0, 100, (500, 3))
    reader = reader_of(line_annotations(starts, starts + 8, voxel_size=5, limit=20, is_sharded=is_sharded), tmp_path)
    levels_of: dict[int, set[int]] = {}
    for number, level in enumerate(reader.spatial):
        for cell in np.ndindex(*level.metadata["grid_shape"]):
            if cell in level:
                for one in level[cell]:
                    levels_of.setdefault(int(one.id), set()).add(number)
    assert sorted(levels_of) == list(range(500))
    assert {len(found) for found in levels_of.values()} == {1}


def test_the_same_points_give_the_same_bytes() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (30_000, 3))
    turned = Rotation.random(1000, rng=np.random.default_rng(0)).as_matrix()
    assert point_annotations(points, voxel_size=5) == point_annotations(points.copy(), voxel_size=5)
    first, second = (oriented_annotations(points[:1000], turned, voxel_size=5, limit=100) for _ in range(2))
    assert list(first.items()) == list(second.items())


def test_many_names_need_two_bytes(tmp_path: Path) -> None:
    names = [f"tomogram {number:03}" for number in range(300)]
    reader = reader_of(point_annotations(np.zeros((300, 3)), voxel_size=1, names=names), tmp_path)
    assert [(one.id, one.type) for one in reader.properties][2] == ("name", "uint16")
    assert shown(reader, 299)[1]["name"] == 299


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("coordinates have the shape", {"coordinates": [[1, 2]]}),
        ("not finite", {"coordinates": [[1, 2, float("nan")]]}),
        ("not finite", {"coordinates": [[1, 2, 1e300]]}),
        ("no numbers", {"coordinates": [["a", 2, 3]]}),
        ("voxel size", {"voxel_size": 0}),
        ("voxel size", {"voxel_size": [1, 2]}),
        ("voxel size", {"voxel_size": float("nan")}),
        ("diameter", {"diameter": -1}),
        ("diameter", {"diameter": [1, 2]}),
        ("names", {"names": ["a", "b"]}),
        ("#rrggbb", {"color": "red"}),
        ("#rrggbb", {"color": "#12345"}),
        ("0 to 255", {"color": [1, 2, 300]}),
        ("0 to 255", {"color": [0.5, 0.5, 0.5]}),
        ("instance ids", {"instance_ids": [1, 2]}),
        ("instance ids", {"instance_ids": [-1]}),
        ("instance ids", {"instance_ids": [0.5]}),
        ("bounds", {"bounds": [[0, 0, 0]]}),
        ("at least one", {"limit": 0}),
    ],
)
def test_what_makes_no_sense_is_said(words: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        point_annotations(**{"coordinates": [[1, 2, 3]], "voxel_size": 10, **arguments})


@pytest.mark.parametrize(
    ("words", "rotations"),
    [
        ("shape", [np.eye(3), np.eye(3)]),
        ("no rotation", [np.eye(3) * 2]),
        ("no rotation", [np.full((3, 3), np.nan)]),
    ],
)
def test_what_is_no_rotation_is_said(words: str, rotations: Any) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        oriented_annotations([[1, 2, 3]], rotations, voxel_size=10)


def test_lines_without_an_end_are_said() -> None:
    with pytest.raises(InvalidRequestError, match="1 lines begin and 2 end"):
        line_annotations([[0, 0, 0]], [[1, 1, 1], [2, 2, 2]], voxel_size=1)
    with pytest.raises(InvalidRequestError, match="2 values for 1"):
        line_annotations([[0] * 3], [[1] * 3], voxel_size=1, properties=[Property("a", "uint8", np.zeros(2))])


def test_files_can_be_put_anywhere(tmp_path: Path) -> None:
    files = point_annotations(POINTS, voxel_size=1)
    put(files, tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "by_id/0.shard",
        "info",
        "spatial0/0.shard",
    ]
