"""Text as pixels, in the typeface that OpenCV brings along: no font of the system, the same picture everywhere."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

REGULAR, BOLD = 400, 700
MIN_SIZE = 4
SHRINK = 0.97
ASCENT, DESCENT = 1.0, 0.32
"""Of the font size; the tallest letters of the typeface, with their accents, fit."""


@lru_cache(256)
def text_mask(text: str, size: float, weight: int = REGULAR) -> NDArray[np.uint8]:
    """Return how much a line of text covers each pixel, 0 to 255: shape Y, X, as wide as the text, not writable.

    Parameters
    ----------
    text
        One line; line breaks become spaces. Characters without a glyph are question marks.
    size
        Height of the font in pixels, rounded; there are ``ascent(size)`` rows above the baseline.
    weight
        ``REGULAR`` or ``BOLD``.
    """
    line, px = " ".join(text.split()), _whole(size)
    face = cv2.FontFace("sans")
    width = cv2.getTextSize((0, 0), line, (0, 0), face, px, weight)[2]
    canvas = np.zeros((ascent(px) + round(DESCENT * px), width + 3 * px, 3), np.uint8)
    cv2.putText(canvas, line, (px, ascent(px)), (255, 255, 255), face, px, weight)
    covered = canvas[..., 0]
    columns = np.flatnonzero(covered.any(axis=0))
    # lines that stand below each other begin at the pen's place, not where the first letter has its ink
    cut = covered[:, min(px, columns[0]) : columns[-1] + 1].copy() if len(columns) else covered[:, :1].copy()
    cut.flags.writeable = False
    return cut


def ascent(size: float) -> int:
    """Return how many rows of a line of text lie above its baseline."""
    return round(ASCENT * _whole(size))


def _whole(size: float) -> int:
    return max(MIN_SIZE, round(size))


def fitting_size(text: str, size: float, width: float, weight: int = REGULAR) -> float | None:
    """Return the largest size up to ``size`` at which a text is at most so wide; ``None`` where it cannot be read."""
    while size >= MIN_SIZE:
        found = text_mask(text, size, weight).shape[1]
        if found <= width:
            return size
        size = min(size * SHRINK, max(size * width / found, size * 0.5), size - 0.5)
    return None
