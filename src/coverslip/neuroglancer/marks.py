"""What people marked in an image, and cells, as annotations of Neuroglancer.

Format: the ``annotations`` of an annotation layer, https://neuroglancer-docs.web.app/json/api/annotation.html. Pixels
of an OME-Zarr have their centres at whole numbers there; those of ``model.annotations`` have them half a pixel later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from coverslip.model import ImageMetadata
from coverslip.model.annotations import Annotation, Polygon
from coverslip.neuroglancer.scene import Place

Kind = Literal["point", "axis_aligned_bounding_box", "polyline"]

INLINE = 1000
"""Most annotations that a state holds of one layer; more are read from elsewhere."""
OUTLINES = 32
"""Most frames in which the outline of one polygon is drawn."""
DESCRIPTION = 500
"""Characters of the words of an annotation that are shown."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One annotation of Neuroglancer: a point, two corners of a box, or the corners of a line."""

    id: str
    kind: Kind
    points: tuple[tuple[float, ...], ...]
    """X, Y, Z (and T), in pixels whose centres are whole numbers."""
    description: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as a state holds it."""
        places = [list(point) for point in self.points]
        words = {"description": self.description} if self.description else {}
        if self.kind == "point":
            return {"type": self.kind, "id": self.id, "point": places[0], **words}
        if self.kind == "polyline":
            return {"type": self.kind, "id": self.id, "points": places, **words}
        return {"type": self.kind, "id": self.id, "pointA": places[0], "pointB": places[1], **words}


def marks_of(annotations: Sequence[Annotation], metadata: ImageMetadata, axes: str) -> tuple[Mark, ...]:
    """Return all annotations as marks: what is not limited to some frames reaches through all of the other axis.

    A box, or the whole image where nothing is outlined, becomes a box over its frames. A point becomes a point, or a
    box of one pixel where it is in several frames. A polygon becomes its outline in each of its frames, or in 32 of
    them, and in the middle of the other axis.

    Parameters
    ----------
    annotations
        Of one image; deleted ones are left out.
    metadata
        Of the image.
    axes
        Dimensions of the state: ``"xyz"`` or ``"xyzt"``.
    """
    kept = sorted((one for one in annotations if one.deleted_at is None), key=lambda one: one.id)
    return tuple(mark for one in kept for mark in _marks(one, metadata, axes))


def cell_marks(places: Sequence[Place], axes: str) -> tuple[Mark, ...]:
    """Return cells as points, in the order of their ids."""
    kept = sorted(places, key=lambda place: (len(place.id), place.id))
    return tuple(
        Mark(place.id, "point", ((place.x, place.y, place.z, place.t)[: len(axes)],), place.description[:DESCRIPTION])
        for place in kept
    )


def _marks(one: Annotation, metadata: ImageMetadata, axes: str) -> Iterator[Mark]:
    words = " ".join(part for part in (one.label, one.text) if part)[:DESCRIPTION]
    spans = {"z": (0, metadata.size_z - 1), "t": (0, metadata.size_t - 1)}
    if one.frames.axis in axes:
        length = spans[one.frames.axis][1]
        spans[one.frames.axis] = (min(one.frames.first, length), min(one.frames.last, length))
    behind = [spans[axis] for axis in axes[2:]]
    number = 0
    if one.box is not None or not one.shapes:
        left, top = (one.box.x, one.box.y) if one.box else (0, 0)
        width, height = (one.box.width, one.box.height) if one.box else (metadata.size_x, metadata.size_y)
        yield _box(one.id, (left, top, left + width, top + height), behind, words)
    for shape in one.shapes:
        places = [(point.x - 0.5, point.y - 0.5) for point in shape.points]
        found = _outlines(places, axes, spans, one) if isinstance(shape, Polygon) else _places(places, behind)
        for kind, points in found:
            number += 1
            yield Mark(f"{one.id}.{number}", kind, points, words)


def _box(id_: str, edges: tuple[int, int, int, int], behind: Sequence[tuple[int, int]], words: str) -> Mark:
    low = (edges[0] - 0.5, edges[1] - 0.5, *(first - 0.5 for first, _ in behind))
    high = (edges[2] - 0.5, edges[3] - 0.5, *(last + 0.5 for _, last in behind))
    return Mark(id_, "axis_aligned_bounding_box", (low, high), words)


type _Drawn = Iterator[tuple[Kind, tuple[tuple[float, ...], ...]]]


def _places(places: Sequence[tuple[float, float]], behind: Sequence[tuple[int, int]]) -> _Drawn:
    for x, y in places:
        if all(first == last for first, last in behind):
            yield "point", ((x, y, *(float(first) for first, _ in behind)),)
        else:
            low = (x - 0.5, y - 0.5, *(first - 0.5 for first, _ in behind))
            high = (x + 0.5, y + 0.5, *(last + 0.5 for _, last in behind))
            yield "axis_aligned_bounding_box", (low, high)


def _outlines(
    places: Sequence[tuple[float, float]], axes: str, spans: dict[str, tuple[int, int]], one: Annotation
) -> _Drawn:
    closed = [*places, places[0]]
    along = one.frames.axis if one.frames.axis in axes else "z"
    first, last = spans[along]
    count = min(last - first + 1, OUTLINES)
    for frame in np.unique(np.rint(np.linspace(first, last, count)).astype(int)).tolist():
        middle = {axis: float(frame) if axis == along else float(sum(spans[axis]) // 2) for axis in axes[2:]}
        yield "polyline", tuple((x, y, *middle.values()) for x, y in closed)
