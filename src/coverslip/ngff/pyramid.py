"""The pyramid of an image as OME-Zarr shows it: its own levels, then area means of the coarsest one, made when read."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.model import CanRead, ImageMetadata, Region
from coverslip.ngff.means import area_means, last_area_mean, nearest

SMALLEST = 256
"""Levels are added until neither side is larger, so that any viewer can show the whole image in one chunk."""
BLOCK_VALUES = 1 << 22
"""Source pixels of a virtual level held in memory at a time."""

type Shape = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class PyramidLevel:
    """One level of the pyramid."""

    shape: Shape
    """T, C, Z, Y, X; C counts every colour sample as a channel of its own."""
    source: int
    """The image's own level it is read from."""
    halvings: int
    """How often the source is halved along Y and X; 0 for the image's own levels."""
    factors: tuple[float, float, float]
    """Pixels of level 0 per pixel of this one along Z, Y, X."""


def plan_levels(metadata: ImageMetadata) -> tuple[PyramidLevel, ...]:
    """Return all levels, finest first: those the file has, then virtual ones down to ``SMALLEST`` pixels.

    Virtual levels are halved along Y and X, never along Z: the planes a person leafs through stay the same ones.
    """
    counts = (metadata.size_t, metadata.size_c * metadata.samples)
    own = []
    for number, level in enumerate(metadata.levels):
        size = (level.size_z, level.size_y, level.size_x)
        full = (metadata.size_z, metadata.size_y, metadata.size_x)
        z, y, x = (_factor(large, small) for large, small in zip(full, size, strict=True))
        own.append(PyramidLevel((*counts, *size), number, 0, (z, y, x)))
    base = own[-1]
    levels = own
    while max(levels[-1].shape[-2:]) > SMALLEST:
        levels = [*levels, _halved(base, levels[-1].halvings + 1)]
    return tuple(levels)


def _halved(base: PyramidLevel, times: int) -> PyramidLevel:
    t, c, z, y, x = base.shape
    # a side of one pixel is not halved any more: its pixel does not grow
    up, along = (1 << min(times, (length - 1).bit_length()) for length in (y, x))
    side = 1 << times
    factors = (base.factors[0], base.factors[1] * up, base.factors[2] * along)
    return PyramidLevel((t, c, z, -(-y // side), -(-x // side)), base.source, times, factors)


def _factor(full: int, small: int) -> float:
    """Return the reduction between two levels; whole where the smaller size is a quotient rounded down or up."""
    whole = max(1, round(full / small))
    return float(whole) if small in (full // whole, -(-full // whole)) else full / small


class Pyramid:
    """Reads any level of the pyramid of an image.

    Parameters
    ----------
    image
        Whose pyramid. Reads of several threads are as safe as the image's own.
    is_labels
        Whether its pixels name objects: virtual levels then have the nearest pixel, never a mean.
    """

    def __init__(self, image: CanRead, *, is_labels: bool = False) -> None:
        self.image = image
        self._is_labels = is_labels
        self._reduce = nearest if is_labels else last_area_mean
        self.metadata = image.metadata
        self.dtype: np.dtype[Any] = np.dtype(self.metadata.dtype)
        self.levels = plan_levels(self.metadata)

    def read(self, level: int, region: Region) -> NDArray[Any]:
        """Return the pixels of a region of one level.

        Parameters
        ----------
        level
            Index into ``levels``.
        region
            In pixels of that level; C counts colour samples.

        Returns
        -------
        numpy.ndarray
            Shape T, C, Z, Y, X, dtype ``dtype``.

        Raises
        ------
        RegionError
            The region lies outside the level.
        ReadError
            The file does not give these pixels.
        """
        plan = self.levels[level]
        box = region.resolve(plan.shape)
        return self._averaged(plan, box) if plan.halvings else self._own(plan.source, box)

    def halved(self, pixels: NDArray[Any], steps: int) -> Iterator[NDArray[Any]]:
        """Yield pixels halved once, twice and so on up to ``steps`` times, as ``read`` gives them in virtual levels.

        Parameters
        ----------
        pixels
            Shape T, C, Z, Y, X. Their first row and column begin a block.
        steps
            How many halvings.
        """
        if self._is_labels:
            yield from (nearest(pixels, step) for step in range(1, steps + 1))
        else:
            yield from area_means(pixels, steps)

    def _own(self, level: int, box: Region) -> NDArray[Any]:
        """Read a level that the file has, its colour samples as channels."""
        t, c, z, y, x = box.spans
        samples = self.metadata.samples
        if samples == 1:
            return self.image.read(level, box)
        first, last = c[0] // samples, -(-c[1] // samples)
        pixels = np.moveaxis(self.image.read(level, Region(t, (first, last), z, y, x)), -1, 2)
        flat = pixels.reshape(pixels.shape[0], -1, *pixels.shape[3:])
        return flat[:, c[0] - first * samples : c[1] - first * samples]

    def _averaged(self, plan: PyramidLevel, box: Region) -> NDArray[Any]:
        """Average the source tile by tile; tiles begin and end with whole blocks, so no mean is ever split."""
        t, c, z, y, x = box.spans
        side = 1 << plan.halvings
        *_, height, width = self.levels[plan.source].shape
        row = max(1, math.prod(box.shape[:3])) * side * side
        columns = max(1, min(x[1] - x[0], BLOCK_VALUES // row))
        rows = max(1, min(y[1] - y[0], BLOCK_VALUES // (row * columns)))
        out = np.empty(box.shape, self.dtype)
        for top in range(y[0], y[1], rows):
            for left in range(x[0], x[1], columns):
                bottom, right = min(top + rows, y[1]), min(left + columns, x[1])
                source = Region(
                    t, c, z, (top * side, min(bottom * side, height)), (left * side, min(right * side, width))
                )
                tile = self._reduce(self._own(plan.source, source), plan.halvings)
                out[..., top - y[0] : bottom - y[0], left - x[0] : right - x[0]] = tile
        return out
