"""A picture with what is drawn on and around it: marks are values, so that SVG and PDF draw them as vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.render.export.composite import rgb
from coverslip.render.export.regions import Window
from coverslip.render.export.text import BOLD, REGULAR, ascent, text_mask
from coverslip.render.scale_bar import Bar

MAX_PATH = 32_000
"""OpenCV counts pixels of lines in 16 bits; a longer path is not drawn into rasters."""
Anchor = Literal["start", "middle", "end"]
PRESSED = 1 << 20
"""Pixels that are blended at a time."""
CAP_HEIGHT = 0.7
"""Of capitals and digits, as a part of the font size: OpenCV's typeface and Helvetica differ by a hundredth."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; whole pixels of the canvas."""

    x: int
    y: int
    width: int
    height: int
    color: str
    alpha: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text."""

    x: float
    """Left end, middle or right end, as ``anchor`` says."""
    y: int
    """Upper edge of the line."""
    text: str
    size: float
    """Height of the font in pixels; the line is ``line_height(size)`` high."""
    color: str
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A small picture, such as the colours of a ramp."""

    x: int
    y: int
    pixels: NDArray[np.uint8]
    """Shape Y, X, 3."""


@dataclass(frozen=True, slots=True)
class Path:
    """A line through some points; places on the canvas, 0, 0 is the corner of the first pixel."""

    points: tuple[tuple[float, float], ...]
    """x before y."""
    width: float
    color: str
    closed: bool = False


type Mark = Rect | Text | Raster | Path


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One item of an export, ready to be written."""

    pixels: NDArray[np.uint8]
    """The picture alone: shape Y, X, 3."""
    width: int
    """Of the canvas, in pixels."""
    height: int
    at: tuple[int, int] = (0, 0)
    """Column and row of the picture's corner on the canvas."""
    paper: str = "#ffffff"
    """Colour of the canvas."""
    marks: tuple[Mark, ...] = ()
    """In the order they are drawn; places on the canvas."""
    bar: Bar | None = None
    """The scale bar; it is among the marks too."""
    pixel_um: tuple[float, float] | None = None
    """Height and width of a pixel of the picture in micrometres."""
    window: Window | None = None
    """The pixels of the image that are shown, with what is filled."""
    dpi: float = 300.0
    notes: tuple[str, ...] = ()
    """What was asked for and is not there, and why."""

    def with_marks(self, *marks: Mark) -> "Figure":
        """Return the figure with further marks on top."""
        return replace(self, marks=(*self.marks, *marks))


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """A mark as pixels: a colour, or colours, and how much of each pixel they cover."""

    x: int
    y: int
    color: NDArray[np.float32]
    """Shape 3, or Y, X, 3; 0 to 255."""
    cover: NDArray[np.float32] | NDArray[np.uint8]
    """Shape Y, X; 0 to 1, or 0 to 255."""

    def press(self, canvas: NDArray[np.uint8], x: int = 0, y: int = 0) -> None:
        """Draw it on a part of the canvas in place; ``x`` and ``y`` are the corner of that part."""
        top, left = max(self.y, y), max(self.x, x)
        bottom = min(self.y + self.cover.shape[0], y + canvas.shape[0])
        right = min(self.x + self.cover.shape[1], x + canvas.shape[1])
        if top >= bottom or left >= right:
            return
        step = max(1, PRESSED // (right - left))
        for first in range(top, bottom, step):
            last = min(bottom, first + step)
            own = slice(first - self.y, last - self.y), slice(left - self.x, right - self.x)
            place = canvas[first - y : last - y, left - x : right - x]
            cover = self.cover[own][..., None]
            if cover.dtype == np.uint8:
                cover = cover.astype(np.float32) / np.float32(255)
            color = self.color if self.color.ndim == 1 else self.color[own]
            place[:] = np.rint(place * (1 - cover) + color * cover)


def line_height(size: float) -> int:
    """Return the height of a line of text, in pixels."""
    return max(1, round(1.25 * size))


def baseline(size: float) -> float:
    """Return how far below the upper edge of a line its letters stand: capitals are in the middle of the line."""
    return (line_height(size) + CAP_HEIGHT * size) / 2


def flatten(figure: Figure) -> NDArray[np.uint8]:
    """Return a figure as one picture: uint8 of shape Y, X, 3, with everything drawn."""
    height, width = figure.pixels.shape[:2]
    if figure.at == (0, 0) and (figure.height, figure.width) == (height, width):
        canvas = figure.pixels.copy() if figure.marks else figure.pixels
    else:
        canvas = np.empty((figure.height, figure.width, 3), np.uint8)
        canvas[:] = list(bytes.fromhex(figure.paper[1:]))
        x, y = figure.at
        canvas[y : y + height, x : x + width] = figure.pixels
    for stamp in stamps(figure.marks, (figure.height, figure.width)):
        stamp.press(canvas)
    return canvas


def stamps(marks: Sequence[Mark], size: tuple[int, int]) -> Iterator[Stamp]:
    """Yield marks as pixels, in their order; of paths the part on a canvas of so many rows and columns."""
    for mark in marks:
        if isinstance(mark, Rect):
            cover = np.full((mark.height, mark.width), mark.alpha, np.float32)
            yield Stamp(mark.x, mark.y, _color(mark.color), cover)
        elif isinstance(mark, Path):
            yield from _drawn(mark, size)
        elif isinstance(mark, Raster):
            cover = np.ones(mark.pixels.shape[:2], np.float32)
            yield Stamp(mark.x, mark.y, mark.pixels.astype(np.float32), cover)
        else:
            mask = text_mask(mark.text, mark.size, BOLD if mark.bold else REGULAR)
            cover = mask.astype(np.float32) / np.float32(255)
            width = cover.shape[1]
            left = {"start": mark.x, "middle": mark.x - width / 2, "end": mark.x - width}[mark.anchor]
            top = mark.y + round(baseline(mark.size)) - ascent(mark.size)
            yield Stamp(round(left), top, _color(mark.color), cover)


def _drawn(path: Path, size: tuple[int, int]) -> Iterator[Stamp]:
    """Yield a path as pixels, with soft edges; nothing where it does not touch the canvas."""
    places = np.array(path.points, np.float64)
    rim = path.width + 2
    low, high = np.floor(places.min(axis=0) - rim), np.ceil(places.max(axis=0) + rim)
    if max(high - low) > MAX_PATH:
        return
    low, high = np.maximum(low, 0), np.minimum(high, size[::-1])
    width, height = (high - low).astype(int)
    if min(width, height) <= 0:
        return
    cover = np.zeros((height, width), np.uint8)
    # OpenCV counts from the middle of a pixel, in 1/16 of it
    fine = np.rint((places - low - 0.5) * 16).astype(np.int32)
    cv2.polylines(cover, [fine], path.closed, 255, max(1, round(path.width)), cv2.LINE_AA, 4)
    yield Stamp(int(low[0]), int(low[1]), _color(path.color), cover)


def _color(color: str) -> NDArray[np.float32]:
    return np.array(rgb(color), np.float32) * 255
