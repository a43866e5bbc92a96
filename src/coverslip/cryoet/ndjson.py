"""Points <-> lines of JSON, as the CryoET Data Portal publishes them.

One object per line: ``{"type": "point", "location": {"x": 1.0, "y": 2.0, "z": 3.0}}``; ``orientedPoint`` has
``xyz_rotation_matrix``, three rows of three, and ``instancePoint`` has ``instance_id``. Coordinates are voxels.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.cryoet import rotations
from coverslip.cryoet.files import MOST_POINTS, json_number, json_whole, parse_json, read_text, shown
from coverslip.cryoet.pointset import Points, PointShape
from coverslip.errors import ReadError

TYPES: dict[PointShape, str] = {
    "Point": "point",
    "OrientedPoint": "orientedPoint",
    "InstanceSegmentation": "instancePoint",
}


def to_ndjson(points: Points) -> Iterator[str]:
    """Yield one line per point, each with its end. The same points give the same lines."""
    kind = TYPES[points.shape]
    for n, (x, y, z) in enumerate(points.coordinates.tolist()):
        line: dict[str, Any] = {"type": kind, "location": {"x": x, "y": y, "z": z}}
        if points.rotations is not None:
            line["xyz_rotation_matrix"] = points.rotations[n].tolist()
        if points.instance_ids is not None:
            line["instance_id"] = int(points.instance_ids[n])
        yield f"{json.dumps(line)}\n"


def read_ndjson(path: Path, shape: PointShape) -> Points:
    """Return the points of a file of such lines; blank lines are skipped.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        A line is damaged, or holds a point of another shape.
    """
    text = read_text(path)
    places: list[list[float]] = []
    matrices: list[list[list[float]]] = []
    ids: list[int] = []
    for number, line in enumerate(text.lines, 1):
        if not line.strip():
            continue
        if len(places) >= MOST_POINTS:
            raise text.wrong(number, f"the file has more points than {MOST_POINTS:,}")
        entry = parse_json(line, path, number)
        place = entry.get("location") if isinstance(entry, dict) else None
        if not isinstance(place, dict) or entry.get("type") != TYPES[shape]:
            raise text.wrong(number, f"expected a {TYPES[shape]} with a location, found {shown(entry)}")
        at = Path(f"{path}:{number}")
        places.append([json_number(place.get(axis), at, f"location.{axis}") for axis in "xyz"])
        if shape == "OrientedPoint":
            matrices.append(_matrix(entry.get("xyz_rotation_matrix"), at))
        elif shape == "InstanceSegmentation":
            ids.append(json_whole(entry.get("instance_id"), at, "instance_id"))
    turned = np.array(matrices, np.float64).reshape(-1, 3, 3) if shape == "OrientedPoint" else None
    if turned is not None and (wrong := rotations.first_that_is_none(turned)) is not None:
        raise ReadError(f"{path}: the matrix of point {wrong + 1} is no rotation")
    numbers = np.array(ids, np.int64) if shape == "InstanceSegmentation" else None
    return Points(shape, np.array(places, np.float64).reshape(-1, 3), turned, numbers)


def _matrix(rows: Any, at: Path) -> list[list[float]]:
    if not (isinstance(rows, list) and len(rows) == 3 and all(isinstance(row, list) and len(row) == 3 for row in rows)):
        raise ReadError(f"{at}: xyz_rotation_matrix is no matrix of 3 x 3")
    return [[json_number(value, at, "xyz_rotation_matrix") for value in row] for row in rows]
