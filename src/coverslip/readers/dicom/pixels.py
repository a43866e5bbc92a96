"""The bytes of one DICOM frame -> its pixels. Pure, but for the codecs.

Stored values come out, colours as R, G, B: no rescaling, no window, no palette. Format: DICOM PS3.3 C.7.6.3, PS3.5.
"""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from coverslip.errors import ReadError

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

    Pixels = np.ndarray[Any, np.dtype[Any]]

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
PLAIN = {IMPLICIT, EXPLICIT, BIG_ENDIAN}
JPEG = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
JPEG_LOSSLESS = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
JPEG_2000 = {f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203)}
RLE = "1.2.840.10008.1.2.5"
DEFLATED = "1.2.840.10008.1.2.1.99"
COMPRESSED = JPEG | JPEG_LOSSLESS | JPEG_LS | JPEG_2000 | {RLE}
RATIO = 4096
"""How many bytes of pixels one compressed byte is believed to hold."""
RLE_HEADER = 64


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """What the header says of a frame."""

    syntax: str
    """Transfer syntax UID."""
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    floating: bool
    by_plane: bool
    """Colours one after the other, not pixel by pixel; only where nothing is compressed."""
    photometric: str
    order: Literal["<", ">"]

    @property
    def dtype(self) -> str:
        """NumPy name of the pixels as read."""
        if self.floating:
            return f"float{self.allocated}"
        return f"{'' if self.signed else 'u'}int{max(8, self.allocated)}"

    @property
    def frame_bits(self) -> int:
        """Bits of one frame that is not compressed."""
        return self.rows * self.columns * (2 if self.is_halved else self.samples) * self.allocated

    @property
    def is_halved(self) -> bool:
        """Whether two neighbours share one Cb and one Cr, and are not compressed: Y, Y, Cb, Cr."""
        return self.photometric == "YBR_FULL_422" and self.syntax in PLAIN


def decode_frame(kind: PixelFormat, content: bytes) -> "Array":
    """Return a frame: shape Y, X (and S), dtype ``kind.dtype``.

    Parameters
    ----------
    kind
        What the header says.
    content
        The compressed bytes, or exactly those of the frame.

    Raises
    ------
    ReadError
        The pixels are not what the header says, or are coded in a way that is not read.
    """
    pixels = _compressed(kind, content) if kind.syntax in COMPRESSED else _plain(kind, content)
    shape = (kind.rows, kind.columns, kind.samples) if kind.samples > 1 else (kind.rows, kind.columns)
    if pixels.shape != shape:
        raise ReadError(f"a compressed frame is {pixels.shape}, the header says {shape}")
    pixels = _used_bits(kind, pixels)
    if kind.photometric.startswith("YBR_FULL") and (
        kind.syntax not in COMPRESSED or kind.syntax == RLE or kind.syntax in JPEG_2000 | JPEG_LS
    ):
        pixels = _rgb(pixels)
    if pixels.dtype.name != kind.dtype:
        if pixels.dtype.kind not in "ui" or pixels.dtype.itemsize * 8 > max(8, kind.allocated):
            raise ReadError(f"a compressed frame is {pixels.dtype.name}, the header says {kind.dtype}")
        pixels = pixels.astype(kind.dtype)
    return pixels


def _plain(kind: PixelFormat, content: bytes) -> "Array":
    if kind.allocated == 1:
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        return bits[: kind.rows * kind.columns].reshape(kind.rows, kind.columns)
    values: np.ndarray[Any, np.dtype[Any]] = np.frombuffer(content, np.dtype(kind.dtype).newbyteorder(kind.order))
    if kind.samples == 1:
        return values.reshape(kind.rows, kind.columns)
    if kind.is_halved:
        pairs = values.reshape(kind.rows, kind.columns // 2, 4)
        return pairs[..., [0, 2, 3, 1, 2, 3]].reshape(kind.rows, kind.columns, 3)
    if kind.by_plane:
        return values.reshape(kind.samples, kind.rows, kind.columns).transpose(1, 2, 0)
    return values.reshape(kind.rows, kind.columns, kind.samples)


def _compressed(kind: PixelFormat, content: bytes) -> "Array":
    import imagecodecs  # noqa: PLC0415  # loaded on use, like every format library

    if kind.syntax == RLE:
        return _rle(kind, content)
    if kind.syntax in JPEG:
        if not content.rstrip(b"\0\xff").endswith(b"\xff\xd9"):  # some fill up with fill bytes, others with zeros
            raise ReadError("a JPEG frame has no end: the file is truncated")
        colors = "RGB" if kind.photometric == "RGB" else None  # the codec would take them for Y, Cb, Cr
        pixels: Pixels = imagecodecs.jpeg_decode(content, colorspace=colors, outcolorspace=colors)
    elif kind.syntax in JPEG_LOSSLESS:
        pixels = imagecodecs.jpegsof3_decode(content)
    elif kind.syntax in JPEG_LS:
        pixels = imagecodecs.jpegls_decode(content)
    else:
        pixels = imagecodecs.jpeg2k_decode(content)
    return pixels


def _rle(kind: PixelFormat, content: bytes) -> "Array":
    """Return a frame of PackBits segments: the bytes of each sample, most significant first (PS3.5 annex G)."""
    width, area = kind.allocated // 8, kind.rows * kind.columns
    offsets = struct.unpack("<16I", content[:RLE_HEADER])
    count = offsets[0]
    if count != width * kind.samples or kind.allocated % 8:
        raise ReadError(f"{count} run-length segments for {kind.samples} samples of {width} bytes")
    stops = [*offsets[2 : count + 1], len(content)]
    planes = np.empty((kind.samples, width, area), np.uint8)
    for segment, (start, stop) in enumerate(zip(offsets[1 : count + 1], stops, strict=True)):
        planes[segment // width, segment % width] = _unpack_bits(content[start:stop], area)
    pixels = np.ascontiguousarray(planes.transpose(2, 0, 1)).view(np.dtype(f">u{width}"))[..., 0]
    pixels = pixels.astype(f"uint{kind.allocated}").view(kind.dtype)
    return pixels.reshape(kind.rows, kind.columns, kind.samples)[..., slice(None) if kind.samples > 1 else 0]


def _unpack_bits(segment: bytes, length: int) -> "Array":
    """Return exactly ``length`` bytes of a PackBits segment; the padding behind them is dropped."""
    import imagecodecs  # noqa: PLC0415  # loaded on use, like every format library

    unpacked = imagecodecs.packbits_decode(segment)
    if len(unpacked) < length:
        raise ReadError("a run-length segment ends early: the file is truncated or damaged")
    return np.frombuffer(unpacked, np.uint8, count=length)


def _used_bits(kind: PixelFormat, pixels: "Array") -> "Array":
    """Return the pixels without what the bits above the stored ones hold, overlays or rubbish."""
    spare = pixels.dtype.itemsize * 8 - kind.stored
    if kind.floating or kind.allocated == 1 or spare <= 0:
        return pixels
    native: Pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    if kind.signed:
        signed: Pixels = native.view(f"i{native.dtype.itemsize}")
        return np.right_shift(np.left_shift(signed, spare), spare)
    return np.bitwise_and(native, (1 << kind.stored) - 1)


def _rgb(ybr: "Array") -> "Array":
    """Return R, G, B of 8-bit Y, Cb, Cr (PS3.3 C.7.6.3.1.2)."""
    if ybr.dtype != np.uint8:
        raise ReadError(f"YBR colours of {ybr.dtype.name} are not read")
    y, cb, cr = np.moveaxis(ybr.astype(np.float32), -1, 0)
    cb, cr = cb - 128, cr - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
