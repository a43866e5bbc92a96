"""Which pixels an item shows: half-open rectangles, in pixels of the image at full resolution."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from coverslip.errors import OutsideImageError
from coverslip.model.rois import Roi


class Window(NamedTuple):
    """A rectangle from its first pixel to the one after its last; it may reach beyond the image."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0


def whole(size: tuple[int, int]) -> Window:
    """Return all of an image of so many rows and columns."""
    return Window(0, 0, size[1], size[0])


def around(center_xy: tuple[float, float], size_px: int | tuple[int, int]) -> Window:
    """Return the window of a crop around a place.

    The centre is rounded, halves to the even number, and the window reaches ``max(1, size // 2)`` to both sides: it
    has an even number of pixels, 128 where 129 are asked for.

    Parameters
    ----------
    center_xy
        Pixels.
    size_px
        Width and height, or one number for both.

    Raises
    ------
    OutsideImageError
        The centre is not a finite place, or the size is not positive.
    """
    width, height = (size_px, size_px) if isinstance(size_px, int) else size_px
    if not all(map(math.isfinite, center_xy)) or width < 1 or height < 1:
        raise OutsideImageError(f"a crop of {width} x {height} pixels around {center_xy} is no part of an image")
    (x, y), (across, down) = map(round, center_xy), (max(1, width // 2), max(1, height // 2))
    return Window(x - across, y - down, x + across, y + down)


def of_roi(roi: Roi, grow: int = 0) -> Window:
    """Return the pixels that a region touches: its edges rounded away from its middle.

    Parameters
    ----------
    roi
        In pixels of the image at full resolution.
    grow
        Pixels added to every side, or taken away where it is negative.

    Raises
    ------
    OutsideImageError
        The region has no edges, or no area.
    """
    edges = roi.bounds
    name = roi.name or roi.roi_id
    if edges is None:
        raise OutsideImageError(f"region {name!r} has no edges: neither x_min, x_max, y_min and y_max nor a shape")
    left, upper, right, lower = edges
    if right <= left or lower <= upper:
        raise OutsideImageError(f"region {name!r} has no area: {left} to {right} by {upper} to {lower}")
    window = Window(math.floor(left) - grow, math.floor(upper) - grow, math.ceil(right) + grow, math.ceil(lower) + grow)
    if window.width <= 0 or window.height <= 0:
        raise OutsideImageError(f"nothing is left of region {name!r} when {-grow} pixels are taken from every side")
    return window


def around_box(box: Window, padding: int = 0, *, smallest: int = 1, largest: int | None = None) -> Window:
    """Return the window of a crop around an object: its bounding box with a margin, within limits of size.

    Parameters
    ----------
    box
        Of the object, see ``cells.label_boxes``.
    padding
        Pixels added to every side.
    smallest, largest
        Limits of width and height; what is too small or too large keeps its middle, halves to the left and top.
    """

    def span(first: int, last: int) -> tuple[int, int]:
        length = max(smallest, last - first + 2 * padding)
        length = length if largest is None else min(length, largest)
        start = (first + last - length) // 2
        return start, start + length

    (x0, x1), (y0, y1) = span(box.x0, box.x1), span(box.y0, box.y1)
    return Window(x0, y0, x1, y1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of a picture come from along both axes."""

    asked: Window
    """As asked for."""
    inside: Window
    """Its part that lies in the image."""
    step: int
    shape: tuple[int, int]
    """Rows and columns of the picture that come from the image."""
    offset: tuple[int, int]
    """Row and column of the first of them in the padded picture."""
    full: tuple[int, int]
    """Rows and columns of the picture with what is filled."""
    start: tuple[int, int]
    """Row and column of the image that the first of them begins at; before the image where it is cut there."""

    def part(self, rows: tuple[int, int], columns: tuple[int, int]) -> "Grid":
        """Return some rows and columns of ``shape``, each from its first to the one after its last."""
        y0, y1 = (self.start[0] + self.step * row for row in rows)
        x0, x1 = (self.start[1] + self.step * column for column in columns)
        held = self.inside
        inside = Window(max(held.x0, x0), max(held.y0, y0), min(held.x1, x1), min(held.y1, y1))
        shape = rows[1] - rows[0], columns[1] - columns[0]
        return Grid(Window(x0, y0, x1, y1), inside, self.step, shape, (0, 0), shape, (y0, x0))


def grid(window: Window, size: tuple[int, int], step: int, *, pad: bool, name: str) -> Grid:
    """Return how a window of an image becomes a picture.

    Parameters
    ----------
    window
        As asked for.
    size
        Rows and columns of the image.
    step
        Pixels of the image along one side of a pixel of the picture.
    pad
        Whether what lies outside is part of the picture. Without, the picture is smaller at an edge.
    name
        Of the field of view, for messages.

    Raises
    ------
    OutsideImageError
        No pixel of the window lies in the image.
    """
    height, width = size
    inside = Window(max(0, window.x0), max(0, window.y0), min(width, window.x1), min(height, window.y1))
    if inside.width <= 0 or inside.height <= 0:
        raise OutsideImageError(
            f"{window.x0}:{window.x1} x {window.y0}:{window.y1} lies outside {name!r}, "
            f"which has {width} x {height} pixels"
        )
    asked = window if pad else inside
    first = (inside.y0 - asked.y0) // step, (inside.x0 - asked.x0) // step
    last = -((asked.y0 - inside.y1) // step), -((asked.x0 - inside.x1) // step)
    return Grid(
        asked=asked,
        inside=inside,
        step=step,
        shape=(last[0] - first[0], last[1] - first[1]),
        offset=first,
        full=(-(-asked.height // step), -(-asked.width // step)),
        start=(asked.y0 + first[0] * step, asked.x0 + first[1] * step),
    )
