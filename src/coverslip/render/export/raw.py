"""Pixels as they are: channels of a window as an image that writers of OME-Zarr and TIFF read piece by piece."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.model import CanRead, ImageMetadata, Region
from coverslip.model.export import ChannelLook
from coverslip.model.metadata import ChannelInfo, PhysicalSize
from coverslip.render.export.fov import Fov, Pixels, taken
from coverslip.render.export.regions import Grid, Window, grid

BLOCK = 1 << 22
"""Pixels of a mask that are looked at at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class RawImage:
    """A window of a field of view as it is: an image of one level; as safe from many threads as its planes."""

    metadata: ImageMetadata
    planes: tuple[Pixels, ...]
    """One for each channel, Y, X."""
    where: Grid
    labels: tuple[CanRead, ...] = ()
    """Masks, as label images of their own; none where they are channels."""
    hidden: tuple[Pixels, int] | None = None
    """A mask, and the only object of it whose pixels are kept; all others are 0."""

    def read(self, level: int, region: Region) -> NDArray[Any]:
        """Return pixels: shape T, C, Z, Y, X, type ``metadata.dtype``; what lies outside the field of view is 0.

        Raises
        ------
        RegionError
            The region lies outside the window.
        ReadError
            A plane cannot be read.
        """
        assert level == 0
        height, width = self.where.full
        box = region.resolve((1, len(self.planes), 1, height, width))
        _, (first, last), _, rows, columns = box.spans
        out = np.zeros((1, last - first, 1, rows[1] - rows[0], columns[1] - columns[0]), self.metadata.dtype)
        inside = self.where.inside
        top, left = self.where.asked.y0 + rows[0], self.where.asked.x0 + columns[0]
        y0, y1 = max(inside.y0, top), min(inside.y1, top + out.shape[3])
        x0, x1 = max(inside.x0, left), min(inside.x1, left + out.shape[4])
        if y0 >= y1 or x0 >= x1:
            return out
        place = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        keep = None
        if self.hidden is not None:
            mask, label = self.hidden
            keep = taken(mask, slice(y0, y1), slice(x0, x1)) == label
        for number, plane in enumerate(self.planes[first:last]):
            part = taken(plane, slice(y0, y1), slice(x0, x1))
            out[0, number, 0][place] = part if keep is None else np.where(keep, part, 0)
        return out

    @property
    def names(self) -> tuple[str, ...]:
        """Of its channels."""
        return tuple(channel.name for channel in self.metadata.channels)

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """Height and width of a pixel in micrometres; ``None`` where they are not known."""
        y, x = self.metadata.pixel_size_y, self.metadata.pixel_size_x
        return None if y is None or x is None else (y.micrometers, x.micrometers)


def raw_image(
    fov: Fov,
    looks: Sequence[ChannelLook],
    window: Window,
    *,
    masks: Sequence[str] = (),
    pad: bool = False,
    alone: tuple[str, int] | None = None,
    name: str = "",
    are_labels_apart: bool = False,
) -> RawImage:
    """Return channels and masks of a window as they are; no pixel is read but those of masks that become channels.

    Parameters
    ----------
    fov
        Its planes.
    looks
        Channels in the order wanted, each found by its name or an alias; none at all are all there are. Their colours
        go along.
    window
        Pixels at full resolution.
    masks
        Exact names. They follow the channels, in one type that holds all.
    are_labels_apart
        Whether masks are label images instead, in types of their own.
    pad
        Whether what lies outside is 0. Without, the image is smaller at an edge.
    alone
        A mask and one of its labels: all other pixels are 0.
    name
        Of the image.

    Raises
    ------
    MissingPartError
        There is no such channel or mask.
    OutsideImageError
        No pixel of the window lies in the image.
    ExportError
        A plane is of another size, or nothing is asked for.
    """
    where = grid(window, fov.size, 1, pad=pad, name=fov.name)
    looks = looks or [ChannelLook(channel=one) for one in fov.channels]
    channels = {fov.channel_name(look): fov.channel(look) for look in looks}
    colors = {fov.channel_name(look): look.color for look in looks}
    label_planes = {one: fov.mask(one) for one in dict.fromkeys(masks)}
    if not channels and (are_labels_apart or not label_planes):
        raise ExportError("neither a channel nor a mask is asked for", recoverable=False)
    hidden = None if alone is None else (fov.mask(alone[0]), alone[1])
    types = [np.dtype(plane.dtype) for plane in channels.values()]
    name = name or fov.name
    if are_labels_apart:
        labels = tuple(
            RawImage(_metadata(one, where, fov, {one: None}, np.dtype(plane.dtype)), (plane,), where, (), hidden)
            for one, plane in label_planes.items()
        )
        meta = _metadata(name, where, fov, colors, np.result_type(*types))
        return RawImage(meta, tuple(channels.values()), where, labels, hidden)
    types += [_narrowest(plane, where) for plane in label_planes.values()]
    named: Mapping[str, str | None] = {**colors, **dict.fromkeys(label_planes)}
    planes = (*channels.values(), *label_planes.values())
    if len(named) != len(planes):  # a channel and a mask of one name
        raise ExportError(f"{fov.name}: a channel and a mask have the same name; OME-Zarr keeps them apart")
    return RawImage(_metadata(name, where, fov, named, np.result_type(*types)), planes, where, (), hidden)


def _metadata(
    name: str, where: Grid, fov: Fov, colors: Mapping[str, str | None], dtype: np.dtype[Any]
) -> ImageMetadata:
    height, width = where.full
    y, x = (None, None) if fov.pixel_um is None else map(PhysicalSize.known, fov.pixel_um)
    channels = tuple(ChannelInfo(index=n, name=one, color=color) for n, (one, color) in enumerate(colors.items()))
    return ImageMetadata(
        name=name,
        file_format="window",
        size_c=len(channels),
        size_y=height,
        size_x=width,
        dtype=dtype.newbyteorder("=").name,
        pixel_size_x=x,
        pixel_size_y=y,
        channels=channels,
    )


def _narrowest(plane: Pixels, where: Grid) -> np.dtype[Any]:
    """Return the smallest type that holds the labels of a mask in the window."""
    inside = where.inside
    step = max(1, BLOCK // inside.width)
    top = 0
    for first in range(inside.y0, inside.y1, step):
        part = taken(plane, slice(first, min(inside.y1, first + step)), slice(inside.x0, inside.x1))
        top = max(top, int(part.max()))
    return np.min_scalar_type(top)
