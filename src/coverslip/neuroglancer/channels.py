"""What Neuroglancer shows of the channels of an image that it reads as OME-Zarr. Pure: metadata -> document.

Format: https://neuroglancer-docs.web.app/json/api/index.html. One layer per channel, so that each can be hidden and has
contrast and colour of its own; their lights add up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coverslip.errors import BuildError
from coverslip.model import ImageMetadata
from coverslip.model.metadata import Unit
from coverslip.ngff.documents import Color, Window, channels, type_range

TYPES = frozenset({"float32", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32)), "uint64"})
"""The types of pixels that Neuroglancer shows."""

METERS: Mapping[Unit, float] = {
    "pm": 1e-12,
    "angstrom": 1e-10,
    "nm": 1e-9,
    "um": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
    "km": 1e3,
    "in": 0.0254,
}
AXES = "xyzt"
"""The dimensions of a state, in their order."""
PANEL = (1000, 700)
"""About the size, in pixels of the screen, that a flat image is fitted into; others have two such panels."""
SHADER = """#uicontrol invlerp contrast
#uicontrol vec3 color color
void main() {
  emitRGB(color * contrast());
}
"""


def frame(metadata: ImageMetadata) -> dict[str, Any]:
    """Return all of the state of an image but its layers: dimensions, position, zoom and what the panels are."""
    dimensions = {axis: scale_and_unit(metadata, axis) for axis in AXES}
    lengths = (metadata.size_x, metadata.size_y, metadata.size_z, metadata.size_t)
    is_flat = metadata.size_z == 1
    shown = "xy" if is_flat else "xyz"
    extents = _extents(lengths, [dimensions[axis][0] for axis in shown])
    panels = 1 if is_flat else 2
    return {
        "title": metadata.name,
        "dimensions": dimensions,
        "displayDimensions": list(shown),
        "position": [length // 2 for length in lengths],  # of an OME-Zarr, whole numbers are the centres of pixels
        "crossSectionScale": panels * max(extents[0] / PANEL[0], extents[1] / PANEL[1]),
        "projectionScale": 1.5 * max(extents),
        "selectedLayer": {"visible": False},
        "layout": "xy" if is_flat else "4panel",
        "showAxisLines": False,
        "crossSectionBackgroundColor": "#000000",
    }


def channel_layers(
    metadata: ImageMetadata, url: str, *, windows: Sequence[Window], colors: Sequence[Color] | None = None
) -> list[dict[str, Any]]:
    """Return a layer for every channel, colour samples counted as channels.

    Parameters
    ----------
    metadata
        Of the image.
    url
        Of the image as OME-Zarr, as Neuroglancer wants it: ``zarr3://https://...``.
    windows
        Display range of every channel, colour samples counted as channels.
    colors
        Display colour of every channel of the metadata; the file's own or white where left out.

    Raises
    ------
    BuildError
        Neuroglancer has no such type of pixels.
    """
    check_type(metadata)
    entries = channels(metadata, windows, colors)
    return [_layer(metadata, number, entry, url) for number, entry in enumerate(entries)]


def scale_and_unit(metadata: ImageMetadata, axis: str) -> tuple[float, str]:
    """Return how far apart two pixels are along t, z, y or x, in metres or seconds; 1 without a unit where unknown."""
    if axis == "t":
        return (1.0, "") if metadata.time_increment_s is None else (metadata.time_increment_s, "s")
    size = {"z": metadata.pixel_size_z, "y": metadata.pixel_size_y, "x": metadata.pixel_size_x}[axis]
    return (1.0, "") if size is None else (size.value * METERS[size.unit], "m")


def check_type(metadata: ImageMetadata) -> None:
    """Raise ``BuildError`` where Neuroglancer has no such type of pixels."""
    if metadata.dtype not in TYPES:
        raise BuildError(
            f"Neuroglancer shows no pixels of type {metadata.dtype}; it knows {', '.join(sorted(TYPES))}",
            retryable=False,
        )


def _layer(metadata: ImageMetadata, number: int, entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    window = entry["window"]
    start, end = limits(window["start"], window["end"], np.dtype(metadata.dtype))
    low, high = limits(*_around(start, end, metadata), np.dtype(metadata.dtype))
    return {
        "type": "image",
        "name": f"{number} {entry['label']}",  # names of channels need not differ, those of layers must
        "source": {"url": url},
        "localDimensions": {"c'": [1, ""]},
        "localPosition": [number],
        "shader": SHADER,
        "shaderControls": {
            "contrast": {"range": [start, end], "window": [low, high]},
            "color": f"#{entry['color'].lower()}",
        },
        "blend": "additive",
        "opacity": 1,
        "visible": entry["active"],
    }


def limits(low: float, high: float, dtype: np.dtype[Any]) -> tuple[float, float] | tuple[int, int]:
    """Return two different limits as Neuroglancer takes them: whole numbers for types of whole numbers."""
    if dtype.kind not in "iu":
        return (low, high) if low < high else (low, low + 1.0)
    whole = round(low), round(high)
    if whole[0] < whole[1]:
        return whole
    return (whole[0], whole[0] + 1) if whole[0] < np.iinfo(dtype).max else (whole[0] - 1, whole[0])


def _around(start: float, end: float, metadata: ImageMetadata) -> Window:
    """Return what the contrast control spans: what is shown and as much again on both sides."""
    margin = (end - start) / 2
    low, high = type_range(np.dtype(metadata.dtype)) or (-np.inf, np.inf)
    return max(low, start - margin), min(high, end + margin)


def _extents(lengths: Sequence[int], scales: Sequence[float]) -> list[float]:
    """Return width, height and depth in the smallest pixel along any of them, which is the unit of zoom."""
    return [length * scale / min(scales) for length, scale in zip(lengths, scales, strict=False)]
