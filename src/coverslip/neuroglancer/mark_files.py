"""What people marked, and the rows of cell tables, in the files that Neuroglancer reads. Pure: values -> files.

A state holds a thousand marks of a layer at most; layers with more are read from these files.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coverslip.model import Cell, ImageMetadata
from coverslip.neuroglancer.channels import AXES, scale_and_unit
from coverslip.neuroglancer.marks import Kind, Mark
from coverslip.neuroglancer.precomputed import Files, Property, segment_properties
from coverslip.neuroglancer.precomputed.annotation_files import annotation_files
from coverslip.neuroglancer.precomputed.annotations import LIMIT
from coverslip.neuroglancer.scene import Place

LABEL = "label"
"""The column of a cell table with the number that an object has in the label images."""
CENTROIDS: tuple[tuple[str, ...], ...] = (
    ("centroid-1", "centroid-0", "centroid-2"),
    ("centroid_x", "centroid_y", "centroid_z"),
)
"""The columns with the place of an object along x, y and z: those of scikit-image's tables of planes, where 0 is y, and
spelt out. The last need not be there."""
TYPES: Mapping[Kind, str] = {
    "point": "POINT",
    "axis_aligned_bounding_box": "AXIS_ALIGNED_BOUNDING_BOX",
    "polyline": "LINE",
}
"""What each kind of mark is written as: a line through corners as one line from each to the next."""
EXACT = 1 << 53
LARGEST = 3.4028234663852886e38
"""The largest number of float32."""
MOST_WORDS = 10_000
"""Different words that are written beside marks."""

type Row = Mapping[str, Cell]


def space_of(metadata: ImageMetadata) -> dict[str, tuple[float, str]]:
    """Return scale and unit of x, y, z and t, as the state of an image that is no tomogram has them."""
    return {axis: scale_and_unit(metadata, axis) for axis in AXES}


def mark_files(kind: Kind, marks: Sequence[Mark], space: Mapping[str, Sequence[Any]]) -> Files:
    """Return marks of one kind as precomputed annotations; their words are the names of the property ``label``.

    Parameters
    ----------
    kind
        Marks of other kinds are left out.
    marks
        With a place along every dimension of the space.
    space
        Scale and unit of x, y, z and perhaps t.
    """
    chosen = [mark for mark in marks if mark.kind == kind]
    geometry: list[Sequence[tuple[float, ...]]] = []
    words: list[str] = []
    for mark in chosen:
        ends = list(zip(mark.points, mark.points[1:], strict=False)) if kind == "polyline" else [mark.points]
        geometry += ends
        words += [mark.description] * len(ends)
    count = 1 if kind == "point" else 2
    shape = (len(geometry), count, len(space))
    places = np.asarray(geometry, np.float64).reshape(shape)
    limit = max(1, len(places)) if kind == "axis_aligned_bounding_box" else LIMIT
    lengths = [float(space[axis][0]) for axis in "xyz"]
    sizes = [length / min(lengths) for length in lengths]
    named = _named(words)
    return annotation_files(
        TYPES[kind], places, named, sizes, None, is_sharded=True, limit=limit, dimensions=dict(space)
    )


def _named(words: Sequence[str]) -> list[Property]:
    names, which = np.unique(np.array(words, np.str_), return_inverse=True)
    if not any(words) or len(names) > MOST_WORDS:
        return []
    return [Property("label", "uint16", which.astype(np.uint16), labels=tuple(str(name) for name in names))]


def has_places(columns: Sequence[str]) -> bool:
    """Return whether a table of these columns says where its objects are."""
    return _centroid(columns) is not None


def places_of(rows: Sequence[Row]) -> tuple[Place, ...]:
    """Return where the objects of a cell table are, those that have a place; named by their label or their row."""
    names = _centroid(list(rows[0])) if rows else None
    if names is None:
        return ()
    found = []
    for number, row in enumerate(rows):
        x, y, z = (_number(row.get(name)) if name else 0.0 for name in names)
        if x is not None and y is not None and z is not None:
            label = row.get(LABEL)
            known = str(label) if isinstance(label, int) else f"row {number + 1}"
            found.append(Place(known, x, y, z, description=known))
    return tuple(found)


def properties_of(rows: Sequence[Row]) -> Files:
    """Return what a cell table says of the objects of a label image: its columns of numbers, each object once.

    A column where a number is missing is left out: Neuroglancer knows no gaps.
    """
    known: dict[int, Row] = {}
    for row in rows:
        label = row.get(LABEL)
        if isinstance(label, float) and label.is_integer():
            label = int(label)
        if isinstance(label, int) and 0 < label < 1 << 64:
            known.setdefault(label, row)
    numbers: dict[str, Any] = {}
    for name in rows[0] if rows else ():
        values = [value for row in known.values() if (value := _number(row.get(name))) is not None]
        if name != LABEL and values and len(values) == len(known):
            whole = all(isinstance(row[name], int) for row in known.values()) and max(map(abs, values)) < EXACT
            numbers[name] = np.array(values, np.int64 if whole else np.float64)
    return segment_properties(list(known), numbers=numbers)


def _centroid(columns: Sequence[str]) -> tuple[str, str, str] | None:
    for x, y, z in CENTROIDS:
        if x in columns and y in columns:
            return x, y, z if z in columns else ""
    return None


def _number(value: Cell) -> float | None:
    """Return a number that float32 has, or ``None``."""
    if not isinstance(value, int | float) or abs(value) > LARGEST or not math.isfinite(value):
        return None
    return float(value)
