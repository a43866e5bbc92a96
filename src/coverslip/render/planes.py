"""Projected planes, read in pieces that fit into little memory."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError
from coverslip.model import CanRead, Region
from coverslip.model.regions import Span
from coverslip.model.render import Axis, Projection
from coverslip.render.extremes import EXTREMES, extreme
from coverslip.render.project import measured, reducer
from coverslip.render.resample import Shrinker, enlarge
from coverslip.render.views import View, time_point

BAND_PIXELS = 64 << 20
"""Planes above this are read in bands of rows."""

BAND_ROWS = 512
"""Bands are multiples of this, so that tiles are seldom decoded twice."""

GROUP_PIXELS = 4 << 20
"""Slices are read together up to this many pixels when they are looked at from the side, or share blocks."""

MOST_PIXELS = 16 << 20
"""Slices that share blocks are unpacked more than once rather than held beyond this many pixels."""

MEDIAN_PIXELS = 32 << 20
"""Pixels a median holds at a time."""


def projection(
    image: CanRead, kind: Projection = "max", axis: Axis = 0, *, t: int | None = None, c: int = 0, level: int = 0
) -> NDArray[Any]:
    """Return one channel of one time point projected along an axis, unscaled.

    Parameters
    ----------
    image
        Anything that can be read.
    kind
        What becomes of the pixels along the axis; ``reducer`` says what exactly. Sums of a coarse level are scaled
        to the number of pixels at full resolution.
    axis
        0 is Z, 1 is Y, 2 is X.
    t
        Time point; ``None`` is the middle one.
    c
        Channel.
    level
        Pyramid level.

    Returns
    -------
    numpy.ndarray
        Shape Y, X for axis 0; Z, X for axis 1; Z, Y for axis 2 (and 3 colour samples, or none). The image's dtype
        for ``max`` and ``min`` (bool becomes uint8, complex its magnitude), floating for the others. Memory is
        bounded: two planes, or for the median, a band of rows through all slices.

    Raises
    ------
    RegionError
        The time point, channel or level does not exist.
    ReadError
        The file does not give the pixels.
    """
    meta = image.metadata
    for name, chosen, length in (("channel", c, meta.size_c), ("level", level, len(meta.levels))):
        if not 0 <= chosen < length:
            raise RegionError(f"{name} {chosen} does not exist; there are {length}")
    size, first = meta.levels[level], meta.levels[0]
    lengths, full = (size.size_z, size.size_y, size.size_x), (first.size_z, first.size_y, first.size_x)
    z, y, x = ((0, length) for length in lengths)
    view = View(level, time_point(meta, t), axis, z, y, x, kind, full[axis] / lengths[axis], (1, 1))
    found = list(bands(image, view, c))
    return found[0] if len(found) == 1 else np.concatenate(found)


def plane(image: CanRead, view: View, c: int) -> NDArray[Any]:
    """Return one channel of a view, projected and resampled to its target: Y, X (and 3 colour samples), real numbers.

    What is smaller than the target is enlarged by repeating pixels.
    """
    rows, columns = view.source
    shrinker = Shrinker(view.source, (min(rows, view.target[0]), min(columns, view.target[1])))
    for band in bands(image, view, c):
        shrinker.add(band)
    return enlarge(shrinker.result(), view.target)


def bands(image: CanRead, view: View, c: int) -> Iterator[NDArray[Any]]:
    """Yield the projected box of a view from top to bottom: rows, columns (and 3 colour samples), real numbers."""
    ways = (_along_z, _along_y, _along_x)
    for band in ways[view.axis](image, view, c):
        yield band * view.scale if view.kind == "sum" and view.scale != 1 else band


def _along_z(image: CanRead, view: View, c: int) -> Iterator[NDArray[Any]]:
    depth, width = view.z[1] - view.z[0], view.x[1] - view.x[0]
    rows, together = _blocks(image, view)
    if view.kind == "median":
        rows = min(rows, max(1, MEDIAN_PIXELS // (depth * width)))
    for y in _pieces(view.y, rows):
        slices = list(_pieces(view.z, together))
        compared = EXTREMES.get(_kind(view))
        if compared is not None:
            yield extreme(image, compared, slices, partial(_stored_again, image, view, c, y))
            continue
        reduced = reducer(_kind(view))
        for z in slices:
            reduced.add(_read(image, view, c, (z, y, view.x)), 0)
        yield reduced.result()


def _along_y(image: CanRead, view: View, c: int) -> Iterator[NDArray[Any]]:
    height, width = view.y[1] - view.y[0], view.x[1] - view.x[0]
    rows, columns = min(_rows(width), height), width
    if view.kind == "median":  # wants whole columns at once
        rows, columns = height, max(1, MEDIAN_PIXELS // height)
    for z in _pieces(view.z, max(1, GROUP_PIXELS // (height * width))):
        parts = []
        for x in _pieces(view.x, columns):
            reduced = reducer(_kind(view))
            for y in _pieces(view.y, rows):
                reduced.add(_read(image, view, c, (z, y, x)), 1)
            parts.append(reduced.result())
        yield np.concatenate(parts, axis=1)


def _along_x(image: CanRead, view: View, c: int) -> Iterator[NDArray[Any]]:
    height, width = view.y[1] - view.y[0], view.x[1] - view.x[0]
    for z in _pieces(view.z, max(1, GROUP_PIXELS // (height * width))):
        parts = []
        for y in _pieces(view.y, _rows(width)):
            reduced = reducer(_kind(view))
            reduced.add(_read(image, view, c, (z, y, view.x)), 2)
            parts.append(reduced.result())
        yield np.concatenate(parts, axis=1)


def _kind(view: View) -> Projection:
    return "max" if view.kind == "auto" else view.kind


def _rows(width: int) -> int:
    """Return how many rows of a plane are read at a time."""
    rows = BAND_PIXELS // width
    return max(1, rows - rows % BAND_ROWS if rows > BAND_ROWS else rows)


def _blocks(image: CanRead, view: View) -> tuple[int, int]:
    """Return how many rows of how many slices are read at a time, so that no block of the file is unpacked twice."""
    width = view.x[1] - view.x[0]
    stated = getattr(image, "chunk", None)
    _, _, depth, height, _ = (1, 1, 1, 1, 1) if stated is None else stated(view.level)
    if depth == 1:
        return _rows(width), 1
    rows = max(height, GROUP_PIXELS // (depth * width) // height * height)
    return rows, max(1, min(depth, MOST_PIXELS // (rows * width)))


def _pieces(span: Span, step: int) -> Iterator[Span]:
    """Yield a range in pieces."""
    start, stop = span
    for first in range(start, stop, step):
        yield first, min(first + step, stop)


def _read(image: CanRead, view: View, c: int, box: tuple[Span, Span, Span]) -> NDArray[Any]:
    """Return a box as real numbers: Z, Y, X (and 3 colour samples)."""
    return measured(_stored(image, view, c, box))


def _stored_again(
    image: CanRead, view: View, c: int, y: Span, z: Span, held: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return a box as it is in the file, in memory that was used for the last one where that fits, and that memory."""
    fill = getattr(image, "read_into", None)
    if fill is None:
        return _stored(image, view, c, (z, y, view.x)), None
    region = Region(t=(view.t, view.t + 1), c=(c, c + 1), z=z, y=y, x=view.x)
    samples = (image.metadata.samples,) if image.metadata.samples > 1 else ()
    shape = (*region.shape, *samples)
    if held is None or held.shape != shape:
        held = np.empty(shape, image.metadata.dtype)
    fill(held, view.level, region)
    return _shown_samples(image, held[0, 0]), held


def _stored(image: CanRead, view: View, c: int, box: tuple[Span, Span, Span]) -> NDArray[Any]:
    """Return a box as it is in the file: Z, Y, X (and 3 colour samples)."""
    z, y, x = box
    region = Region(t=(view.t, view.t + 1), c=(c, c + 1), z=z, y=y, x=x)
    return _shown_samples(image, image.read(view.level, region)[0, 0])


def _shown_samples(image: CanRead, pixels: NDArray[Any]) -> NDArray[Any]:
    """Return three colour samples, or none: no alpha, no second of two."""
    if image.metadata.samples >= 3:
        return pixels[..., :3]
    if image.metadata.samples == 2:
        return pixels[..., 0]
    return pixels
