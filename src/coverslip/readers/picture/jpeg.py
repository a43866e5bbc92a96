"""JPEG segments -> outline. Walks to the end of the picture: decoders paint what is missing grey and say nothing.

Format: ITU-T T.81, JFIF 1.02, EXIF 2.3.
"""

import struct
from typing import IO, Any

from coverslip.errors import ReadError
from coverslip.readers.picture.outline import Outline, microscopic
from coverslip.readers.vendor_metadata import optional

MAGIC = b"\xff\xd8\xff"
RATIO = 2048
"""A block of 64 pixels needs at least one bit in each component."""
END = 0xD9
SCAN = 0xDA
LONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without content: restarts within the coded pixels."""
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3}
"""Baseline, extended, progressive, lossless, all Huffman-coded; other frames are not read."""
LOSSLESS = 0xC3
CMYK = 4
"""Components of a picture made for printing."""
OTHER_FRAMES = {0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
ORIENTATION = 0x0112
PER_METER = {1: 1 / 0.0254, 2: 100.0}
"""How many metres^-1 a JFIF density of 1 is, by unit: per inch, per centimetre."""
BLOCK = 1 << 20


def parse_jpeg(stream: IO[bytes]) -> Outline:
    """Return the outline of a JPEG.

    Raises
    ------
    ReadError
        It ends early, its segments make no sense, or its pixels are coded in a way that is not read.
    """
    vendor: dict[str, Any] = {}
    notes: list[str] = []
    frame: tuple[int, int, int, int, int] | None = None
    stream.seek(2)
    while (marker := _marker(stream)) != END:
        if marker in LONE:
            continue
        content = _segment(stream)
        if marker in FRAMES and frame is None and len(content) >= 6:
            frame = (marker, *struct.unpack(">BHHB", content[:6]))
        elif marker in OTHER_FRAMES:
            raise ReadError("arithmetic-coded and hierarchical JPEGs are not read. Save it in another way")
        elif marker == SCAN:
            _skip_pixels(stream)
        else:
            vendor |= _said(marker, content)
    if frame is None:
        raise ReadError("the JPEG holds no picture")
    if vendor.get("EXIF", {}).get("orientation") not in (None, 1):
        notes.append(f"EXIF orientation {vendor['EXIF']['orientation']} is not applied: pixels stay where they lie")
    return _outline(frame, vendor, notes)


def _said(marker: int, content: bytes) -> dict[str, Any]:
    """Return what a segment says, if it is one of those that are understood."""
    if marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 12:
        unit, x, y = struct.unpack(">BHH", content[7:12])
        return {"JFIF": {"unit": unit, "x_density": x, "y_density": y}}
    if marker == 0xE1 and content.startswith(b"Exif\0\0"):
        return {"EXIF": {"orientation": optional(lambda: _orientation(content[6:]), None)}}
    return {"comment": content[:20_000].decode("utf-8", "replace")} if marker == 0xFE else {}


def _outline(frame: tuple[int, int, int, int, int], vendor: dict[str, Any], notes: list[str]) -> Outline:
    marker, bits, height, width, components = frame
    if components not in (1, 3, CMYK) or (components == CMYK and (marker == LOSSLESS or bits > 8)):
        raise ReadError(f"a JPEG of {components} components is not read: convert it to R, G, B")
    if components == CMYK:
        notes.append("colours for printing (CMYK), read as R, G, B without a colour profile")
    if not (width and height) or not 2 <= bits <= 16:
        raise ReadError(f"no JPEG is {width} x {height} with {bits} bits")
    density = vendor.get("JFIF", {})
    factor = PER_METER.get(density.get("unit", 0), 0.0)
    sizes = (microscopic(density.get("x_density", 0) * factor), microscopic(density.get("y_density", 0) * factor))
    return Outline(
        file_format="JPEG",
        width=width,
        height=height,
        samples=min(3, components),
        dtype="uint8" if bits <= 8 else "uint16",
        source_axes="YXS" if components > 1 else "YX",
        vendor={
            "bits": bits,
            "components": components,
            "lossless": marker == LOSSLESS,
            "progressive": marker == 0xC2,
            **vendor,
        },
        notes=(*notes, *(() if marker == LOSSLESS else ("lossy compression changed the pixels before we saw them",))),
        pixel_size_um=sizes,
    )


def _marker(stream: IO[bytes]) -> int:
    """Return the next marker; fill bytes before it are allowed."""
    byte = stream.read(1)
    if byte and byte != b"\xff":
        raise ReadError("the JPEG is damaged: there is no marker where one has to be")
    while byte == b"\xff":
        byte = stream.read(1)
    if not byte:
        raise ReadError("the JPEG has no end: the file is truncated. Copy it again from its source")
    return byte[0]


def _segment(stream: IO[bytes]) -> bytes:
    start = stream.read(2)
    length = int.from_bytes(start, "big") - 2
    content = stream.read(max(0, length))
    if len(start) < 2 or length < 0 or len(content) < length:
        raise ReadError("the JPEG ends within a segment: the file is truncated or damaged")
    return content


def _skip_pixels(stream: IO[bytes]) -> None:
    """Go to the marker behind the coded pixels: there, 0xff stands before 0 or a restart only."""
    place = stream.tell()
    while block := stream.read(BLOCK):
        at = block.find(b"\xff")
        while 0 <= at < len(block) - 1:
            if block[at + 1] not in (0, 0xFF) and block[at + 1] not in LONE:
                stream.seek(place + at)
                return
            at = block.find(b"\xff", at + 1)
        place += len(block) - (at >= 0 and len(block) > 1)
        if len(block) == 1:
            break
        stream.seek(place)
    raise ReadError("the JPEG ends within its pixels: the file is truncated. Copy it again from its source")


def _orientation(exif: bytes) -> int | None:
    """Return EXIF's orientation, 1 to 8, from the first directory."""
    order = {b"II": "<", b"MM": ">"}[exif[:2]]
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    for entry in range(count):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * entry)
        if tag == ORIENTATION:
            return int(value) if 1 <= value <= 8 else None
    return None
