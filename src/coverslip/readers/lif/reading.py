"""Leica LIF. Every image of the file is one of ours, named by its path in the project; mosaic tiles are images too.

Spectral, rotation and loop axes are folded into the channels (C outermost). xz images keep z and have y of length 1.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, OpenedFile, Probe, Region
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.budgets import check_xml_bytes
from coverslip.readers.lif.layout import PIXEL_AXES, Axis, Layout, Plane, parse_layout, read_strided
from coverslip.readers.lif.metadata import (
    SPECTRAL,
    Tile,
    parse_acquired_at,
    parse_channels,
    parse_microscope,
    parse_objective,
    parse_pixel_size,
    parse_stamps,
    parse_tiles,
    parse_time_increment,
    parse_vendor,
    parse_wavelengths,
)
from coverslip.readers.opened import Opened
from coverslip.readers.vendor_metadata import declares_type, optional

if TYPE_CHECKING:
    from liffile import LifFile, LifImageABC, LifMemoryBlock

    from coverslip.model.protocols import Array

BLOCK_MAGIC = b"\x70\x00\x00\x00"
TEXT_MAGIC = 0x2A
HEADER_BYTES = 13


class _Lif:
    def recognises(self, probe: Probe) -> bool:
        """Return whether the file starts with a text block that holds XML."""
        head = probe.head
        is_block = head.startswith(BLOCK_MAGIC) and len(head) > HEADER_BYTES and head[8] == TEXT_MAGIC
        return is_block and head[HEADER_BYTES : HEADER_BYTES + 2] in {b"<\x00", b"\xff\xfe"}

    def open(self, path: Path) -> OpenedFile:
        """Open the file: the XML description and the list of memory blocks, no pixels.

        Raises
        ------
        ReadError
            The file is cut off, or holds no image that can be read.
        """
        import liffile  # noqa: PLC0415  # its absence must not break the other readers

        _check_description(path)
        with ExitStack() as stack:
            lif = stack.enter_context(liffile.LifFile(stack.enter_context(BoundedFile(path))))
            images = _images(lif, path)
            return Opened((path,), images, stack.pop_all().close)


class _Image:
    """One image, or one tile of one.

    Parameters
    ----------
    lif
        The open file.
    layout
        How the pixels lie.
    start, stop
        Where they lie in the file; ``start`` is that of this tile.
    metadata
        Of this image.
    """

    def __init__(self, lif: "LifFile", layout: Layout, start: int, stop: int, metadata: ImageMetadata) -> None:
        self._lif = lif
        self._layout = layout
        self._start = start
        self._stop = stop
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a region; little more than its bytes is read."""
        meta, layout = self.metadata, self._layout
        t, (c0, c1), z, y, x = region.spans
        spans = dict(zip(PIXEL_AXES, (t, z, y, x), strict=True))
        shape = [stop - first for first, stop in spans.values()]
        axes = [layout.axis(name) for name in PIXEL_AXES]
        strides = [axis.stride if axis else 0 for axis in axes]
        corner = sum(first * stride for (first, _), stride in zip(spans.values(), strides, strict=True))
        last = corner + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        folds = layout.fold_offsets()
        out: Array = np.empty((*region.shape, meta.samples), meta.dtype)
        for c, sample in product(range(c0, c1), range(meta.samples)):
            plane = self._plane(c // len(folds), sample)
            offset = self._start + plane.offset + folds[c % len(folds)]
            if offset + last + plane.dtype.itemsize > self._stop:
                raise ReadError(f"{self._lif.filepath}: {meta.name!r} is larger than the memory block that holds it")
            out[:, c - c0, ..., sample] = read_strided(
                self._lif.filehandle, offset + corner, shape, strides, plane.dtype
            )
        return out if meta.samples > 1 else out[..., 0]

    def _plane(self, channel: int, sample: int) -> Plane:
        """Return a stored channel; colours by their tag, so that they come as R, G, B."""
        planes = self._layout.planes
        return sorted(planes, key=lambda plane: plane.tag)[sample] if self._layout.is_rgb else planes[channel]


def _check_description(path: Path) -> None:
    """Refuse a file that ends within its description, and a description that could declare entities."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(HEADER_BYTES - 4)
        length = int.from_bytes(stream.read(4), "little") * 2
        if HEADER_BYTES + length > size:
            raise _cut_off(path, size, "the description of its images is incomplete")
        check_xml_bytes(length)
        if declares_type(stream.read(length)):
            raise ReadError(f"{path}: the description of the images declares a document type; Leica's never does")


def _cut_off(path: Path, size: int, what: str) -> ReadError:
    return ReadError(f"{path}: the file is cut off: {what} ({size} bytes are there). Copy it again from its source")


def _images(lif: "LifFile", path: Path) -> list[_Image]:
    """Return the images of the file that have pixels; what is left out is named in their notes."""
    layouts: list[tuple[LifImageABC, LifMemoryBlock, Layout]] = []
    left_out: list[str] = []
    for found in lif.images:
        block = _block_of(lif, found, path)
        layout = optional(partial(parse_layout, found.xml_element), None)
        if block is None or found.is_flim:
            left_out += [f"{found.path!r} (lifetime data)"] if found.is_flim else []
        elif layout is None:
            left_out.append(f"{found.path!r} (its description makes no sense)")
        else:
            layouts.append((found, block, layout))
    if not layouts:
        raise ReadError(f"{path}: the file holds no image with pixels. Left out: {', '.join(left_out) or 'nothing'}")
    note = f"Not shown of this file: {', '.join(left_out)}." if left_out else ""
    return [image for found, block, layout in layouts for image in _tiles(lif, found, block, layout, note)]


def _block_of(lif: "LifFile", found: "LifImageABC", path: Path) -> "LifMemoryBlock | None":
    """Return where the pixels of an image are, ``None`` where the file promises none.

    Raises
    ------
    ReadError
        They are promised, and are not there.
    """
    memory = found.xml_element.find("./Memory")
    if memory is None or not int(memory.get("Size") or 0):
        return None
    block = lif.memory_blocks.get(memory.get("MemoryBlockID", ""))
    if block is None or block.offset + block.size > lif.filesize:
        raise _cut_off(path, lif.filesize, f"the pixels of {found.path!r} are missing")
    return block


def _tiles(
    lif: "LifFile", found: "LifImageABC", block: "LifMemoryBlock", layout: Layout, note: str
) -> Iterator[_Image]:
    """Yield the image, or its mosaic tiles."""
    axis = layout.axis("M")
    places: list[Tile] = optional(lambda: parse_tiles(found.xml_element, layout.tiles), [])
    whole = _metadata(found, layout, note)
    for number in range(layout.tiles):
        place = places[number] if places else None
        start = block.offset + (number * axis.stride if axis else 0)
        metadata = whole if layout.tiles == 1 else _of_tile(whole, number, layout.tiles, place)
        yield _Image(lif, layout, start, block.offset + block.size, metadata)


def _of_tile(whole: ImageMetadata, number: int, count: int, place: Tile | None) -> ImageMetadata:
    """Return the metadata of one tile of a mosaic."""
    where = f", column {place.column}, row {place.row}" if place else ""
    note = f"Tile {number} of {count}{where}; the microscope's merged picture, if any, is an image of its own."
    return whole.model_copy(
        update={
            "name": f"{whole.name} tile {number}",
            "note": " ".join(filter(None, (note, whole.note))),
            "stage_position_um": place.stage_um if place else None,
        }
    )


def _metadata(found: "LifImageABC", layout: Layout, note: str) -> ImageMetadata:
    """Return our metadata of one image."""
    element = found.xml_element
    stamps: list[float] = optional(lambda: parse_stamps(element), [])
    vendor: dict[str, Any] = optional(lambda: parse_vendor(element), {})
    lengths = ", ".join(f"{axis.name} ({axis.length})" for axis in layout.folded)
    folded = f"Folded into channels, C outermost: {lengths}." if lengths else ""
    return ImageMetadata(
        name=found.path,
        file_format="LIF",
        size_t=layout.length("T"),
        size_c=(1 if layout.is_rgb else len(layout.planes)) * len(layout.fold_offsets()),
        size_z=layout.length("Z"),
        size_y=layout.length("Y"),
        size_x=layout.length("X"),
        samples=3 if layout.is_rgb else 1,
        dtype=layout.dtype.name,
        pixel_size_x=parse_pixel_size(layout.axis("X")),
        pixel_size_y=parse_pixel_size(layout.axis("Y")),
        pixel_size_z=parse_pixel_size(layout.axis("Z")),
        time_increment_s=parse_time_increment(layout.axis("T"), stamps),
        channels=_channels(optional(lambda: parse_channels(element), ()), layout),
        objective=optional(lambda: parse_objective(element), None),
        microscope=optional(lambda: parse_microscope(element), None),
        acquired_at=parse_acquired_at(stamps),
        source_axes="".join(axis.name for axis in layout.axes if axis.length > 1),
        note=" ".join(filter(None, (folded, note))) or None,
        vendor=vendor,
    )


def _channels(known: Sequence[ChannelInfo], layout: Layout) -> tuple[ChannelInfo, ...]:
    """Return a description of every channel; folded ones carry their place: ``"FITC A3"``, ``"FITC 525 nm"``."""
    if layout.is_rgb:
        known = [ChannelInfo(index=0, name="RGB")]
    elif len(known) != len(layout.planes):
        known = [ChannelInfo(index=c, name=f"Channel {c}") for c in range(len(layout.planes))]
    every = list(known)
    for axis in layout.folded:
        wavelengths = parse_wavelengths(axis)
        every = [_at(info, axis, i, wavelengths) for info in every for i in range(axis.length)]
    return tuple(info.model_copy(update={"index": i}) for i, info in enumerate(every))


def _at(info: ChannelInfo, axis: Axis, index: int, wavelengths: Sequence[float] | None) -> ChannelInfo:
    """Return a channel at one place of a folded axis."""
    if wavelengths is None:
        return info.model_copy(update={"name": f"{info.name} {axis.name}{index}"})
    found = wavelengths[index]
    return info.model_copy(update={"name": f"{info.name} {found:.5g} nm", SPECTRAL[axis.name]: found})


reader = _Lif()
