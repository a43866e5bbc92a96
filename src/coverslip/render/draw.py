"""One image becomes one picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError
from coverslip.model import CanRead, ImageMetadata, RenderSpec
from coverslip.model.render import Contrast
from coverslip.render.colors import WHITE, Color, channel_colors, is_transmitted
from coverslip.render.compose import Ink, paint, shown_channels, true_color
from coverslip.render.contrast import Limits, percentile_limits
from coverslip.render.luts import table
from coverslip.render.planes import plane
from coverslip.render.views import Sheet, layout, of_channel


def draw(image: CanRead, spec: RenderSpec) -> NDArray[np.uint8]:
    """Return the picture of an image: uint8 of shape Y, X, 3 (red, green, blue), fitting the box of the spec.

    The coarsest pyramid level that is still large enough is read plane by plane, projected, area-averaged to the size
    of the picture, stretched between two values or two percentiles *of the pixels shown*, and put together in the
    channels' colours. Measuring on the averaged pixels keeps single-pixel noise from wasting the grey scale.

    * Without a chosen z the projection is the maximum, except (unless asked for by name) for pictures by transmitted
      light and electrons (MRC files, bright field, phase, DIC), where structure is dark and a maximum shows the empty
      background: there it is the middle slice.
    * More than seven channels and none chosen: the first four.
    * Colour samples are shown as they are when they are uint8, otherwise stretched together; alpha is dropped. Of
      several colour channels the first one chosen is shown. They have no lookup table.
    * An image with one row and several slices (an x-z scan) is shown z by x.
    * Looked at along Y or X, and in a multi-view, proportions are those of the specimen: slices that lie further
      apart than pixels are repeated. The views of a multi-view share their contrast.
    * Standard deviations and medians are those of the pyramid level that is read, whose noise is lower.

    Parameters
    ----------
    image
        Anything that can be read.
    spec
        What to show and how large. Images are never enlarged, but for the distance of slices.

    Raises
    ------
    RegionError
        The time point, slice, channel, level or rectangle does not exist.
    InvalidRequestError
        The percentiles are not in order, there are more contrasts or tables than channels, or fewer.
    ReadError
        The file does not give the pixels.
    """
    meta = image.metadata
    sheet = layout(meta, spec)
    channels = shown_channels(meta, spec.channels)
    if meta.samples >= 3:
        channels = channels[:1]
    contrasts = _for_each(spec.contrast, len(channels), "contrast")
    luts = _for_each(spec.luts, len(channels), "luts")
    canvas = np.zeros((*sheet.size, 3), np.uint8)
    for c, contrast, lut in zip(channels, contrasts, luts, strict=True):
        planes = [plane(image, of_channel(meta, view, c), c) for view, _, _ in sheet.views]
        if meta.samples >= 3 and contrast is None and meta.dtype == "uint8":
            limits: Limits = (0.0, 255.0)
        else:
            limits = _limits(planes, contrast, spec)
        ink = Ink(limits, _color(meta, c, len(channels)), spec.gamma, None if lut is None else table(lut))
        _put(canvas, sheet, planes, ink, spec)
    return canvas


def _put(canvas: NDArray[np.uint8], sheet: Sheet, planes: Sequence[NDArray[Any]], ink: Ink, spec: RenderSpec) -> None:
    """Put the views of one channel in their places."""
    for (view, row, column), pixels in zip(sheet.views, planes, strict=True):
        place = canvas[row : row + view.target[0], column : column + view.target[1]]
        if pixels.ndim == 3:
            place[:] = true_color(pixels, ink.limits, ink.gamma)
        else:
            paint(place, pixels, ink, spec.blend)


def _limits(planes: Sequence[NDArray[Any]], contrast: Contrast | None, spec: RenderSpec) -> Limits:
    """Return what is black and what is full colour in all views of a channel."""
    if contrast is not None and contrast.unit == "value":
        return contrast.low, contrast.high
    low, high = (spec.low, spec.high) if contrast is None else (contrast.low, contrast.high)
    pixels = planes[0] if len(planes) == 1 else np.concatenate([pixels.ravel() for pixels in planes])
    return percentile_limits(pixels, low, high)


def _color(meta: ImageMetadata, c: int, count: int) -> Color:
    """Return the colour a channel is shown in; transmitted light alone is white."""
    return WHITE if count == 1 and is_transmitted(meta.channels[c]) else channel_colors(meta)[c]


def _for_each[T](given: Sequence[T], count: int, name: str) -> Sequence[T | None]:
    """Return one choice per channel: the only one there is for all, none for none."""
    if len(given) <= 1:
        return [given[0] if given else None] * count
    if len(given) != count:
        raise InvalidRequestError(f"{name}: {len(given)} given for {count} channels; give one for each, or one for all")
    return given
