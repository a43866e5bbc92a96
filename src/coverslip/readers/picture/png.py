"""PNG chunks -> outline. Walks to the end of the file, so that a cut one is noticed without decoding.

Format: Portable Network Graphics, third edition (W3C).
"""

import struct
from collections.abc import Iterator
from typing import IO, Any

from coverslip.errors import ReadError
from coverslip.readers.picture.outline import Outline, microscopic

MAGIC = b"\x89PNG\r\n\x1a\n"
RATIO = 1040
"""Deflate makes at most 1032 bytes out of one."""
SAMPLES = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}
"""Samples as read by colour type: palettes become R, G, B; grey with transparency R, G, B, A."""
AXES = {0: "YX", 2: "YXS", 3: "YX", 4: "YXS", 6: "YXS"}
DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
MAX_TEXTS = 100
MAX_TEXT_BYTES = 20_000


def parse_png(stream: IO[bytes]) -> Outline:
    """Return the outline of a PNG.

    Raises
    ------
    ReadError
        It ends early, or its header makes no sense.
    """
    header: tuple[int, int, int, int, int, int, int] | None = None
    vendor: dict[str, Any] = {}
    notes: list[str] = []
    sizes: tuple[float | None, float | None] = (None, None)
    transparent = False
    for kind, content in _chunks(stream):
        if header is None:
            if kind != b"IHDR" or len(content) != 13:
                raise ReadError("a PNG begins with its header, this one does not")
            header = struct.unpack(">IIBBBBB", content)
        elif kind == b"pHYs" and len(content) == 9:
            x, y, unit = struct.unpack(">IIB", content)
            vendor["pHYs"] = {"x": x, "y": y, "unit": "metre" if unit == 1 else "unknown"}
            sizes = (microscopic(x), microscopic(y)) if unit == 1 else (None, None)
        elif kind == b"tEXt" and len(vendor.setdefault("text", {})) < MAX_TEXTS:
            key, _, text = content.partition(b"\0")
            vendor["text"][key.decode("latin-1")] = text.decode("latin-1")
        elif kind == b"tIME" and len(content) == 7:
            vendor["tIME"] = "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*struct.unpack(">HBBBBB", content))
        elif kind == b"acTL":
            notes.append("an animated PNG: only its still picture is read")
        elif kind == b"eXIf":
            notes.append("EXIF data are not read; an orientation in them is not applied")
        transparent |= kind == b"tRNS"
    assert header is not None
    return _outline(header, vendor, notes, sizes, transparent)


def _outline(
    header: tuple[int, int, int, int, int, int, int],
    vendor: dict[str, Any],
    notes: list[str],
    sizes: tuple[float | None, float | None],
    transparent: bool,
) -> Outline:
    width, height, depth, color, _, _, interlaced = header
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31) or depth not in DEPTHS.get(color, ()):
        raise ReadError(f"no PNG is {width} x {height} with colour type {color} and {depth} bits")
    if color == 3:
        notes.append("palette colours, read as R, G, B")
    elif depth < 8:
        notes.append(f"{depth}-bit grey values, stretched to 0 to 255")
    if color == 4 or (transparent and color == 0):
        notes.append("grey with transparency, read as R, G, B, A")
    return Outline(
        file_format="PNG",
        width=width,
        height=height,
        samples=4 if transparent else SAMPLES[color],
        dtype="uint16" if depth == 16 else "uint8",
        source_axes=AXES[color],
        vendor={"bit_depth": depth, "color_type": color, "interlaced": bool(interlaced), **vendor},
        notes=tuple(notes),
        pixel_size_um=sizes,
    )


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk up to the last; the content of pixels and large chunks is skipped."""
    size = stream.seek(0, 2)
    place = len(MAGIC)
    while True:
        stream.seek(place)
        start = stream.read(8)
        if len(start) < 8:
            raise ReadError("the PNG ends before its last chunk: the file is truncated. Copy it again from its source")
        length, kind = struct.unpack(">I4s", start)
        place += 12 + length
        if place > size:
            raise ReadError(f"the PNG ends within a chunk of {length} bytes: the file is truncated or damaged")
        if kind == b"IEND":
            return
        yield kind, stream.read(length) if kind != b"IDAT" and length <= MAX_TEXT_BYTES else b""
