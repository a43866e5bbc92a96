"""Area resampling: a large plane becomes a small one, band by band, every pixel counted once."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCK_VALUES = 1 << 22
"""Values turned into floating point at a time."""


def fit(width: float, height: float, box_width: int, box_height: int) -> tuple[int, int]:
    """Return the width and height of the largest picture of this aspect that fits the box, never enlarged.

    The aspect is right to one pixel; neither side is below one pixel.
    """
    scale = min(1.0, box_width / width, box_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def enlarge(plane: NDArray[Any], target: tuple[int, int]) -> NDArray[Any]:
    """Return the plane, Y, X (and S), with rows and columns repeated until there are as many as wanted.

    Nothing is interpolated: what lies between two slices was not measured.
    """
    for axis, (length, wanted) in enumerate(zip(plane.shape, target, strict=False)):
        if length < wanted:
            plane = np.take(plane, (2 * np.arange(wanted) + 1) * length // (2 * wanted), axis=axis)
    return plane


class Shrinker:
    """Takes a plane from top to bottom in bands of rows and gives its area average.

    Every output pixel is the mean of the area it covers; a source pixel on a border counts with the part of it that
    lies inside. NaN is no measurement: it is left out of the mean, and an area of nothing but NaN stays NaN. A plane
    that is not to be shrunk passes through unchanged in its own type.

    Parameters
    ----------
    source
        Rows and columns of the plane.
    target
        Rows and columns to make of it; neither larger than the source's.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        self._source = source
        self._target = target
        self._row = 0
        self._bands: list[NDArray[Any]] = []
        self._mean: NDArray[Any] | None = None
        self._missing: NDArray[Any] | None = None
        self._range = (math.inf, -math.inf)

    def add(self, band: NDArray[Any]) -> None:
        """Take the next rows: Y, X (and S) in real numbers, finite or NaN."""
        if self._source == self._target:
            self._bands.append(band)
            return
        rows = max(1, BLOCK_VALUES // math.prod(band.shape[1:]))
        for start in range(0, len(band), rows):
            self._add_block(band[start : start + rows])

    def result(self) -> NDArray[Any]:
        """Return the plane, Y, X (and S): float32 (float64 for sources of more than 24 bits) where it was shrunk."""
        if self._mean is None:
            return self._bands[0] if len(self._bands) == 1 else np.concatenate(self._bands)
        mean: NDArray[Any] = self._mean
        if self._missing is not None:
            known = 1 - self._missing
            mean = np.divide(mean, known, out=np.full_like(mean, np.nan), where=known > 1e-5)
        # a mean lies between the extremes: this takes rounding away, so that what is flat stays exactly flat
        return np.clip(mean, *self._range, out=mean) if self._range[0] <= self._range[1] else mean

    def _add_block(self, block: NDArray[Any]) -> None:
        """Add what these rows contribute to the means; rows and columns are averaged apart, which is the same."""
        height, columns = self._target
        values = block.astype(working_type(block.dtype), copy=False)
        if self._mean is None:
            self._mean = np.zeros((height, columns, *block.shape[2:]), values.dtype)
        gaps = np.isnan(values) if block.dtype.kind == "f" else np.zeros(0, bool)
        known = values[~gaps] if gaps.any() else block
        if known.size:
            self._range = min(self._range[0], float(known.min())), max(self._range[1], float(known.max()))
        if gaps.any():
            values = np.where(gaps, values.dtype.type(0), values)
            if self._missing is None:
                self._missing = np.zeros_like(self._mean)
            self._add_rows(gaps.astype(values.dtype), self._missing)
        self._add_rows(values, self._mean)
        self._row += len(block)

    def _add_rows(self, block: NDArray[Any], mean: NDArray[Any]) -> None:
        """Add source rows to the output rows they touch."""
        height, columns = self._target
        each, rest = divmod(self._source[0], height)
        if rest == 0 and self._row % each == 0 and len(block) % each == 0:
            # whole rows of the output: three times as fast, and there are fewer rows left to be made narrower
            first = self._row // each
            sums = _across(block.reshape(-1, each, *block.shape[1:]).sum(axis=1), columns)
        else:
            first, sums = row_sums(_across(block, columns), self._row, self._source[0], height)
        mean[first : first + len(sums)] += sums * (height / self._source[0])


def working_type(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    """Return the floating type that holds every value of a real type exactly or nearly so."""
    if dtype.kind == "f":
        return np.float32 if dtype.itemsize <= 4 else np.float64
    return np.float32 if dtype.itemsize <= 2 else np.float64


def row_sums(block: NDArray[Any], start: int, source: int, target: int) -> tuple[int, NDArray[Any]]:
    """Return the sums of the rows below each output row, rows on a border with the part that lies inside.

    Parameters
    ----------
    block
        Source rows, Y, X (and S); finite.
    start
        Place of the first of them among all source rows.
    source, target
        All rows of the source and of the output.

    Returns
    -------
    tuple of int and numpy.ndarray
        The first output row touched, and a row of sums for each one touched.
    """
    stop = start + len(block)
    first, last = start * target // source, -(-stop * target // source)
    edges = np.clip(np.arange(first, last + 1) * source, start * target, stop * target) - start * target
    whole, part = np.divmod(edges, target)
    sums: NDArray[Any] = np.add.reduceat(block, whole[:-1], axis=0)
    sums[whole[:-1] == whole[1:]] = 0  # reduceat gives the row itself for an empty span
    share = (part / target).astype(block.dtype).reshape(-1, *[1] * (block.ndim - 1))
    cut = share * block[np.minimum(whole, len(block) - 1)]
    sums += cut[1:]
    sums -= cut[:-1]
    return first, sums


def _across(block: NDArray[Any], columns: int) -> NDArray[Any]:
    """Return the block with its columns averaged down to fewer."""
    if block.shape[1] == columns:
        return block
    narrow: NDArray[Any] = cv2.resize(np.ascontiguousarray(block), (columns, len(block)), interpolation=cv2.INTER_AREA)
    return narrow
