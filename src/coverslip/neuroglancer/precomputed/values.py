"""What is handed in, checked once: places, lengths, rotations, colours."""

import json
from typing import TYPE_CHECKING

import numpy as np

from coverslip.errors import InvalidRequestError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

type Files = dict[str, bytes]
"""What a precompute consists of: contents by path."""


def to_json(value: object) -> bytes:
    """Return an info file: the same value gives the same bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def triples(values: "ArrayLike", what: str) -> "Floats":
    """Return an array of the shape (n, 3) of finite numbers.

    Raises
    ------
    InvalidRequestError
        It is none.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"{what} are no numbers: {error}") from error
    if array.size == 0:
        array = array.reshape(0, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InvalidRequestError(f"{what} have the shape {array.shape}; (n, 3) was expected")
    if not (np.abs(array) < 1e9).all():  # float32 is of no use there, and squares of it still fit
        raise InvalidRequestError(f"{what} hold a number that is not finite, or beyond a thousand million")
    return array


def matrices(rotations: "ArrayLike", count: int) -> "Floats":
    """Return an array of the shape (count, 3, 3) of rotation matrices.

    Raises
    ------
    InvalidRequestError
        It is none.
    """
    array = np.asarray(rotations, np.float64)
    if array.shape != (count, 3, 3):
        raise InvalidRequestError(f"rotations have the shape {array.shape}; ({count}, 3, 3) was expected")
    product = array @ np.swapaxes(array, 1, 2)
    if not (np.abs(product - np.eye(3)) < 1e-2).all():  # NaN is not less
        raise InvalidRequestError("rotations hold a matrix that is no rotation")
    return array


def numbers(values: "ArrayLike", count: int, what: str) -> "Floats":
    """Return one positive number for each of so many.

    Raises
    ------
    InvalidRequestError
        There are others.
    """
    array = np.asarray(values, np.float64)
    if array.shape not in {(), (count,)} or not ((array > 0) & (array < 1e9)).all():
        raise InvalidRequestError(f"{what} is one positive number, or {count}")
    return np.broadcast_to(array, (count,))


def voxel_sizes(voxel_size: "ArrayLike") -> "Floats":
    """Return x, y, z in angstrom.

    Raises
    ------
    InvalidRequestError
        These are no lengths.
    """
    return numbers(voxel_size, 3, "the voxel size")


def colors(color: "str | ArrayLike", count: int) -> "NDArray[np.uint8]":
    """Return the shape (count, 3), uint8.

    Raises
    ------
    InvalidRequestError
        This is no colour.
    """
    if isinstance(color, str):
        try:
            parts = bytes.fromhex(color.removeprefix("#"))
        except ValueError:
            parts = b""
        if len(color) != 7 or len(parts) != 3:
            raise InvalidRequestError(f"a colour is #rrggbb, not {color[:20]!r}")
        color = np.frombuffer(parts, np.uint8)
    array = np.asarray(color)
    if (
        array.shape not in {(3,), (count, 3)}
        or array.dtype.kind not in "iu"
        or (array < 0).any()
        or (array > 255).any()
    ):
        raise InvalidRequestError(f"colours are three numbers from 0 to 255, or {count} times three")
    return np.broadcast_to(array.astype(np.uint8), (count, 3))
