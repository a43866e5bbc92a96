"""Text as pixels, in the typeface that OpenCV brings along: no font of the system, the same picture everywhere."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

REGULAR, BOLD = 400, 700
MIN_SIZE = 4
SHRINK = 0.97


@lru_cache(256)
def text_mask(text: str, size: float, weight: int = REGULAR) -> NDArray[np.uint8]:
    """Return how much a line of text covers each pixel, 0 to 255: shape Y, X, cut to the text, not writable.

    Parameters
    ----------
    text
        One line; line breaks become spaces. Characters without a glyph are question marks.
    size
        Height of the font in pixels.
    weight
        ``REGULAR`` or ``BOLD``.
    """
    line = " ".join(text.split())
    size_px = max(MIN_SIZE, round(size))
    face = cv2.FontFace("sans")
    _, _, width, height = cv2.getTextSize((0, 0), line, (0, 0), face, size_px, weight)
    canvas = np.zeros((height + 3 * size_px, width + 3 * size_px, 3), np.uint8)
    cv2.putText(canvas, line, (size_px, 2 * size_px), (255, 255, 255), face, size_px, weight)
    covered = canvas[..., 0]
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    cut = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy() if len(rows) else covered[:1, :1].copy()
    cut.flags.writeable = False
    return cut


def fitting_size(text: str, size: float, width: float, weight: int = REGULAR) -> float | None:
    """Return the largest size up to ``size`` at which a text is at most so wide; ``None`` where it cannot be read."""
    while size >= MIN_SIZE:
        found = text_mask(text, size, weight).shape[1]
        if found <= width:
            return size
        size = min(size * SHRINK, max(size * width / found, size * 0.5), size - 0.5)
    return None
