"""What readers that decode plane by plane share: sizes checked before memory is asked for, planes put into a box."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Region
from coverslip.readers.budgets import check_piece

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

MAX_CHANNELS = 65_536
"""Each channel has a description in memory and in the catalog."""


def check_promise(path: Path, promised: int, present: int, ratio: int = 1) -> None:
    """Refuse a size that the bytes of the file cannot hold, before any memory is asked for.

    Parameters
    ----------
    path
        Named in the message.
    promised
        Bytes of pixels according to the header.
    present
        Bytes that are there to hold them.
    ratio
        How many bytes of pixels one stored byte can be at most: 1 where nothing is compressed, and the pixels are not
        decoded as a whole.

    Raises
    ------
    ReadError
        They do not fit.
    BudgetError
        They are more than one plane may be.
    """
    if promised > present * ratio:
        raise ReadError(
            f"{path}: the header promises {promised} bytes of pixels, which the {present} bytes that are there cannot "
            "hold: the file is truncated or damaged. Copy it again from its source"
        )
    if ratio > 1:
        check_piece(promised, present, ratio, "a plane")


def gather(meta: ImageMetadata, region: Region, plane: "Callable[[int, int, int], Array]") -> "Array":
    """Return a resolved region of level 0, plane by plane.

    Parameters
    ----------
    meta
        Of the image.
    region
        Resolved.
    plane
        Gives the whole plane of a time point, channel and slice: shape Y, X (and S).

    Returns
    -------
    numpy.ndarray
        Shape T, C, Z, Y, X (and S), dtype ``meta.dtype``.

    Raises
    ------
    ReadError
        A plane has another shape or type than the metadata says.
    """
    (t0, t1), (c0, c1), (z0, z1), (y0, y1), (x0, x1) = region.spans
    samples = (meta.samples,) if meta.samples > 1 else ()
    out: np.ndarray[Any, np.dtype[Any]] = np.empty((*region.shape, *samples), meta.dtype)
    for t in range(t0, t1):
        for c in range(c0, c1):
            for z in range(z0, z1):
                pixels = plane(t, c, z)
                if pixels.shape != (meta.size_y, meta.size_x, *samples) or pixels.dtype.name != meta.dtype:
                    raise ReadError(
                        f"plane t={t} c={c} z={z} is {pixels.shape} {pixels.dtype.name}, the file's metadata says "
                        f"{(meta.size_y, meta.size_x, *samples)} {meta.dtype}"
                    )
                out[t - t0, c - c0, z - z0] = pixels[y0:y1, x0:x1]
    return out
