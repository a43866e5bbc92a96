"""PNG, JPEG and WebP files that say how large they are on paper, and how they were made."""

import struct
import zlib
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.render.encode import lossless

METERS_PER_INCH = 0.0254
JPEG_QUALITY, WEBP_QUALITY = 95, 92
SEGMENT = 65_533
"""Most bytes of a comment of a JPEG."""


def png(rgb: NDArray[np.uint8], dpi: float, provenance: Mapping[str, str]) -> bytes:
    """Return a PNG with ``pHYs`` and a text chunk for each entry (https://www.w3.org/TR/png-3/).

    Parameters
    ----------
    rgb
        Shape Y, X, 3.
    dpi
        Pixels per inch.
    provenance
        Texts by keyword; what is not Latin-1 is written as ``iTXt``.
    """
    data = lossless(rgb)
    per_meter = round(dpi / METERS_PER_INCH)
    chunks = [_chunk(b"pHYs", struct.pack(">IIB", per_meter, per_meter, 1))]
    chunks += [_text_chunk(keyword, text) for keyword, text in provenance.items()]
    after_header, whole = 8 + 25, memoryview(data)
    return b"".join((whole[:after_header], *chunks, whole[after_header:]))


def jpeg(rgb: NDArray[np.uint8], dpi: float, provenance: Mapping[str, str]) -> bytes:
    """Return a JPEG whose JFIF header has the density, with a comment for each entry (ITU-T T.871)."""
    data = _written(rgb, ".jpg", (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111))
    if data[2:4] != b"\xff\xe0" or data[6:11] != b"JFIF\0":
        raise ExportError("the encoder wrote a JPEG without a JFIF header", recoverable=False)
    density = min(65_535, max(1, round(dpi)))
    header = data[:13] + struct.pack(">BHH", 1, density, density) + data[18:20]
    comments = (f"{keyword}: {text}".encode()[:SEGMENT] for keyword, text in provenance.items())
    return header + b"".join(b"\xff\xfe" + struct.pack(">H", len(one) + 2) + one for one in comments) + data[20:]


def webp(rgb: NDArray[np.uint8], dpi: float, provenance: Mapping[str, str]) -> bytes:
    """Return a WebP with Exif metadata (RFC 9649)."""
    data = _written(rgb, ".webp", (cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY))
    height, width = rgb.shape[:2]
    pictures = b"".join(_riff(name, body) for name, body in _riff_chunks(data) if name in {b"VP8 ", b"VP8L"})
    has_exif = 0x08
    extended = struct.pack("<B3x", has_exif) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    text = "\n".join(f"{keyword}: {text}" for keyword, text in provenance.items())
    body = b"WEBP" + _riff(b"VP8X", extended) + pictures + _riff(b"EXIF", _exif(dpi, text))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _written(rgb: NDArray[np.uint8], ending: str, options: tuple[int, ...]) -> bytes:
    try:
        done, data = cv2.imencode(ending, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    except cv2.error:
        done = False
    if not done:
        raise ExportError(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels does not fit into a {ending} file")
    return data.tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _text_chunk(keyword: str, text: str) -> bytes:
    key = keyword.encode("latin-1", "replace")[:79]
    try:
        return _chunk(b"tEXt", key + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", key + b"\0\0\0\0\0" + text.encode())


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, place + 4)
        yield data[place : place + 4], data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _exif(dpi: float, text: str) -> bytes:
    """Return Exif: a TIFF directory with resolution, its unit (inches) and a description."""
    words = text.encode() + b"\0"
    density = struct.pack("<II", round(dpi * 1000), 1000)
    end = 8 + 2 + 4 * 12 + 4
    entries = [
        struct.pack("<HHII", 270, 2, len(words), end + 16),
        struct.pack("<HHII", 282, 5, 1, end),
        struct.pack("<HHII", 283, 5, 1, end + 8),
        struct.pack("<HHIHxx", 296, 3, 1, 2),
    ]
    if len(words) <= 4:
        entries[0] = struct.pack("<HHI4s", 270, 2, len(words), words)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 4) + b"".join(entries) + bytes(4) + density + density + words
