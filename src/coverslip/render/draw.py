"""One image becomes one picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError
from coverslip.model import CanRead, ImageMetadata, Region, RenderSpec
from coverslip.render.colors import WHITE, channel_colors, is_transmitted
from coverslip.render.compose import add_channel, shown_channels, true_color
from coverslip.render.contrast import percentile_limits
from coverslip.render.project import max_projection, measured
from coverslip.render.resample import Shrinker, fit

BAND_PIXELS = 64 << 20
"""Planes above this are read in bands of rows."""

BAND_ROWS = 512
"""Bands are multiples of this, so that tiles are seldom decoded twice."""


@dataclass(frozen=True, slots=True)
class View:
    """What is read to draw one picture, in pixels of one level."""

    level: int
    t: int
    rows_axis: Literal["y", "z"]
    """The axis that runs down the picture; z for x-z scans."""
    source: tuple[int, int]
    """Rows and columns to read."""
    target: tuple[int, int]
    """Rows and columns of the picture."""
    size_z: int
    """Slices of the level."""
    z: int | None
    """The slice to show; ``None`` where nobody chose one."""
    always_max: bool
    """Whether the maximum is wanted even of dark structures."""

    def region(self, c: int, z: int, rows: tuple[int, int]) -> Region:
        """Return the region of some rows of one plane."""
        t, channel, columns = (self.t, self.t + 1), (c, c + 1), (0, self.source[1])
        if self.rows_axis == "z":
            return Region(t=t, c=channel, z=rows, y=(0, 1), x=columns)
        return Region(t=t, c=channel, z=(z, z + 1), y=rows, x=columns)


def draw(image: CanRead, spec: RenderSpec) -> NDArray[np.uint8]:
    """Return the picture of an image: uint8 of shape Y, X, 3 (red, green, blue), fitting the box of the spec.

    The coarsest pyramid level that is still large enough is read plane by plane, projected over z, area-averaged to
    the size of the picture, stretched between two percentiles *of the pixels shown*, and added up in the channels'
    colours. Measuring on the averaged pixels keeps single-pixel noise from wasting the grey scale.

    * Without a chosen z the projection is the maximum, except (unless asked for by name) for pictures by transmitted
      light and electrons (MRC files, bright field, phase, DIC), where structure is dark and a maximum shows the empty
      background: there it is the middle slice.
    * More than seven channels and none chosen: the first four.
    * Colour samples are shown as they are when they are uint8, otherwise stretched together; alpha is dropped. Of
      several colour channels the first one chosen is shown.
    * An image with one row and several slices (an x-z scan) is shown z by x.

    Parameters
    ----------
    image
        Anything that can be read.
    spec
        What to show and how large. Images are never enlarged.

    Raises
    ------
    RegionError
        The time point, slice or channel does not exist.
    InvalidRequestError
        The percentiles are not in order.
    ReadError
        The file does not give the pixels.
    """
    meta = image.metadata
    view = plan(meta, spec)
    channels = shown_channels(meta, spec.channels)
    if meta.samples >= 3:
        plane = _plane(image, view, channels[0])
        limits = (0.0, 255.0) if meta.dtype == "uint8" else percentile_limits(plane, spec.low, spec.high)
        return true_color(plane, limits)
    colors = channel_colors(meta)
    canvas = np.zeros((*view.target, 3), np.uint8)
    for c in channels:
        plane = _plane(image, view, c)
        alone = len(channels) == 1 and is_transmitted(meta.channels[c])
        limits = percentile_limits(plane, spec.low, spec.high)
        add_channel(canvas, plane, limits, WHITE if alone else colors[c])
    return canvas


def plan(meta: ImageMetadata, spec: RenderSpec) -> View:
    """Return what must be read for a picture.

    Raises
    ------
    RegionError
        The time point or slice does not exist.
    """
    t = meta.size_t // 2 if spec.t is None else spec.t
    for axis, chosen, length in (("time point", t, meta.size_t), ("slice", spec.z, meta.size_z)):
        if chosen is not None and not 0 <= chosen < length:
            raise RegionError(f"{axis} {chosen} does not exist; there are {length}, counted from 0")
    rows_axis: Literal["y", "z"] = "z" if meta.size_y == 1 and meta.size_z > 1 else "y"
    sizes = [(size.size_z if rows_axis == "z" else size.size_y, size.size_x) for size in meta.levels]
    width, height = fit(sizes[0][1], sizes[0][0], spec.width, spec.height)
    level = max(i for i, (rows, columns) in enumerate(sizes) if i == 0 or (rows >= height and columns >= width))
    size_z = meta.levels[level].size_z
    z = None if spec.z is None else int((spec.z + 0.5) * size_z / meta.size_z)
    return View(level, t, rows_axis, sizes[level], (height, width), size_z, z, spec.projection == "max")


def default_slice(meta: ImageMetadata) -> int | None:
    """Return the slice that is shown when nobody chooses one, or ``None`` where it is the maximum projection."""
    dark = meta.size_z > 1 and all(_is_dark(meta, c) for c in range(meta.size_c))
    return meta.size_z // 2 if dark else None


def _is_dark(meta: ImageMetadata, c: int) -> bool:
    """Return whether structures are darker than their surroundings."""
    return meta.file_format == "MRC" or is_transmitted(meta.channels[c])


def _plane(image: CanRead, view: View, c: int) -> NDArray[Any]:
    """Return one channel, projected and resampled: Y, X (and 3 colour samples), real numbers."""
    slices = _slices(image.metadata, view, c)
    shrinker = Shrinker(view.source, view.target)
    for rows in _bands(view.source):
        shrinker.add(max_projection(_read(image, view, view.region(c, z, rows)) for z in slices))
    return shrinker.result()


def _slices(meta: ImageMetadata, view: View, c: int) -> range:
    """Return the slices to project."""
    if view.rows_axis == "z":
        return range(1)
    z = view.z
    if z is None and not view.always_max and _is_dark(meta, c):
        z = view.size_z // 2
    return range(view.size_z) if z is None else range(z, z + 1)


def _bands(source: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of rows of at most ``BAND_PIXELS``, one if the plane is not huge."""
    height, width = source
    rows = BAND_PIXELS // width
    rows = max(1, rows - rows % BAND_ROWS if rows > BAND_ROWS else rows)
    for start in range(0, height, rows):
        yield start, min(start + rows, height)


def _read(image: CanRead, view: View, region: Region) -> NDArray[Any]:
    """Return rows of one plane as real numbers: Y, X (and 3 colour samples)."""
    pixels: NDArray[Any] = image.read(view.level, region)
    plane = pixels[0, 0, :, 0] if view.rows_axis == "z" else pixels[0, 0, 0]
    if image.metadata.samples >= 3:
        plane = plane[..., :3]
    elif image.metadata.samples == 2:
        plane = plane[..., 0]
    return measured(plane)
