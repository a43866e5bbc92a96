"""Tiles of an image for a page that looks at it: halved again and again, each read from the level that is enough."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from coverslip.errors import RegionError
from coverslip.model import CanRead, ImageMetadata, Region, RenderSpec
from coverslip.model.export import HexColor, Name
from coverslip.model.metadata import Finite, Frozen
from coverslip.render import channel_colors, percentile_limits
from coverslip.render.compose import Ink, paint, shown_channels, true_color
from coverslip.render.contrast import Limits
from coverslip.render.export.outlines import inner_boundaries
from coverslip.render.planes import plane
from coverslip.render.views import View
from coverslip.render.views import plan as plan_view

SIDE = 256
"""Rows and columns of a tile."""
OVERVIEW = 512
"""Pixels along the longer side of what contrast is measured on."""
KEPT_BYTES = 128 << 20
"""Decoded planes of tiles that are kept, so that changes of colour and contrast read nothing."""
LABEL_PIXELS = 16 << 20
"""Pixels of a label image that are read at a time."""
Index = Annotated[int, Field(ge=0, le=1_000_000)]


class ChannelShown(Frozen):
    """How a channel is shown."""

    index: Index
    color: HexColor = "#ffffff"
    low: Finite = 0.0
    high: Finite = 1.0
    visible: bool = True

    @property
    def limits(self) -> Limits:
        """What is black and what is the full colour; never two equal values."""
        return (self.low, self.high) if self.low < self.high else (self.low, self.low + max(1e-6, abs(self.low) * 1e-6))


class MaskShown(Frozen):
    """How the outlines of a label image are shown."""

    name: Name
    color: HexColor = "#ffffff"
    visible: bool = False


class Look(Frozen):
    """What of an image is shown, and how."""

    t: Index = 0
    z: Index = 0
    channels: Annotated[tuple[ChannelShown, ...], Field(max_length=1024)] = ()
    masks: Annotated[tuple[MaskShown, ...], Field(max_length=64)] = ()


class Tiled:
    """An image as tiles. Tile ``k, x, y`` has ``SIDE`` by ``SIDE`` pixels, each of them ``2**k`` pixels of the image.

    Parameters
    ----------
    image
        Anything that can be read.
    labels
        Its label images by name: one plane each, as large as the image, whole numbers.
    """

    def __init__(self, image: CanRead, labels: Sequence[CanRead] = ()) -> None:
        self.image = image
        self.labels = {one.metadata.name: one for one in labels}
        meta = image.metadata
        self.zooms = max(0, math.ceil(math.log2(max(meta.size_x, meta.size_y) / SIDE))) + 1
        """How many halvings there are: at the last one a single tile shows everything."""
        self._kept: OrderedDict[tuple[Any, ...], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def metadata(self) -> ImageMetadata:
        """Of the image."""
        return self.image.metadata

    def first_look(self) -> Look:
        """Return the middle slice of the first time point, each channel in its own colour; reads no pixel."""
        meta = self.metadata
        shown = set(shown_channels(meta, None))
        count = 1 if meta.samples >= 3 else meta.size_c
        top = 255.0 if meta.dtype == "uint8" else 65535.0 if meta.dtype == "uint16" else 1.0
        colors = channel_colors(meta)
        channels = tuple(
            ChannelShown(index=c, color="#%02x%02x%02x" % colors[c], high=top, visible=c in shown)  # noqa: UP031
            for c in range(count)
        )
        masks = tuple(MaskShown(name=name) for name in self.labels)
        return Look(z=meta.size_z // 2, channels=channels, masks=masks)

    def range_of(self, c: int, t: int, z: int) -> dict[str, float]:
        """Return the grey levels of a channel in a slice: ``min``, ``max`` and the 1st and 99.7th percentile.

        Raises
        ------
        RegionError
            There is no such slice.
        ReadError
            The file does not give it.
        """
        meta = self.metadata
        view = plan_view(meta, RenderSpec(width=OVERVIEW, height=OVERVIEW, t=t, z=z, channels=(c,)))
        pixels = plane(self.image, view, c)
        if meta.samples >= 3 and meta.dtype == "uint8":
            return {"min": 0.0, "max": 255.0, "low": 0.0, "high": 255.0}
        low, high = percentile_limits(pixels, 1, 99.7)
        finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
        least, most = (float(finite.min()), float(finite.max())) if finite.size else (low, high)
        return {"min": min(least, low), "max": max(most, high), "low": low, "high": high}

    def draw(self, k: int, x: int, y: int, look: Look) -> NDArray[np.uint8]:
        """Return a tile: uint8 of shape Y, X, 3, smaller at the right and lower edge of the image.

        Raises
        ------
        RegionError
            There is no such tile, time point, slice or channel.
        ReadError
            The file does not give its pixels.
        """
        box = self._box(k, x, y)
        self._check(look)
        target = tuple(-(-(stop - start) // (1 << k)) for start, stop in box)
        canvas = np.zeros((*target, 3), np.uint8)
        for shown in look.channels:
            if not shown.visible:
                continue
            pixels = self._plane(k, x, y, look, shown.index)
            if pixels.ndim == 3:
                canvas[:] = true_color(pixels, shown.limits)
            else:
                color = shown.color
                red, green, blue = (int(color[n : n + 2], 16) for n in (1, 3, 5))
                paint(canvas, pixels, Ink(shown.limits, (red, green, blue)))
        for mask in look.masks:
            if mask.visible and mask.name in self.labels:
                where = self._outlines(self.labels[mask.name], box, 1 << k)
                canvas[where] = list(bytes.fromhex(mask.color[1:]))
        return canvas

    def _check(self, look: Look) -> None:
        meta = self.metadata
        if look.t >= meta.size_t or look.z >= meta.size_z:
            raise RegionError(f"there are {meta.size_t} time points and {meta.size_z} slices, counted from 0")
        wrong = [one.index for one in look.channels if one.index >= meta.size_c]
        if wrong:
            raise RegionError(f"channel {wrong[0]} does not exist; there are {meta.size_c}")

    def _box(self, k: int, x: int, y: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return rows and columns of the image that a tile shows."""
        meta = self.metadata
        step = SIDE << k if 0 <= k < self.zooms else 0
        if not step or x < 0 or y < 0 or x * step >= meta.size_x or y * step >= meta.size_y:
            raise RegionError(f"there is no tile {k}, {x}, {y}")
        rows = y * step, min(meta.size_y, (y + 1) * step)
        return rows, (x * step, min(meta.size_x, (x + 1) * step))

    def _plane(self, k: int, x: int, y: int, look: Look, c: int) -> NDArray[Any]:
        key = (k, x, y, look.t, look.z, c)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = plane(self.image, self._view(k, x, y, look), c)
        with self._lock:
            self._kept[key] = pixels
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return pixels

    def _view(self, k: int, x: int, y: int, look: Look) -> View:
        """Return what is read for a tile: from the coarsest level that has all of its pixels."""
        meta = self.metadata
        box = self._box(k, x, y)
        target = -(-(box[0][1] - box[0][0]) // (1 << k)), -(-(box[1][1] - box[1][0]) // (1 << k))
        level = max(n for n, size in enumerate(meta.levels) if n == 0 or meta.size_x / size.size_x <= (1 << k) * 1.01)
        size = meta.levels[level]
        rows, columns = (
            _scaled(span, full, length)
            for span, full, length in zip(box, (meta.size_y, meta.size_x), (size.size_y, size.size_x), strict=True)
        )
        z = min(size.size_z - 1, look.z * size.size_z // meta.size_z)
        return View(level, look.t, 0, (z, z + 1), rows, columns, "max", 1, target)

    @staticmethod
    def _outlines(labels: CanRead, box: tuple[tuple[int, int], tuple[int, int]], step: int) -> NDArray[np.bool_]:
        """Return where outlines are in a tile: every ``step``-th label counts, those around the tile too."""
        meta = labels.metadata
        (y0, y1), (x0, x1) = box
        left, upper = min(x0, step), min(y0, step)
        right, lower = min(meta.size_x, x1 + step), min(meta.size_y, y1 + step)
        rows = max(1, LABEL_PIXELS // max(1, right - x0 + left) // step) * step
        parts = []
        for start in range(y0 - upper, lower, rows):
            some = Region(y=(start, min(lower, start + rows)), x=(x0 - left, right))
            parts.append(labels.read(0, some)[0, 0, 0, ::step, ::step])
        found = inner_boundaries(np.concatenate(parts))
        height, width = -(-(y1 - y0) // step), -(-(x1 - x0) // step)
        return found[upper // step :, left // step :][:height, :width]


def _scaled(span: tuple[int, int], full: int, length: int) -> tuple[int, int]:
    """Return a range of full resolution in pixels of a level of another length."""
    if full == length:
        return span
    start = min(length - 1, math.floor(span[0] * length / full + 1e-6))
    return start, max(start + 1, min(length, math.ceil(span[1] * length / full - 1e-6)))
