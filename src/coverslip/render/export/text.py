"""Text as pixels, in the typeface that OpenCV brings along: no font of the system, the same picture everywhere."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

REGULAR, BOLD = 400, 700
MIN_SIZE = 4
SHRINK = 0.97
MAX_AREA = 1 << 25
"""Characters of a line times the square of the font size."""
SMALL_AREA = 1 << 17
ASCENT, DESCENT = 1.0, 0.32
"""Of the font size; the tallest letters of the typeface, with their accents, fit."""


def text_mask(text: str, size: float, weight: int = REGULAR) -> NDArray[np.uint8]:
    """Return how much a line of text covers each pixel, 0 to 255: shape Y, X, as wide as the text, not writable.

    Parameters
    ----------
    text
        One line; line breaks become spaces. Characters without a glyph are question marks. Very long lines end in an
        ellipsis.
    size
        Height of the font in pixels, rounded; there are ``ascent(size)`` rows above the baseline.
    weight
        ``REGULAR`` or ``BOLD``.
    """
    px = _whole(size)
    line = _cut(" ".join(text.split()), px)
    # labels come again with every item; what is large is not worth its memory
    return _kept(line, px, weight) if len(line) * px**2 <= SMALL_AREA else _drawn(line, px, weight)


def _drawn(line: str, px: int, weight: int) -> NDArray[np.uint8]:
    face = cv2.FontFace("sans")
    width = cv2.getTextSize((0, 0), line, (0, 0), face, px, weight)[2]
    covered = np.zeros((ascent(px) + round(DESCENT * px), width + 3 * px), np.uint8)
    cv2.putText(covered, line, (px, ascent(px)), (255, 255, 255), face, px, weight)
    columns = np.flatnonzero(covered.any(axis=0))
    # lines that stand below each other begin at the pen's place, not where the first letter has its ink
    cut = covered[:, min(px, columns[0]) : columns[-1] + 1].copy() if len(columns) else covered[:, :1].copy()
    cut.flags.writeable = False
    return cut


_kept = lru_cache(256)(_drawn)


def ascent(size: float) -> int:
    """Return how many rows of a line of text lie above its baseline."""
    return round(ASCENT * _whole(size))


def _cut(line: str, px: int) -> str:
    """Return a line that is no longer than there is memory for."""
    most = max(16, MAX_AREA // px**2)
    return line if len(line) <= most else line[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


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
