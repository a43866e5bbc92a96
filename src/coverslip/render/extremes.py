"""The largest or smallest value along Z, read by several threads where the file allows it. Memory is bounded."""

import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.model import CanRead
from coverslip.model.regions import Span
from coverslip.render.project import LARGEST, measured

THREADS = 2
"""One waits for the file or unpacks while the other compares; more only wait for memory."""

WORTH_A_THREAD = 1 << 21
"""Pixels below which starting threads costs more than it gives."""

type Read = Callable[[Span, NDArray[Any] | None], tuple[NDArray[Any], NDArray[Any] | None]]
"""Gives the pixels Z, Y, X (and S) of a span, and memory to be handed back for the next one, if there is any."""

type Extreme = tuple[np.ufunc, np.ufunc]
"""What compares integers, and what compares floating-point numbers and lets NaN lose."""

EXTREMES: Mapping[str, Extreme] = MappingProxyType({"max": (np.maximum, np.fmax), "min": (np.minimum, np.fmin)})
"""The kinds of projection that keep one of the values."""


def extreme(image: CanRead, extreme_of: Extreme, slices: list[Span], read: Read) -> NDArray[Any]:
    """Return the largest or smallest value of each column of pixels along Z.

    Parameters
    ----------
    image
        What is read, asked whether several threads may.
    extreme_of
        One of ``EXTREMES``.
    slices
        Spans of Z, at least one; those of one block of the file together, so that nothing is unpacked twice.
    read
        Gives the pixels of a span as they are in the file.

    Returns
    -------
    numpy.ndarray
        Shape Y, X (and S), real numbers. NaN and infinities are no measured values: they lose against any number, and
        where there is nothing else it is NaN.

    Raises
    ------
    ReadError
        The file does not give the pixels.
    """

    def read_measured(span: Span, held: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[Any] | None]:
        block, held = read(span, held)
        return measured(block), held

    if np.dtype(image.metadata.dtype).kind in "bc" or image.metadata.dtype == "float16":  # become another type
        return _reduced(image, extreme_of, slices, read_measured)
    top = _reduced(image, extreme_of, slices, read)
    if top.dtype.kind != "f" or _is_usual(top):
        return top
    # an infinity hides what was measured beside it: look again, and leave out what is no measurement
    return _reduced(image, extreme_of, slices, read_measured)


def _reduced(image: CanRead, extreme_of: Extreme, slices: list[Span], read: Read) -> NDArray[Any]:
    left = deque(slices)

    def share(_: int) -> NDArray[Any] | None:
        """Take spans until none is left."""
        top: NDArray[Any] | None = None
        held: NDArray[Any] | None = None
        try:
            while left:
                try:
                    span = left.popleft()
                except IndexError:  # another thread took the last one
                    break
                block, held = read(span, held)
                top = _joined(extreme_of[block.dtype.kind == "f"], top, block)
        except BaseException:
            left.clear()  # the other threads need not go on
            raise
        return top

    size = image.metadata.size_y * image.metadata.size_x * len(slices)
    threads = min(THREADS, os.cpu_count() or 1, len(slices))
    if threads < 2 or not getattr(image, "is_concurrent", False) or size < WORTH_A_THREAD:
        found = [share(0)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(share, range(threads)))
    tops = [top for top in found if top is not None]
    for other in tops[1:]:
        extreme_of[other.dtype.kind == "f"](tops[0], other, out=tops[0])
    return tops[0]


def _joined(better: np.ufunc, top: NDArray[Any] | None, block: NDArray[Any]) -> NDArray[Any]:
    """Return the extreme of what there was and a block of slices, in place where there was something."""
    if top is None:  # the block may belong to somebody else
        top, block = block[0].copy(), block[1:]
    for plane in block:
        better(top, plane, out=top)
    return top


def _is_usual(top: NDArray[Any]) -> bool:
    """Return whether all values are finite and of a size that can be drawn."""
    return bool(top.min() >= -LARGEST and top.max() <= LARGEST)
