"""Many pixels along one axis become one, block by block."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError
from coverslip.model.render import Projection
from coverslip.render.median import middle_two

LARGEST = 1e30
"""Floating-point pixels beyond this are drawn as this, so that no sum of them overflows a float32."""

NOTHING = "a projection needs at least one plane"


class Reducer(Protocol):
    """Takes blocks and gives one value for each place across the axis. NaN is no measurement and is left out."""

    def add(self, block: NDArray[Any], axis: int) -> None:
        """Take real pixels; all blocks have one dtype, and one shape but for the length of the axis."""
        ...

    def result(self) -> NDArray[Any]:
        """Return what became of the pixels, without the axis; NaN where nothing was measured.

        Raises
        ------
        InvalidRequestError
            There was no block.
        """
        ...


def reducer(kind: Projection) -> Reducer:
    """Return a new reducer of one kind.

    ``max`` and ``min`` keep the type of the pixels. ``mean``, ``sum``, ``median`` and ``std`` (of the population:
    divided by the number of pixels) are float64, summed by blocks; the standard deviation by the pairwise update of
    Chan, Golub and LeVeque (1983), which does not cancel. ``median`` is the mean of the middle two for an even number.
    It is the only one that holds all pixels it is given; callers cut the image so that they are few enough.
    """
    return REDUCERS[kind]()


def max_projection(planes: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return the largest value at every pixel; holds two planes at a time, whatever their number.

    Parameters
    ----------
    planes
        Real arrays of one shape and dtype. NaN loses against any number.

    Raises
    ------
    InvalidRequestError
        There is no plane.
    """
    top = _Extreme(np.maximum, np.fmax)
    for plane in planes:
        top.add(plane[None], 0)
    return top.result()


def measured(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the plane as real numbers that can be compared and averaged, of the same shape.

    Booleans become 0 and 1, complex numbers their magnitude, float16 float32. NaN and infinities are no measured
    values: all become NaN.
    """
    if plane.dtype.kind == "b":
        return plane.astype(np.uint8)
    if plane.dtype.kind == "c":
        plane = np.abs(plane)
    if plane.dtype.kind != "f":
        return plane
    plane = plane.astype(np.float32 if plane.dtype.itemsize <= 4 else np.float64, copy=False)
    with np.errstate(invalid="ignore"):
        usual = not plane.size or bool(plane.min() >= -LARGEST and plane.max() <= LARGEST)  # False for NaN
    return plane if usual else np.where(np.isfinite(plane), plane.clip(-LARGEST, LARGEST), np.nan).astype(plane.dtype)


class _Extreme:
    """The largest or smallest value."""

    def __init__(self, of_integers: np.ufunc, of_floats: np.ufunc) -> None:
        self._ufuncs = of_integers, of_floats
        self._top: NDArray[Any] | None = None
        self._is_ours = False

    def add(self, block: NDArray[Any], axis: int) -> None:
        better = self._ufuncs[block.dtype.kind == "f"]
        is_single = block.shape[axis] == 1
        found: NDArray[Any] = block.squeeze(axis) if is_single else better.reduce(block, axis=axis)
        if self._top is None:
            self._top, self._is_ours = found, not is_single
        elif self._is_ours:
            better(self._top, found, out=self._top)
        else:  # the first block belongs to the caller
            self._top, self._is_ours = better(self._top, found), True

    def result(self) -> NDArray[Any]:
        if self._top is None:
            raise InvalidRequestError(NOTHING)
        return self._top


class _Total:
    """The sum or the mean."""

    def __init__(self, *, is_mean: bool) -> None:
        self._is_mean = is_mean
        self._total: NDArray[Any] | None = None
        self._count: Any = 0

    def add(self, block: NDArray[Any], axis: int) -> None:
        known, count = _known(block, axis)
        is_single = block.shape[axis] == 1
        total = known.squeeze(axis) if is_single else known.sum(axis=axis, dtype=np.float64)
        self._total = total.astype(np.float64) if self._total is None else np.add(self._total, total, out=self._total)
        self._count = self._count + count

    def result(self) -> NDArray[Any]:
        if self._total is None:
            raise InvalidRequestError(NOTHING)
        if self._is_mean:
            return _divided(self._total, self._count)
        return np.where(np.equal(self._count, 0), np.nan, self._total)


class _Deviation:
    """The standard deviation of the population."""

    def __init__(self) -> None:
        self._count: Any = 0
        self._mean: NDArray[np.float64] | None = None
        self._squares: NDArray[np.float64] | None = None

    def add(self, block: NDArray[Any], axis: int) -> None:
        known, count = _known(block, axis)
        is_single = block.shape[axis] == 1
        mean = known.squeeze(axis).astype(np.float64) if is_single else known.sum(axis=axis, dtype=np.float64)
        mean /= np.maximum(count, 1)
        squares: NDArray[np.float64] | None = None
        if not is_single:
            away = block - np.expand_dims(mean, axis)
            squares = np.nansum(np.square(away, out=away), axis=axis)
        if self._mean is None or self._squares is None:
            self._mean, self._count = mean, count
            self._squares = np.zeros_like(mean) if squares is None else squares
            return
        share = count / np.maximum(self._count + count, 1)
        mean -= self._mean  # now the distance from what was there
        self._mean += mean * share
        self._squares += np.square(mean, out=mean) * (share * self._count)
        if squares is not None:
            self._squares += squares
        self._count = self._count + count

    def result(self) -> NDArray[Any]:
        if self._squares is None:
            raise InvalidRequestError(NOTHING)
        return np.sqrt(_divided(self._squares, self._count))


class _Median:
    """The value in the middle."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[Any]] = []

    def add(self, block: NDArray[Any], axis: int) -> None:
        self._blocks.append(np.moveaxis(block, axis, 0))

    def result(self) -> NDArray[Any]:
        if not self._blocks:
            raise InvalidRequestError(NOTHING)
        lower, upper = middle_two(np.concatenate(self._blocks))
        self._blocks.clear()
        return np.asarray((lower.astype(np.float64) + upper.astype(np.float64)) / 2)


def _known(block: NDArray[Any], axis: int) -> tuple[NDArray[Any], Any]:
    """Return the block with 0 for NaN, and how many values along the axis are none (a number, or one per place)."""
    if block.dtype.kind == "f":
        gaps = np.isnan(block)
        if gaps.any():
            return np.where(gaps, block.dtype.type(0), block), np.count_nonzero(~gaps, axis=axis)
    return block, block.shape[axis]


def _divided(values: NDArray[Any], count: Any) -> NDArray[Any]:
    """Return the quotient, NaN where the count is 0."""
    if isinstance(count, int) and count:
        return np.asarray(values / count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.equal(count, 0), np.nan, values / count))


REDUCERS: Mapping[Projection, Callable[[], Reducer]] = MappingProxyType(
    {
        "max": lambda: _Extreme(np.maximum, np.fmax),
        "min": lambda: _Extreme(np.minimum, np.fmin),
        "mean": lambda: _Total(is_mean=True),
        "sum": lambda: _Total(is_mean=False),
        "std": _Deviation,
        "median": _Median,
    }
)
"""All kinds of projection."""
