"""Grey planes become one colour picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError
from coverslip.model import ImageMetadata
from coverslip.model.render import Blend
from coverslip.render.colors import WHITE, Color
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


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """What the grey of a channel turns into."""

    limits: Limits
    """Values of the plane shown as black and as the full colour."""
    color: Color
    """The channel's colour; not looked at where there is a table."""
    gamma: float = 1.0
    table: NDArray[np.uint8] | None = None
    """Lookup table of shape 256, 3."""

    def grey(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """Return brightness, 0 to 1, of the plane's own shape."""
        grey = stretch(plane, self.limits)
        return grey if self.gamma == 1 else np.power(grey, np.float32(self.gamma), out=grey)

    def tint(self, grey: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the colours of brightness of shape Y, X: shape Y, X, 3."""
        if self.table is not None:
            return self.table[np.rint(grey * 255).astype(np.uint8)]
        shades = {part: cv2.convertScaleAbs(grey, alpha=float(part)) for part in set(self.color)}
        tinted = cv2.merge([shades[part] for part in self.color])
        return np.asarray(tinted, np.uint8).reshape(*grey.shape, 3)


def paint(canvas: NDArray[np.uint8], plane: NDArray[Any], ink: Ink, blend: Blend = "additive") -> None:
    """Put one channel on a picture in place.

    Parameters
    ----------
    canvas
        Shape Y, X, 3; red, green, blue.
    plane
        Shape Y, X; real numbers.
    ink
        How it is shown. Rounding adds at most half a grey level per channel.
    blend
        ``additive``: colours add up; sums above full brightness stay there. ``alpha``: the channel is laid over the
        picture; it is as opaque as it is bright.
    """
    for rows in _blocks(plane):
        grey = ink.grey(plane[rows])
        tint = ink.tint(grey)
        if blend == "additive":
            canvas[rows] = cv2.add(canvas[rows], tint).reshape(tint.shape)
            continue
        opacity = grey[..., None]
        over = tint * opacity if ink.table is not None else np.asarray(ink.color, np.float32) * opacity
        canvas[rows] = np.rint(canvas[rows] * (1 - opacity) + over)


def add_channel(canvas: NDArray[np.uint8], plane: NDArray[Any], limits: Limits, color: Color) -> None:
    """Add one channel, Y, X, in its colour to a picture, Y, X, 3, in place."""
    paint(canvas, plane, Ink(limits, color))


def true_color(plane: NDArray[Any], limits: Limits, gamma: float = 1.0) -> NDArray[np.uint8]:
    """Return red, green and blue samples as a picture, all three with the same limits so that hues stay.

    Parameters
    ----------
    plane
        Shape Y, X, 3; real numbers.
    limits
        Values shown as 0 and as 255.
    gamma
        Exponent of brightness.
    """
    ink = Ink(limits, WHITE, gamma)
    picture = np.empty(plane.shape, np.uint8)
    for rows in _blocks(plane):
        picture[rows] = np.rint(ink.grey(plane[rows]) * 255)
    return picture


def _blocks(plane: NDArray[Any]) -> list[slice]:
    """Return slices of rows that keep the floating-point copies small."""
    rows = max(1, BLOCK_PIXELS // plane.shape[1])
    return [slice(start, start + rows) for start in range(0, len(plane), rows)]
