"""How bright a viewer should show each channel at first, from a small piece of the image."""

import numpy as np

from coverslip.errors import ImageLoadError
from coverslip.model import Region
from coverslip.model.regions import Span
from coverslip.ngff.documents import Window, type_range
from coverslip.ngff.pyramid import Pyramid

PIECE = 512
"""Side of the piece that is looked at, in pixels."""
PERCENTILES = (1.0, 99.8)


def measure_windows(pyramid: Pyramid) -> tuple[Window, ...]:
    """Return the display range of every channel, colour samples counted as channels.

    The 1st and the 99.8th percentile of the middle of the coarsest level the file has, at the middle time point and
    slice; colour pictures and masks are shown as they are. A hint, not data: where the piece cannot be read or says
    nothing, it is the range of the type, or 0 to 1.
    """
    metadata = pyramid.metadata
    count = metadata.size_c * metadata.samples
    full = type_range(pyramid.dtype) or (0.0, 1.0)
    if pyramid.dtype.kind == "b" or (metadata.samples > 1 and pyramid.dtype == np.uint8):
        return (full,) * count
    return tuple(_window(pyramid, channel, full) for channel in range(count))


def _window(pyramid: Pyramid, channel: int, full: Window) -> Window:
    level = len(pyramid.metadata.levels) - 1
    t, _, z, y, x = pyramid.levels[level].shape
    piece = Region(_middle(t, 1), (channel, channel + 1), _middle(z, 1), _middle(y, PIECE), _middle(x, PIECE))
    try:
        pixels = pyramid.read(level, piece)
    except ImageLoadError:  # whoever asks for these pixels will be told; the others can still be looked at
        return full
    values = np.abs(pixels) if pixels.dtype.kind == "c" else pixels
    known = values[np.isfinite(values)].astype(np.float64)
    if not known.size:
        return full
    low, high = (float(value) for value in np.percentile(known, PERCENTILES))
    if low == high:
        low, high = float(known.min()), float(known.max())
    return (low, high) if low < high else full


def _middle(length: int, wanted: int) -> Span:
    """Return the span of at most so many pixels in the middle of an axis."""
    start = max(0, (length - wanted) // 2) if wanted > 1 else length // 2
    return start, min(length, start + wanted)
