"""Many planes become one."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError

LARGEST = 1e30
"""Floating-point pixels beyond this are drawn as this, so that no sum of them overflows a float32."""


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
    rest = iter(planes)
    first = next(rest, None)
    if first is None:
        raise InvalidRequestError("a projection needs at least one plane")
    second = next(rest, None)
    if second is None:
        return first
    largest = np.fmax if first.dtype.kind == "f" else np.maximum
    top: NDArray[Any] = largest(first, second)
    for plane in rest:
        largest(top, plane, out=top)
    return top


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
        usual = bool((np.abs(plane) <= LARGEST).all())
    return plane if usual else np.where(np.isfinite(plane), plane.clip(-LARGEST, LARGEST), np.nan).astype(plane.dtype)
