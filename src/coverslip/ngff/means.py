"""Area means over blocks of 2 x 2, 4 x 4, 8 x 8 ... pixels: exact, and right to the last pixel of an odd edge.

Each mean is taken over the pixels there are: the last row of 5 rows halved is the mean of one row, not of one row and
an invented dark one. Integers are summed exactly and rounded once, half to even, so that no level is brighter or darker
than the one it is made of. NaN is no measurement: it is left out, and a block of nothing but NaN stays NaN.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Pixels = NDArray[Any]

NARROW_STEPS = 7
"""Halvings after which sums of 16-bit values, and half a divisor more, still fit int32."""


def area_means(block: Pixels, steps: int) -> Iterator[Pixels]:
    """Yield the means over blocks of 2, then 4, ... up to ``2 ** steps`` pixels along Y and X.

    Parameters
    ----------
    block
        Shape ..., Y, X; any type of pixels. Its first row and column begin a block.
    steps
        How many halvings, at most 14.

    Yields
    ------
    numpy.ndarray
        Shape ..., ceil(Y / 2^n), ceil(X / 2^n), the type of the source. bool counts as 0 and 1; a tie is False.
    """
    kind = block.dtype.kind
    if kind in "fc":
        yield from _inexact(block, steps)
    elif kind == "b":
        for mean in _exact(block.view(np.uint8), steps):
            yield mean.astype(np.bool_)
    elif block.dtype.itemsize == 8:
        yield from _wide(block, steps)
    else:
        yield from _exact(block, steps)


def last_area_mean(block: Pixels, steps: int) -> Pixels:
    """Return the means over blocks of ``2 ** steps`` pixels along Y and X, ``steps`` > 0, see ``area_means``."""
    *_, mean = area_means(block, steps)
    return mean


def nearest(block: Pixels, steps: int) -> Pixels:
    """Return the pixel nearest to the middle of each block of ``2 ** steps`` pixels along Y and X: for labels.

    Parameters
    ----------
    block
        Shape ..., Y, X. Its first row and column begin a block.
    steps
        How many halvings.

    Returns
    -------
    numpy.ndarray
        Shape ..., ceil(Y / 2^n), ceil(X / 2^n). Where a block is cut off, the last pixel of it that there is.
    """
    side = 1 << steps
    rows, columns = (
        np.minimum(np.arange(side // 2, length + side // 2, side), length - 1) for length in block.shape[-2:]
    )
    return block[..., rows[:, None], columns]


def _exact(block: Pixels, steps: int) -> Iterator[Pixels]:
    """Yield the means of integers of up to 32 bits."""
    narrow = block.dtype.itemsize <= 2 and steps <= NARROW_STEPS
    sums: Pixels = block
    for step in range(1, steps + 1):
        sums = _paired_both(sums, np.dtype(np.int32 if narrow else np.int64))
        mean = np.empty(sums.shape, block.dtype)
        for where, count in _parts(block.shape, step):
            mean[where] = _divided(sums[where], count)
        yield mean


def _wide(block: Pixels, steps: int) -> Iterator[Pixels]:
    """Yield the means of integers of 64 bits, whose sums fit no type: the halves are summed and divided in turn."""
    high, low = (block >> 32).astype(np.int64), (block & 0xFFFFFFFF).astype(np.int64)
    for step in range(1, steps + 1):
        high, low = (_paired_both(half, np.dtype(np.int64)) for half in (high, low))
        mean = np.empty(high.shape, block.dtype)
        for where, count in _parts(block.shape, step):
            upper, rest = np.divmod(high[where], count)
            lower, rest = np.divmod((rest << 32) + low[where], count)
            whole = (upper.astype(block.dtype) << 32) + lower.astype(block.dtype)
            is_odd = (whole & 1).astype(np.bool_)
            mean[where] = whole + ((2 * rest > count) | ((2 * rest == count) & is_odd)).astype(block.dtype)
        yield mean


def _inexact(block: Pixels, steps: int) -> Iterator[Pixels]:
    """Yield the means of real and complex numbers, summed in double precision."""
    gaps = np.isnan(block)
    has_gaps = bool(gaps.any())
    sums: Pixels = np.where(gaps, block.dtype.type(0), block) if has_gaps else block
    known: Pixels = ~gaps
    work = np.dtype(np.complex128 if block.dtype.kind == "c" else np.float64)
    for step in range(1, steps + 1):
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):  # infinities are data; 0 / 0 is a gap
            sums = _paired_both(sums, work)
            if has_gaps:
                known = _paired_both(known, np.dtype(np.int64))
                mean = np.where(known > 0, sums / np.maximum(known, 1), np.nan).astype(block.dtype)
            else:
                mean = np.empty(sums.shape, block.dtype)
                for where, count in _parts(block.shape, step):
                    mean[where] = sums[where] / count
        yield mean


def _paired_both(values: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Return the sums of 2 x 2 neighbours in a wider type; what has no neighbour stands alone."""
    rows = values[..., 0::2, :].astype(dtype)
    odd = values[..., 1::2, :]
    rows[..., : odd.shape[-2], :] += odd
    sums = rows[..., 0::2].copy()
    odd = rows[..., 1::2]
    sums[..., : odd.shape[-1]] += odd
    return sums


def _parts(shape: tuple[int, ...], step: int) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Yield where in the means all blocks have the same number of pixels, and that number: inside and at the edges."""
    side = 1 << step
    spans = []
    for length in shape[-2:]:
        whole, left = divmod(length, side)
        spans.append([(slice(0, whole), side)] * bool(whole) + [(slice(whole, None), left)] * bool(left))
    for rows, high in spans[0]:
        for columns, wide in spans[1]:
            yield (..., rows, columns), high * wide


def _divided(sums: Pixels, count: int) -> Pixels:
    """Return exact sums divided by their number of pixels, rounded half to even."""
    if count & (count - 1) == 0:
        shift = count.bit_length() - 1
        if shift == 0:
            return sums
        quotient: Pixels = (sums + ((count >> 1) - 1) + ((sums >> shift) & 1)) >> shift
        return quotient
    whole, rest = np.divmod(sums, sums.dtype.type(count))
    up: Pixels = (2 * rest > count) | ((2 * rest == count) & ((whole & 1) == 1))
    rounded: Pixels = whole + up
    return rounded
