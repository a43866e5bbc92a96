"""Regions of interest: a table of named, tagged rectangles, polygons and lines."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from coverslip.model.metadata import Finite, Frozen

RoiKind = Literal["", "view", "line"]
"""A rectangle drawn as such, the part of an image that was on screen, or a line or polygon with its surroundings."""
MAX_POINTS = 100_000

Coordinate = Annotated[Finite, Field(ge=-1e9, le=1e9)]
Tag = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^,\r\n]+$")]
PADDING, SMALLEST = 4.0, 8.0
"""Pixels around a line, and the least width and height of the rectangle around it: a line alone has no area."""
LEAST = 1.0
"""The least width and height of the rectangle around a polygon."""


class RoiShape(Frozen):
    """An outline or a line in pixels of the image at full resolution, x before y."""

    type: Literal["polygon", "polyline"] = "polygon"
    points: Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(min_length=2, max_length=MAX_POINTS)]

    @property
    def closed(self) -> bool:
        """Whether the last point is joined to the first."""
        return self.type == "polygon"

    def around(self) -> tuple[float, float, float, float]:
        """Return left, upper, right and lower edge of the rectangle around it; around a line there is some room."""
        edges = []
        room, least = (0.0, LEAST) if self.closed else (PADDING, SMALLEST)
        for values in zip(*self.points, strict=True):
            low, high = min(values) - room, max(values) + room
            short = max(0.0, least - (high - low)) / 2
            edges.append((low - short, high + short))
        return edges[0][0], edges[1][0], edges[0][1], edges[1][1]

    @model_validator(mode="after")
    def _check(self) -> "RoiShape":
        if self.closed and len(self.points) < 3:
            raise ValueError("a polygon has at least three corners")
        return self


class Roi(Frozen):
    """One region. Coordinates are pixels of the image at full resolution; 0, 0 is the corner of the first pixel."""

    roi_id: Annotated[str, Field(min_length=1, max_length=256)]
    name: str = ""
    fov: str = ""
    """The field of view; empty for a region of a map."""
    map_id: str = ""
    """The map; empty for a region of one field of view."""
    x_min: Coordinate | None = None
    """Left edge. The four edges are known together or not at all."""
    x_max: Coordinate | None = None
    y_min: Coordinate | None = None
    y_max: Coordinate | None = None
    zoom: Finite = 1.0
    marker_set: str = ""
    """Name of a saved marker set, ``""``, or ``current:`` and names of channels."""
    tags: tuple[Tag, ...] = ()
    annotation_palette: str = ""
    mask_color_set: str = ""
    mask_visibility: dict[str, bool] = Field(default_factory=dict)
    mask_painter_state: str = ""
    """JSON, kept as it is."""
    comment: str = ""
    roi_kind: RoiKind = ""
    shape: RoiShape | None = None
    created_at: str = ""
    updated_at: str = ""

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """Left, upper, right and lower edge, or those around the shape; ``None`` where neither is known."""
        if self.x_min is not None and self.x_max is not None and self.y_min is not None and self.y_max is not None:
            return self.x_min, self.y_min, self.x_max, self.y_max
        return None if self.shape is None else self.shape.around()
