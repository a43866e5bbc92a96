"""Where the frames of a DICOM file lie, and their bytes. Sizes are compared with the file before anything is read.

Format: DICOM PS3.5, sections 7.1 (data elements), 8 and annex A.4 (encapsulated pixels).
"""

import struct
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from coverslip.errors import ReadError

PIXEL_TAGS = {(0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)}
ITEM = (0xFFFE, 0xE000)
END = (0xFFFE, 0xE0DD)
UNDEFINED = 0xFFFFFFFF
MAX_FRAGMENTS = 1_000_000

Span = tuple[int, int]
"""Place in the stream and length, in bytes."""


@dataclass(frozen=True, slots=True)
class PixelData:
    """The pixel data element."""

    encapsulated: bool
    start: int
    """Where the bytes begin; for encapsulated pixels, the first item."""
    length: int
    floating: bool = False
    """Whether the element is that of floats, or of doubles."""
    words: bool = False
    """Whether the bytes are those of 16-bit words: in big-endian files 8-bit pixels change places in pairs then."""


def find_pixels(stream: IO[bytes], *, implicit: bool, order: str) -> PixelData:
    """Return where the pixels are; the stream stands at the beginning of their element.

    Raises
    ------
    ReadError
        There are none, or the file ends before they do.
    """
    place = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(place)
    raw = stream.read(12)
    tag = struct.unpack_from(f"{order}HH", raw) if len(raw) >= 8 else None
    if tag not in PIXEL_TAGS:
        raise ReadError("the DICOM file holds no pixels")
    floating = tag != (0x7FE0, 0x0010)
    words = implicit or raw[4:6] == b"OW"
    if implicit or not raw[4:6].isalpha():  # some files keep implicit elements behind another transfer syntax
        (length,), start = struct.unpack_from(f"{order}I", raw, 4), place + 8
    elif raw[4:6] in {b"OB", b"OW", b"OF", b"OD", b"UN"} and len(raw) == 12:
        (length,), start = struct.unpack_from(f"{order}I", raw, 8), place + 12
    else:
        raise ReadError(f"the pixels have the value representation {raw[4:6]!r}, which pixels never have")
    if length == UNDEFINED:
        return PixelData(encapsulated=True, start=start, length=size - start, floating=floating)
    if start + length > size:
        raise ReadError(
            f"the pixels are said to take {length} bytes, {size - start} are there: the file is truncated. "
            "Copy it again from its source"
        )
    return PixelData(encapsulated=False, start=start, length=length, floating=floating, words=words)


def find_frames(stream: IO[bytes], pixels: PixelData, count: int, extended: bytes = b"") -> list[list[Span]]:
    """Return the fragments of each frame of encapsulated pixels.

    Parameters
    ----------
    stream
        The file.
    pixels
        Encapsulated.
    count
        Frames.
    extended
        The extended offset table: 64-bit offsets, for pixels of more than 4 GiB.

    Raises
    ------
    ReadError
        The items end early, or cannot be told apart into ``count`` frames.
    """
    items = _items(stream, pixels)
    if not items:
        raise ReadError("the DICOM file holds no compressed pixels")
    table, fragments = items[0], items[1:]
    if count == 1:
        return [fragments]
    if len(fragments) == count:
        return [[fragment] for fragment in fragments]
    stream.seek(table[0])
    offsets = [offset for (offset,) in struct.iter_unpack("<I", stream.read(table[1] // 4 * 4))]
    offsets = offsets or [offset for (offset,) in struct.iter_unpack("<Q", extended[: len(extended) // 8 * 8])]
    if len(offsets) != count:
        raise ReadError(f"{len(fragments)} compressed pieces for {count} frames, and no table that says which is whose")
    first = fragments[0][0] - 8 if fragments else 0
    starts = [first + offset for offset in offsets]
    places = [start - 8 for start, _ in fragments]
    stops = [*starts[1:], pixels.start + pixels.length]
    frames = [
        fragments[bisect_left(places, start) : bisect_left(places, stop)]
        for start, stop in zip(starts, stops, strict=True)
    ]
    if not all(frames):
        raise ReadError("the table of frames leads to places without pixels")
    return frames


def read_spans(stream: IO[bytes], spans: Sequence[Span]) -> bytes:
    """Return the bytes of some fragments, joined.

    Raises
    ------
    ReadError
        The file ends before them.
    """
    parts = []
    for start, length in spans:
        stream.seek(start)
        parts.append(stream.read(length))
        if len(parts[-1]) < length:
            raise ReadError("the file ends in the middle of its pixels; was it cut short meanwhile?")
    return b"".join(parts)


def read_words(stream: IO[bytes], pixels: PixelData, first: int, length: int) -> bytes:
    """Return bytes of pixels that were written as big-endian 16-bit words (PS3.5, 8.1.1 and annex A.3).

    Parameters
    ----------
    stream
        The file.
    pixels
        Not encapsulated.
    first
        Place of the first byte among the pixels.
    length
        Bytes; the first and last may be half of a word.

    Raises
    ------
    ReadError
        The file ends before them.
    """
    start, stop = first - first % 2, first + length + (first + length) % 2
    stored = read_spans(stream, [(pixels.start + start, stop - start)])
    swapped = bytearray(len(stored))
    swapped[0::2], swapped[1::2] = stored[1::2], stored[0::2]
    return bytes(swapped[first - start : first - start + length])


def _items(stream: IO[bytes], pixels: PixelData) -> list[Span]:
    """Return the items of encapsulated pixels, the table of offsets first."""
    place, size = pixels.start, pixels.start + pixels.length
    items: list[Span] = []
    while len(items) < MAX_FRAGMENTS:
        stream.seek(place)
        raw = stream.read(8)
        if len(raw) < 8:
            raise ReadError("the compressed pixels have no end: the file is truncated. Copy it again from its source")
        group, element, length = struct.unpack("<HHI", raw)
        if (group, element) == END:
            return items
        if (group, element) != ITEM or place + 8 + length > size:
            raise ReadError("the compressed pixels are damaged or cut off. Copy the file again from its source")
        items.append((place + 8, length))
        place += 8 + length
    raise ReadError(f"more than {MAX_FRAGMENTS} compressed pieces are too many")
