"""Pictures become bytes."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError
from coverslip.model.render import MediaType

MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)

ENDINGS: Mapping[str, MediaType] = MappingProxyType(
    {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
)
"""Which kind of picture the ending of a file name asks for."""

_ENCODERS: Mapping[str, tuple[str, Sequence[int]]] = {
    "image/png": (
        ".png",
        # of fluorescence and electron images smaller than level 4 of deflate, in a fifth of the time
        (
            cv2.IMWRITE_PNG_COMPRESSION,
            1,
            cv2.IMWRITE_PNG_STRATEGY,
            cv2.IMWRITE_PNG_STRATEGY_RLE,
            cv2.IMWRITE_PNG_FILTER,
            cv2.IMWRITE_PNG_FILTER_UP,
        ),
    ),
    "image/webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
    "image/jpeg": (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 88)),
}


NOISE = 0.4
"""Share of its bytes that noise has left when it is compressed; see ``encode``."""
NOT_WORTH = 0.9
"""Share from which on compressing is no use at all; see ``saving``."""
RUNS, STORED, AS_IS, LEFT = 3, 0, 0x08, 0x10
"""Of libpng: deflate that looks for runs alone, none, and the filters of rows: none, and the left neighbour."""
TRIED_ROWS = 8
SAMPLED_ROWS = 32


def encode(rgb: NDArray[np.uint8], media_type: str, *, at_once: bool = False) -> bytes:
    """Return the picture as a PNG (lossless), WebP or JPEG file; the same picture always gives the same bytes.

    A PNG of a picture without colours is a grey one.

    Parameters
    ----------
    rgb
        Shape Y, X, 3; red, green, blue.
    media_type
        ``"image/png"``, ``"image/webp"`` or ``"image/jpeg"``.
    at_once
        Whether somebody waits for it. The PNG of a noisy picture is then not compressed: that halves it at best, at
        50 MB a second, which no wire waits for.

    Raises
    ------
    InvalidRequestError
        Another media type, or an array that is no such picture.
    """
    if media_type not in _ENCODERS:
        raise InvalidRequestError(f"no encoder for {media_type!r}; there are {', '.join(MEDIA_TYPES)}")
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise InvalidRequestError(f"a picture is uint8 of shape Y, X, 3; this is {rgb.dtype} of shape {rgb.shape}")
    ending, options = _ENCODERS[media_type]
    pixels: NDArray[np.uint8] = _grey(rgb) if media_type == "image/png" else rgb
    if media_type == "image/png" and at_once and _is_noise(pixels):
        return stored_png(pixels)
    done, data = cv2.imencode(ending, pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise InvalidRequestError(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels does not fit into {media_type}")
    return data.tobytes()


def lossless(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture as a PNG that is written into a file; the same picture always gives the same bytes.

    Smaller than ``encode`` makes it, in half the time or less: see ``saving``. Without colours the PNG is a grey one.

    Parameters
    ----------
    rgb
        Shape Y, X, 3; red, green, blue.

    Raises
    ------
    InvalidRequestError
        It is too large for a PNG.
    """
    from imagecodecs import PngError, png_encode  # noqa: PLC0415  other formats should not wait for it

    pixels = np.ascontiguousarray(_grey(rgb))
    is_worth, by_differences = saving(pixels)
    try:
        if not is_worth:
            return bytes(png_encode(pixels, level=STORED, filter=AS_IS))
        return bytes(png_encode(pixels, level=1, strategy=RUNS, filter=LEFT if by_differences else AS_IS))
    except (PngError, ValueError) as error:
        size = f"{rgb.shape[1]} x {rgb.shape[0]}"
        raise InvalidRequestError(f"a picture of {size} pixels does not fit into a PNG") from error


def saving(pixels: NDArray[np.uint8]) -> tuple[bool, bool]:
    """Return whether compressing a picture is worth it, and whether differences compress better than pixels.

    Judged by some of its rows. Pixels of which less than a tenth could be saved are as well stored as they are.

    Parameters
    ----------
    pixels
        Shape Y, X, or Y, X, 3.
    """
    rows = pixels[:: max(1, len(pixels) // TRIED_ROWS)]
    alone, apart = _share(rows), _share(rows[:, 1:] - rows[:, :-1])
    return min(alone, apart) <= NOT_WORTH, apart <= alone


def stored_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG whose pixels are not compressed (https://www.w3.org/TR/png-3/).

    Parameters
    ----------
    pixels
        Shape Y, X (grey) or Y, X, 3 (red, green, blue).
    """
    height, width = pixels.shape[:2]
    rows = np.empty((height, 1 + pixels[0].size), np.uint8)
    rows[:, 0] = 0  # the filter of each row: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b"")]
    pieces = [b"\x89PNG\r\n\x1a\n"]
    for name, data in parts:
        pieces += [struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))]
    return b"".join(pieces)


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture without colours as Y, X, any other one as it is."""
    few = rgb[:: max(1, len(rgb) // SAMPLED_ROWS)]
    if not (np.array_equal(few[..., 0], few[..., 1]) and np.array_equal(few[..., 1], few[..., 2])):
        return rgb
    red, green, blue = (np.asarray(part, np.uint8) for part in cv2.split(rgb))
    return red if np.array_equal(red, green) and np.array_equal(green, blue) else rgb


def _is_noise(pixels: NDArray[np.uint8]) -> bool:
    """Return whether compressing a picture is not worth the wait, judged by pairs of rows from all over it."""
    flat = pixels.reshape(len(pixels), -1)
    step = max(2, 2 * len(flat) // SAMPLED_ROWS)
    above, below = flat[:-1:step], flat[1::step]
    return _share(below[: len(above)] - above) > NOISE


def _share(samples: NDArray[np.uint8]) -> float:
    """Return the share of some bytes that is left when they are compressed; 0 of none."""
    squeezed = zlib.compressobj(1, zlib.DEFLATED, strategy=zlib.Z_RLE)
    left = squeezed.compress(np.ascontiguousarray(samples)) + squeezed.flush()
    return len(left) / samples.size if samples.size else 0.0
