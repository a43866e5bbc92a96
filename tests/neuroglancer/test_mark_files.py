"""What people marked, and cell tables, as files that Neuroglancer reads."""

import json
import struct
from typing import Any

import pytest

from coverslip.neuroglancer.mark_files import Row, has_places, mark_files, places_of, properties_of
from coverslip.neuroglancer.marks import Mark
from coverslip.neuroglancer.precomputed import Files

SPACE = {"x": (1e-7, "m"), "y": (1e-7, "m"), "z": (5e-7, "m"), "t": (2.5, "s")}


def info(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["info"])
    return found


def test_points_have_a_place_along_every_axis() -> None:
    marks = [Mark("a", "point", ((1, 2, 3, 4),), "seen"), Mark("b", "point", ((5, 6, 7, 8),))]
    files = mark_files("point", [*marks, Mark("c", "polyline", ((0, 0, 0, 0), (9, 9, 9, 9)))], SPACE)
    found = info(files)
    assert found["dimensions"] == {axis: list(one) for axis, one in SPACE.items()}
    assert (found["lower_bound"], found["upper_bound"]) == ([1, 2, 3, 4], [6, 7, 8, 9])
    (index,) = found["spatial"]
    assert (index["grid_shape"], index["chunk_size"], index["limit"]) == ([1, 1, 1, 1], [5, 5, 5, 5], 2)
    (label,) = found["properties"]
    assert (label["id"], label["enum_labels"]) == ("label", ["", "seen"])
    shard = files["by_id/0.shard"]
    assert struct.pack("<4fH2x", 1, 2, 3, 4, 1) in shard
    assert struct.pack("<4fH2x", 5, 6, 7, 8, 0) in shard


def test_a_line_of_three_corners_is_two_lines() -> None:
    corners = ((0.0, 0.0, 1.0), (4.0, 0.0, 1.0), (4.0, 4.0, 1.0))
    space = {axis: SPACE[axis] for axis in "xyz"}
    files = mark_files("polyline", [Mark("a", "polyline", corners)], space)
    assert (info(files)["annotation_type"], info(files)["properties"]) == ("LINE", [])
    for first, last in ((0, 1), (1, 2)):
        assert struct.pack("<6f", *corners[first], *corners[last]) in files["by_id/0.shard"]


def test_boxes_are_all_in_one_cell() -> None:
    boxes = [Mark(str(n), "axis_aligned_bounding_box", ((n, 0, 0, 0), (n + 2, 9, 9, 9))) for n in range(12_000)]
    found = info(mark_files("axis_aligned_bounding_box", boxes, SPACE))
    assert found["annotation_type"] == "AXIS_ALIGNED_BOUNDING_BOX"
    assert [one["grid_shape"] for one in found["spatial"]] == [[1, 1, 1, 1]]
    assert found["spatial"][0]["limit"] == 12_000


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("fov", "centroid-0", "centroid-1"), True),
        (("centroid_x", "centroid_y"), True),
        (("centroid-0", "area"), False),
        ((), False),
    ],
)
def test_tables_say_where_objects_are_in_known_columns(columns: tuple[str, ...], expected: bool) -> None:
    assert has_places(columns) is expected


def test_objects_without_a_place_are_left_out() -> None:
    rows: list[Row] = [
        {"label": 3, "centroid-0": 1.5, "centroid-1": 2},
        {"label": None, "centroid-0": 3, "centroid-1": 4},
        {"label": 4, "centroid-0": None, "centroid-1": 4},
        {"label": 5, "centroid-0": float("nan"), "centroid-1": 4},
        {"label": 6, "centroid-0": 10**400, "centroid-1": 4},
    ]
    assert [(one.id, one.x, one.y, one.z) for one in places_of(rows)] == [("3", 2, 1.5, 0), ("row 2", 4, 3, 0)]
    assert places_of([{"label": 1}]) == places_of([]) == ()


def test_properties_are_columns_of_numbers_without_gaps() -> None:
    rows: list[Row] = [
        {"label": 2, "area": 7, "mean": 0.5, "kind": "T", "gap": 1, "large": 1 << 60},
        {"label": 9.0, "area": 300, "mean": 2, "kind": "B", "gap": None, "large": 1},
        {"label": 2, "area": 8, "mean": 1, "kind": "T", "gap": 1, "large": 1},
        {"label": 0, "area": 8, "mean": 1, "kind": "T", "gap": 1, "large": 1},
    ]
    inline = info(properties_of(rows))["inline"]
    assert inline["ids"] == ["2", "9"], "each object once, and nothing for what is none"
    assert [(one["id"], one["data_type"], one["values"]) for one in inline["properties"]] == [
        ("area", "uint16", [7, 300]),
        ("mean", "float32", [0.5, 2.0]),
        ("large", "float32", [float(1 << 60), 1.0]),
    ]
    assert info(properties_of([]))["inline"]["ids"] == []
