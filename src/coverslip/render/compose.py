"""Grey planes become one colour picture."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError
from coverslip.model import ImageMetadata
from coverslip.render.colors import Color
from coverslip.render.contrast import Limits, stretch

MANY_CHANNELS = 7
FIRST_CHANNELS = 4
BLOCK_PIXELS = 1 << 20


def shown_channels(metadata: ImageMetadata, chosen: Sequence[int] | None) -> tuple[int, ...]:
    """Return the indices of the channels to show, each once.

    Without a choice all are shown, but only the first four where there are more than seven: forty colours added up
    are white.

    Raises
    ------
    RegionError
        A chosen channel does not exist, or the choice is empty.
    """
    if chosen is None:
        return tuple(range(metadata.size_c if metadata.size_c <= MANY_CHANNELS else FIRST_CHANNELS))
    wrong = [c for c in chosen if not 0 <= c < metadata.size_c]
    if wrong or not chosen:
        raise RegionError(
            f"channel {wrong[0]} does not exist; there are {metadata.size_c}" if wrong else "no channel is chosen"
        )
    return tuple(dict.fromkeys(chosen))


def add_channel(canvas: NDArray[np.uint8], plane: NDArray[Any], limits: Limits, color: Color) -> None:
    """Add one channel to a picture in place; sums above full brightness stay there.

    Parameters
    ----------
    canvas
        Shape Y, X, 3; red, green, blue.
    plane
        Shape Y, X; real numbers.
    limits
        Values of the plane shown as black and as the full colour.
    color
        The channel's colour. Rounding adds at most half a grey level per channel.
    """
    matrix = np.array(color, np.float32)[:, None]
    for rows in _blocks(plane):
        tint = cv2.convertScaleAbs(cv2.transform(stretch(plane[rows], limits), matrix))
        canvas[rows] = cv2.add(canvas[rows], tint.reshape(canvas[rows].shape))


def true_color(plane: NDArray[Any], limits: Limits) -> NDArray[np.uint8]:
    """Return red, green and blue samples as a picture, all three with the same limits so that hues stay.

    Parameters
    ----------
    plane
        Shape Y, X, 3; real numbers.
    limits
        Values shown as 0 and as 255.
    """
    picture = np.empty(plane.shape, np.uint8)
    for rows in _blocks(plane):
        picture[rows] = np.rint(stretch(plane[rows], limits) * 255)
    return picture


def _blocks(plane: NDArray[Any]) -> list[slice]:
    """Return slices of rows that keep the floating-point copies small."""
    rows = max(1, BLOCK_PIXELS // plane.shape[1])
    return [slice(start, start + rows) for start in range(0, len(plane), rows)]
