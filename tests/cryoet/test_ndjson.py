"""Lines of JSON as the portal publishes them."""

from pathlib import Path

import numpy as np
import pytest

from coverslip.cryoet import Points, read_ndjson, to_ndjson
from coverslip.errors import ReadError
from tests.cryoet.written import put

PLACES = np.array([[1.0, 2.0, 3.0], [0.5, -1.25, 1e-7]])
TURNS = np.array([np.eye(3), [[0, -1, 0], [1, 0, 0], [0, 0, 1]]], float)
CASES = {
    "Point": (
        Points("Point", PLACES.copy()),
        (
            '{"type": "point", "location": {"x": 1.0, "y": 2.0, "z": 3.0}}\n'
            '{"type": "point", "location": {"x": 0.5, "y": -1.25, "z": 1e-07}}\n'
        ),
    ),
    "OrientedPoint": (
        Points("OrientedPoint", PLACES.copy(), TURNS.copy()),
        (
            '{"type": "orientedPoint", "location": {"x": 1.0, "y": 2.0, "z": 3.0}, '
            '"xyz_rotation_matrix": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]}\n'
            '{"type": "orientedPoint", "location": {"x": 0.5, "y": -1.25, "z": 1e-07}, '
            '"xyz_rotation_matrix": [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]}\n'
        ),
    ),
    "InstanceSegmentation": (
        Points("InstanceSegmentation", PLACES.copy(), instance_ids=np.array([4, 0])),
        (
            '{"type": "instancePoint", "location": {"x": 1.0, "y": 2.0, "z": 3.0}, "instance_id": 4}\n'
            '{"type": "instancePoint", "location": {"x": 0.5, "y": -1.25, "z": 1e-07}, "instance_id": 0}\n'
        ),
    ),
}


@pytest.mark.parametrize("shape", CASES)
def test_lines_there_and_back(tmp_path: Path, shape: str) -> None:
    points, text = CASES[shape]
    assert "".join(to_ndjson(points)) == text
    again = read_ndjson(put(tmp_path, "a.ndjson", text), points.shape)
    assert "".join(to_ndjson(again)) == text
    assert len(read_ndjson(put(tmp_path, "b.ndjson", "\n"), points.shape)) == 0


@pytest.mark.parametrize(
    ("shape", "old", "new", "why"),
    [
        ("Point", '"point"', '"orientedPoint"', "a.ndjson:1: expected a point"),
        ("Point", "-1.25", "Infinity", "a.ndjson:2: the document holds Infinity"),
        ("Point", "-1.25", '"a"', r"a.ndjson:2: location.y is no finite number"),
        ("Point", "-1.25,", "-1.25", "a.ndjson:2: this is no JSON"),
        ("OrientedPoint", "-1.0", "1.0", "the matrix of point 2 is no rotation"),
        ("OrientedPoint", "[0.0, -1.0, 0.0]", "[0.0]", "a.ndjson:2: xyz_rotation_matrix is no matrix"),
        ("InstanceSegmentation", "4}", "4.5}", "a.ndjson:1: instance_id is no whole number"),
        ("InstanceSegmentation", "4}", "null}", "a.ndjson:1: instance_id is no finite number"),
    ],
)
def test_damaged_lines_are_refused(tmp_path: Path, shape: str, old: str, new: str, why: str) -> None:
    points, text = CASES[shape]
    with pytest.raises(ReadError, match=why):
        read_ndjson(put(tmp_path, "a.ndjson", text.replace(old, new, 1)), points.shape)


def test_deep_documents_and_endless_numbers_are_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"location": ' + "9" * 5000 + "}"):
        with pytest.raises(ReadError):
            read_ndjson(put(tmp_path, "a.ndjson", text), "Point")
