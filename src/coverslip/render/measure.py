"""Statistics and histograms of one channel: exact where that is cheap, with a stated error elsewhere."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError
from coverslip.model import CanRead, Region
from coverslip.render.project import measured
from coverslip.render.views import time_point

EXACT_PIXELS = 16 << 20
"""Stacks up to this many pixels are measured whole, at full resolution."""

BAND_ROWS = 512
BANDS_PER_PLANE = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """Pixels that stand for all others."""

    values: tuple[NDArray[Any], NDArray[Any]]
    """Two halves, taken alternately; finite."""
    level: int
    total: int
    """Pixels of that level."""
    is_whole: bool
    """Whether these are all pixels at full resolution."""

    @property
    def all(self) -> NDArray[Any]:
        """Both halves."""
        return np.concatenate(self.values)

    def rank_error(self, values: Sequence[float]) -> float:
        """Return by how many percentage points the rank of a value may be wrong.

        It is 0 for whole stacks. Otherwise the ranks of the values are compared between the two halves, and the
        largest difference is returned, but no less than one standard error of as many independent pixels.
        """
        halves = [np.sort(half) for half in self.values]
        if self.is_whole or not all(half.size for half in halves):
            return 0.0
        ranks = [np.searchsorted(half, values, side="right") / half.size for half in halves]
        independent = 0.5 / math.sqrt(sum(half.size for half in halves))
        return 100 * max(independent, float(np.abs(ranks[0] - ranks[1]).max()))


def sample(image: CanRead, c: int, *, t: int | None = None, z: int | None = None) -> Sample:
    """Return pixels to measure of one channel, and of one time point and slice.

    Up to ``EXACT_PIXELS`` they are all pixels of level 0. Beyond, the finest pyramid level that is small enough is
    read, where there is one; otherwise bands of rows at equal distances, in slices at equal distances.

    Parameters
    ----------
    image
        Anything that can be read. Colour samples count as pixels, alpha does not.
    c
        Channel.
    t
        Time point; ``None`` is the middle one.
    z
        Slice; ``None`` is all of them.

    Raises
    ------
    RegionError
        There is no such channel, time point or slice.
    ReadError
        The file does not give the pixels.
    """
    meta = image.metadata
    t = time_point(meta, t)
    for name, chosen, length in (("channel", c, meta.size_c), ("slice", z, meta.size_z)):
        if chosen is not None and not 0 <= chosen < length:
            raise RegionError(f"{name} {chosen} does not exist; there are {length}")
    depths = [1 if z is not None else size.size_z for size in meta.levels]
    counts = [depth * size.size_y * size.size_x for depth, size in zip(depths, meta.levels, strict=True)]
    level = next((i for i, count in enumerate(counts) if count <= EXACT_PIXELS), len(counts) - 1)
    size = meta.levels[level]
    slices = range(size.size_z) if z is None else range(int((z + 0.5) * size.size_z / meta.size_z), meta.size_z)[:1]
    # bands rather than single pixels: files are read by strips and tiles
    wanted = max(1, EXACT_PIXELS // size.size_x)
    is_all = counts[level] <= EXACT_PIXELS
    bands = _all_bands(slices, size.size_y) if is_all else _some_bands(slices, size.size_y, wanted)
    halves: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
    for number, (at, y) in enumerate(bands):
        region = Region(t=(t, t + 1), c=(c, c + 1), z=(at, at + 1), y=y, x=(0, size.size_x))
        halves[number % 2].append(_values(image.read(level, region)[0, 0, 0], meta.samples))
    none = np.zeros(0, halves[0][0].dtype)
    first, second = (np.concatenate(half) if half else none for half in halves)
    return Sample((first, second), level, counts[level], is_all and level == 0)


def percentiles(values: NDArray[Any], ranks: Sequence[float]) -> tuple[float, ...]:
    """Return percentiles, 0 to 100, as ``numpy.percentile`` defines them; NaN of no values."""
    return tuple(float(found) for found in np.percentile(values, ranks)) if values.size else (math.nan,) * len(ranks)


def histogram(values: NDArray[Any], bins: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return counts and the edges of bins of equal width from the smallest to the largest value, which is included.

    Integers that have no more values than bins get one bin for each value, its edges half a step to either side.
    """
    if values.size == 0:
        return np.zeros(bins, np.int64), np.linspace(0, 1, bins + 1)
    low, high = values.min(), values.max()
    if values.dtype.kind in "iu" and int(high) - int(low) < bins:
        edges = np.arange(int(high) - int(low) + 2) + (float(low) - 0.5)
    else:
        high = high if high > low else low + 1
        edges = np.linspace(float(low), float(high), bins + 1)
    counts, edges = np.histogram(values, edges)
    return counts.astype(np.int64), edges


def _values(block: NDArray[Any], samples: int) -> NDArray[Any]:
    """Return the finite pixels of Y, X (and S) in one row."""
    if samples == 2 or samples > 3:
        block = block[..., : 1 if samples == 2 else 3]
    values = measured(block).ravel()
    return values[~np.isnan(values)] if values.dtype.kind == "f" else values


def _all_bands(slices: range, height: int) -> Iterator[tuple[int, tuple[int, int]]]:
    for z in slices:
        for y in range(0, height, BAND_ROWS):
            yield z, (y, min(y + BAND_ROWS, height))


def _some_bands(slices: range, height: int, rows: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield bands that hold so many rows in all, spread evenly over slices and rows."""
    per_slice = max(1, min(height, rows // len(slices)))
    depth = min(len(slices), rows // per_slice)
    count = min(BANDS_PER_PLANE, per_slice)
    each = per_slice // count
    for k in range(depth):
        z = slices[(2 * k + 1) * len(slices) // (2 * depth)]
        for n in range(count):
            middle = (2 * n + 1) * height // (2 * count)
            start = max(0, min(middle - each // 2, height - each))
            yield z, (start, start + each)
