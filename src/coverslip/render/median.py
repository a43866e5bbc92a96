"""The middle of many frames, by a network of minima and maxima instead of sorting each pixel."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError

BLOCK_PIXELS = 1 << 16
"""Pixels of one frame that are compared at a time: long enough to outweigh the calls, short enough for the caches."""
MOST_FRAMES = 1024
"""With more frames than this the network has too many comparisons, and selecting pixel by pixel is faster."""


class Comparison(NamedTuple):
    """Frames ``low`` and ``high`` change places where the first is larger; what nobody reads later is left out."""

    low: int
    high: int
    wants_low: bool
    wants_high: bool


def median_of_frames(frames: NDArray[Any]) -> NDArray[Any]:
    """Return the median of every pixel over the frames, in the type of the frames.

    The same values as ``numpy.median(frames, axis=0)``: of an even number of frames the mean of the middle two, which
    integer types round to the nearest, halves to even. NaN is no measurement and is left out; a pixel that is NaN in
    all frames stays NaN.

    Parameters
    ----------
    frames
        Real numbers of shape frames, Y, X (any shape behind the first axis).

    Raises
    ------
    InvalidRequestError
        There is no frame.
    """
    low, high = middle_two(frames)
    if frames.dtype.kind == "b":
        return np.asarray(low | high)  # the mean 0.5 becomes 0 in integers; of truth values either one says yes
    if frames.dtype.kind in "iu":
        # without a wider type: the mean is where both agree plus half of where they differ
        mean = (low & high) + ((low ^ high) >> 1)
        return np.asarray(mean + ((low ^ high) & 1 & mean))
    return np.asarray((low + high) / 2).astype(frames.dtype, copy=False)


def middle_two(frames: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the lower and the upper middle of every pixel; the same one twice where their number is odd.

    Parameters
    ----------
    frames
        Real numbers; the first axis goes. NaN is left out, and all that is left where there is nothing else.

    Raises
    ------
    InvalidRequestError
        There is no frame.
    """
    if not len(frames):
        raise InvalidRequestError("a median needs at least one frame")
    flat = frames.reshape(len(frames), -1)
    low, high = (np.empty(flat.shape[1], frames.dtype) for _ in range(2))
    for start in range(0, flat.shape[1], BLOCK_PIXELS):
        part = slice(start, start + BLOCK_PIXELS)
        low[part], high[part] = _middle_of_block(flat[:, part])
    return low.reshape(frames.shape[1:]), high.reshape(frames.shape[1:])


@cache
def comparisons(frames: int) -> tuple[Comparison, ...]:
    """Return the comparisons that bring the middle of so many frames into place.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M), of which only those are
    kept that the one or two middle frames depend on.
    """
    sorting = []
    top = 1 << max(0, (frames - 1).bit_length() - 1)
    p = top if frames > 1 else 0
    while p:
        q, rest, distance = top, 0, p
        while distance:
            sorting += [(i, i + distance) for i in range(frames - distance) if i & p == rest]
            distance, q, rest = q - p, q >> 1, p
        p >>= 1
    wanted = {(frames - 1) // 2, frames // 2}
    kept = []
    for i, j in reversed(sorting):
        if i in wanted or j in wanted:
            kept.append(Comparison(i, j, i in wanted, j in wanted))
            wanted |= {i, j}
    return tuple(reversed(kept))


def _middle_of_block(block: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the middle two of a block of shape frames, pixels."""
    count = len(block)
    if block.dtype.kind == "f" and np.isnan(block).any():
        return _middle_of_known(block)
    if count > MOST_FRAMES:
        values = np.ascontiguousarray(block.T)
        values.partition(sorted({(count - 1) // 2, count // 2}), axis=-1)
        return values[:, (count - 1) // 2], values[:, count // 2]
    rows = list(block.copy())
    spare = np.empty_like(rows[0])
    for low, high, wants_low, wants_high in comparisons(count):
        if not wants_high:
            np.minimum(rows[low], rows[high], out=rows[low])
        elif not wants_low:
            np.maximum(rows[low], rows[high], out=rows[high])
        else:
            np.minimum(rows[low], rows[high], out=spare)
            np.maximum(rows[low], rows[high], out=rows[high])
            rows[low], spare = spare, rows[low]
    return rows[(count - 1) // 2], rows[count // 2]


def _middle_of_known(block: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    values = np.sort(block, axis=0)  # NaN last
    known = np.count_nonzero(~np.isnan(block), axis=0)
    low, high = (np.take_along_axis(values, (np.maximum(known + k, 0) // 2)[None], 0)[0] for k in (-1, 0))
    return np.where(known == 0, np.nan, low), np.where(known == 0, np.nan, high)
