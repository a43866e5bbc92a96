"""Many frames become one: the middle, mean, largest value or spread of every pixel over a range of frames."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError
from coverslip.model import CanRead, ImageMetadata, Level, Region
from coverslip.model.annotations import Box, Frames
from coverslip.model.regions import Span
from coverslip.render.median import median_of_frames
from coverslip.render.project import measured, reducer

Statistic = Literal["median", "mean", "max", "std"]
"""What becomes of each pixel over the frames."""
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

BLOCK_BYTES = 256 << 20
"""Memory for the frames of a block: all of them for a median, one and three sums for the others."""
SUM_BYTES = 32
"""Bytes a pixel takes while frames are added up one by one."""


class CombinedImage:
    """A range of frames of an image as an image of one frame, made of the pixels when they are read.

    Frames along t are those of the middle slice, frames along z those of the middle time point, at full resolution.
    ``median`` is the middle value in the image's own type, of an even number of frames the mean of the middle two,
    which integers round to the nearest, halves to even. ``max`` keeps the type too; ``mean`` and ``std`` (of the
    population: divided by the number of frames) are float64. NaN is no measurement and is left out.

    Parameters
    ----------
    image
        Anything that can be read.
    frames
        Which frames, both ends included.
    box
        The rectangle that is kept; ``None`` is all of it.
    statistic
        What becomes of each pixel.
    block_bytes
        Memory for pixels; larger images are read in blocks of rows, wider ones in blocks of columns too.

    Raises
    ------
    RegionError
        The image does not have these frames, or the box lies outside.
    """

    def __init__(
        self,
        image: CanRead,
        frames: Frames,
        box: Box | None = None,
        *,
        statistic: Statistic = "median",
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        check_fit(image.metadata, frames, box)
        meta = image.metadata
        self._image = image
        self._frames = frames
        self._statistic = statistic
        self._block_bytes = block_bytes
        self._corner = (0, 0) if box is None else (box.y, box.x)
        rows, columns = (meta.size_y, meta.size_x) if box is None else (box.height, box.width)
        size = {"size_z": 1, "size_y": rows, "size_x": columns}
        is_float = statistic in {"mean", "std"}
        only = {"size_t": 1, "levels": (Level(**size),), "dtype": "float64" if is_float else _real(meta.dtype)}
        self.metadata: ImageMetadata = meta.model_copy(update={**size, **only})

    def read(self, level: int, region: Region) -> NDArray[Any]:
        """Return pixels of the one level there is, T, C, Z, Y, X (and S).

        Raises
        ------
        RegionError
            They lie outside.
        ReadError
            The file does not give the pixels.
        """
        meta = self.metadata
        box = region.resolve(meta.level_shape(level))
        _, c, _, y, x = box.spans
        samples = (meta.samples,) if meta.samples > 1 else ()
        found = np.empty((*box.shape, *samples), meta.dtype)
        rows, columns = self._block(x[1] - x[0])
        for channel in range(*c):
            for top in range(*y, rows):
                bottom = min(top + rows, y[1])
                for left in range(*x, columns):
                    right = min(left + columns, x[1])
                    place = (0, channel - c[0], 0, slice(top - y[0], bottom - y[0]), slice(left - x[0], right - x[0]))
                    found[place] = self._combined(channel, (top, bottom), (left, right))
        return found

    def _block(self, width: int) -> tuple[int, int]:
        """Return how many rows and columns are combined at a time."""
        meta = self._image.metadata
        each = len(self._frames) * max(1, np.dtype(meta.dtype).itemsize) if self._statistic == "median" else SUM_BYTES
        pixels = max(1, self._block_bytes // (each * meta.samples))
        return max(1, pixels // width), min(width, pixels)

    def _combined(self, c: int, y: Span, x: Span) -> NDArray[Any]:
        """Return a block of one channel, combined: Y, X (and S)."""
        top, left = self._corner
        rows, columns = (y[0] + top, y[1] + top), (x[0] + left, x[1] + left)
        frames = self._frames
        numbers = range(frames.first, frames.last + 1)
        if self._statistic != "median":
            reduced = reducer(self._statistic)
            for number in numbers:
                reduced.add(self._frame(number, c, rows, columns)[np.newaxis], 0)
            return reduced.result()
        first = self._frame(frames.first, c, rows, columns)
        block = np.empty((len(frames), *first.shape), first.dtype)
        block[0] = first
        for place, number in enumerate(numbers[1:], 1):
            block[place] = self._frame(number, c, rows, columns)
        return median_of_frames(block)

    def _frame(self, number: int, c: int, y: Span, x: Span) -> NDArray[Any]:
        """Return the pixels of one frame as real numbers: Y, X (and S)."""
        meta = self._image.metadata
        t, z = (number, meta.size_z // 2) if self._frames.axis == "t" else (meta.size_t // 2, number)
        region = Region(t=(t, t + 1), c=(c, c + 1), z=(z, z + 1), y=y, x=x)
        return measured(self._image.read(0, region)[0, 0, 0])


def check_fit(meta: ImageMetadata, frames: Frames, box: Box | None) -> None:
    """Refuse frames and boxes that lie outside an image.

    Raises
    ------
    RegionError
        Says what the image has and what was wanted.
    """
    count = meta.size_t if frames.axis == "t" else meta.size_z
    if frames.last >= count:
        raise RegionError(
            f"frames {frames.first} to {frames.last} along {frames.axis} do not fit the image any more: it has "
            f"{count} now, counted from 0. Move the boundaries of the annotation"
        )
    if box is not None and (box.x + box.width > meta.size_x or box.y + box.height > meta.size_y):
        raise RegionError(
            f"the box of {box.width} x {box.height} pixels at {box.x}, {box.y} does not fit the image any more: it has "
            f"{meta.size_x} x {meta.size_y} pixels now. Move the box of the annotation"
        )


def _real(dtype: str) -> str:
    """Return the type of real numbers that pixels of a type are compared as."""
    return measured(np.zeros((1, 1), dtype)).dtype.name
