"""PNG and JPEG: one image of one plane, Y, X (and S).

Pixels are given as they are stored: an EXIF orientation is noted and not applied, so that a pixel has the same place
in every program that counts pixels. Pictures are decoded as a whole, once, when their first pixel is asked for.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, Probe, Region
from coverslip.readers.picture import jpeg, png
from coverslip.readers.picture.outline import Outline
from coverslip.readers.planes import check_promise, gather
from coverslip.readers.vendor_metadata import bounded, json_document

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

KEEP_BYTES = 256 << 20
"""Decoded pixels up to this size (256 MiB) stay until the file is closed; larger pictures are decoded again."""


class _Reader:
    """Opens PNG and JPEG files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file begins like a PNG or a JPEG."""
        return probe.head.startswith((png.MAGIC, jpeg.MAGIC))

    def open(self, path: Path) -> "_Picture":
        """Walk over the chunks of the file; no pixel is decoded.

        Raises
        ------
        ReadError
            The file is cut off, or coded in a way that is not read.
        """
        with path.open("rb") as stream:
            is_png = stream.read(len(png.MAGIC)) == png.MAGIC
            outline = png.parse_png(stream) if is_png else jpeg.parse_jpeg(stream)
        check_promise(path, outline.pixel_bytes, path.stat().st_size, png.RATIO if is_png else jpeg.RATIO)
        return _Picture(path, outline)


@dataclass(slots=True)
class _Picture:
    """An open picture, which is its own one image. Holds no handle."""

    path: Path
    outline: Outline
    metadata: ImageMetadata = field(init=False)
    _kept: "Array | None" = None

    def __post_init__(self) -> None:
        self.metadata = _metadata(self.path, self.outline)

    @property
    def images(self) -> "tuple[_Picture]":
        """The picture itself."""
        return (self,)

    @property
    def files(self) -> tuple[Path]:
        """The one file."""
        return (self.path,)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        pixels = _decode(self.path, self.outline) if self._kept is None else self._kept
        if pixels.nbytes <= KEEP_BYTES:
            self._kept = pixels
        return gather(self.metadata, region, lambda _t, _c, _z: pixels)

    def close(self) -> None:
        """Let go of the decoded pixels."""
        self._kept = None


reader = _Reader()


def _decode(path: Path, outline: Outline) -> "Array":
    """Return all pixels: shape Y, X (and S)."""
    import imagecodecs  # noqa: PLC0415  # loaded on use, like every format library

    content = path.read_bytes()
    pixels: np.ndarray[Any, np.dtype[Any]]
    if outline.file_format == "PNG":
        pixels = imagecodecs.png_decode(content)
    elif outline.vendor["lossless"]:
        pixels = imagecodecs.jpegsof3_decode(content)
    elif outline.vendor["components"] == jpeg.CMYK:
        pixels = _from_cmyk(path, content)
    else:
        pixels = imagecodecs.jpeg_decode(content)
    if pixels.ndim == 3 and pixels.shape[2] == 2:  # grey and alpha
        pixels = pixels[..., [0, 0, 0, 1]]
    if pixels.shape[:2] != (outline.height, outline.width):
        raise ReadError(f"{path}: the file has changed since it was opened")
    return pixels


def _from_cmyk(path: Path, content: bytes) -> "Array":
    """Return R, G, B of a JPEG in cyan, magenta, yellow and black, whichever way round they are stored."""
    import cv2  # noqa: PLC0415  # loaded on use, like every format library

    coded = np.frombuffer(content, np.uint8)
    pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ReadError(f"{path}: the JPEG cannot be decoded; it is damaged")
    return np.ascontiguousarray(pixels[..., ::-1])


def _metadata(path: Path, outline: Outline) -> ImageMetadata:
    x, y = outline.sizes
    return ImageMetadata(
        name=path.name,
        file_format=outline.file_format,
        size_y=outline.height,
        size_x=outline.width,
        samples=outline.samples,
        dtype=outline.dtype,
        pixel_size_x=x,
        pixel_size_y=y,
        channels=(ChannelInfo(index=0, name="RGB"),) if outline.samples > 1 else (),
        source_axes=outline.source_axes,
        note="; ".join(outline.notes) or None,
        vendor=bounded(json_document(outline.vendor)),
    )
