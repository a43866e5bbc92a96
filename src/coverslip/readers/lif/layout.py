"""Where the pixels of a LIF image lie in its memory block, and reading any part of them.

The XML states for every axis and every channel how many bytes lie between neighbours, so any order of axes can be
addressed without knowing it beforehand: xyz, xzy, channels innermost (colour) or outermost, padded rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import IO, TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

IMAGE = "./Data/Image/ImageDescription"
AXES = {1: "X", 2: "Y", 3: "Z", 4: "T", 5: "λ", 6: "A", 7: "N", 8: "Q", 9: "Λ", 10: "M", 11: "L"}
"""Axis by ``DimID``: emission, rotation, xt slices, t slices, excitation, mosaic tile, loop."""
PIXEL_AXES = ("T", "Z", "Y", "X")
RED_GREEN_BLUE = (1, 2, 3)
WASTE_BYTES = 1 << 16
"""Reading so many bytes for nothing is cheaper than another call."""
CHUNK_BYTES = 64 << 20
MAX_CHANNELS = 65_536
"""Of all tiles together."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the image."""

    name: str
    length: int
    stride: int
    """Bytes from one element to the next."""
    extent: float
    """From the centre of the first element to that of the last, in ``unit``."""
    unit: str
    origin: float = 0.0
    """Where the first element is, in ``unit``."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One channel as stored."""

    offset: int
    """Bytes from the start of the image."""
    dtype: "np.dtype[np.generic]"
    tag: int
    """1 red, 2 green, 3 blue, 0 none of them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the pixels of an image lie in its memory block."""

    axes: tuple[Axis, ...]
    """Outermost first."""
    planes: tuple[Plane, ...]
    """Stored channels in the order of their bytes."""

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Pixel type, the same for all channels."""
        return self.planes[0].dtype

    @property
    def is_rgb(self) -> bool:
        """Whether the channels are the interleaved colours of one."""
        tags = tuple(sorted(plane.tag for plane in self.planes))
        stride = next((axis.stride for axis in self.axes if axis.name == "X"), 0)
        return tags == RED_GREEN_BLUE and max(plane.offset for plane in self.planes) < stride

    @property
    def folded(self) -> tuple[Axis, ...]:
        """Axes that become channels, outermost first; tiles become images instead."""
        return tuple(axis for axis in self.axes if axis.name not in (*PIXEL_AXES, "M") and axis.length > 1)

    @property
    def tiles(self) -> int:
        """How many mosaic tiles there are."""
        return self.length("M")

    def length(self, name: str) -> int:
        """Length of an axis, 1 where there is none."""
        return prod(axis.length for axis in self.axes if axis.name == name)

    def axis(self, name: str) -> Axis | None:
        """Return an axis of the image, ``None`` where there is none."""
        return next((axis for axis in self.axes if axis.name == name), None)

    def fold_offsets(self) -> list[int]:
        """Return the byte offsets of the folded axes' elements, in the order they become channels."""
        steps = (range(axis.length) for axis in self.folded)
        strides = [axis.stride for axis in self.folded]
        return [sum(i * stride for i, stride in zip(place, strides, strict=True)) for place in product(*steps)]


def parse_layout(element: ET.Element) -> Layout:
    """Return the layout of an image from its XML element.

    Raises
    ------
    ValueError
        The description is missing or contradicts itself.
    """
    axes = [_axis(found) for found in element.findall(f"{IMAGE}/Dimensions/DimensionDescription")]
    planes = [_plane(found) for found in element.findall(f"{IMAGE}/Channels/ChannelDescription")]
    if not axes or not planes:
        raise ValueError("the image has no axes or no channels")
    if len({plane.offset for plane in planes}) < len(planes):
        raise ValueError("several channels claim the same pixels")
    if len({plane.dtype for plane in planes}) > 1:
        raise ValueError("the channels are of different types, but have common distances")
    names = [axis.name for axis in axes]
    twice = {name for name in names if names.count(name) > 1}
    if twice & {*PIXEL_AXES, "M"}:
        raise ValueError(f"the axis {twice} is described twice")
    outermost_first = sorted(axes, key=lambda axis: axis.stride, reverse=True)
    layout = Layout(tuple(outermost_first), tuple(sorted(planes, key=lambda plane: plane.offset)))
    if layout.tiles * len(planes) * prod(axis.length for axis in layout.folded) > MAX_CHANNELS:
        raise ValueError("there are more channels and tiles than can be")
    return layout


def _axis(found: ET.Element) -> Axis:
    length, stride = int(found.attrib["NumberOfElements"]), int(found.attrib["BytesInc"])
    if length < 1 or stride < 0:
        raise ValueError(f"an axis of {length} elements of {stride} bytes cannot be")
    extent = float(found.get("Length") or 0)
    origin = float(found.get("Origin") or 0)
    return Axis(AXES.get(int(found.attrib["DimID"]), "?"), length, stride, extent, found.get("Unit", ""), origin)


def _plane(found: ET.Element) -> Plane:
    bits, kind = int(found.attrib["Resolution"]), found.get("DataType", "0")
    size = next((size for size in (1, 2, 4, 8) if 0 < bits <= size * 8), None)
    if size is None or kind not in {"0", "1"} or (kind == "1" and size == 1):
        raise ValueError(f"pixels of {bits} bits and type {kind} are not known")
    offset = int(found.attrib["BytesInc"])
    if offset < 0:
        raise ValueError(f"a channel at byte {offset} cannot be")
    return Plane(offset, np.dtype(f"<{'uf'[int(kind)]}{size}"), int(found.get("ChannelTag") or 0))


def read_strided(
    stream: IO[bytes], offset: int, shape: Sequence[int], strides: Sequence[int], dtype: "np.dtype[np.generic]"
) -> "Array":
    """Return an array whose elements lie at regular distances in a file.

    Bytes that are not wanted are read only where that is cheaper than to skip them.

    Raises
    ------
    EOFError
        The file ends before the last element.
    """
    order = sorted(range(len(shape)), key=lambda i: strides[i], reverse=True)
    out: Array = np.empty([shape[i] for i in order], dtype)
    _read_into(stream, offset, out, [strides[i] for i in order])
    return out.transpose(np.argsort(order))


def _read_into(stream: IO[bytes], offset: int, out: "Array", strides: Sequence[int]) -> None:
    """Fill ``out``, whose axes are sorted by stride, splitting the outermost axis as long as that pays."""
    span = sum((n - 1) * stride for n, stride in zip(out.shape, strides, strict=True)) + out.dtype.itemsize
    if out.ndim and (span - out.nbytes > max(WASTE_BYTES, out.nbytes) or span > CHUNK_BYTES) and out.ndim > 1:
        for i in range(len(out)):
            _read_into(stream, offset + i * strides[0], out[i], strides[1:])
        return
    stream.seek(offset)
    data = stream.read(span)
    if len(data) < span:
        raise EOFError(f"{span} bytes at {offset} are needed, {len(data)} are there")
    out[...] = np.ndarray(out.shape, out.dtype, data, strides=strides)
