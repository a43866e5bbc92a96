"""Small PNG and JPEG files, written by OpenCV and by hand, with the pixels they hold."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def make_pictures(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(11)
    made: dict[Path, list[Array]] = {}
    for name, dtype, samples in (
        ("grey.png", "u1", 1),
        ("grey16.png", "u2", 1),
        ("rgb.png", "u1", 3),
        ("rgb16.png", "u2", 3),
        ("rgba.png", "u1", 4),
        ("rgba16.png", "u2", 4),
    ):
        shape = (37, 29) if samples == 1 else (37, 29, samples)
        pixels = dice.integers(0, 1 << 8 * np.dtype(dtype).itemsize, shape).astype(dtype)
        order = {1: pixels, 3: pixels[..., [2, 1, 0]] if samples == 3 else pixels}.get(samples)
        stored = pixels[..., [2, 1, 0, 3]] if samples == 4 else order
        assert stored is not None
        assert cv2.imwrite(str(folder / name), stored)
        made[folder / name] = [pixels[None, None, None]]
    palette = dice.integers(0, 256, (16, 3)).astype("u1")
    places = dice.integers(0, 16, (6, 8)).astype("u1")
    (folder / "palette.png").write_bytes(png(8, 6, 4, 3, packed(places, 4), chunk(b"PLTE", palette.tobytes())))
    made[folder / "palette.png"] = [palette[places][None, None, None]]
    two = dice.integers(0, 256, (5, 7, 2)).astype("u1")
    rows = b"".join(b"\0" + row.tobytes() for row in two)
    (folder / "grey_alpha.png").write_bytes(png(7, 5, 8, 4, rows))
    made[folder / "grey_alpha.png"] = [two[..., [0, 0, 0, 1]][None, None, None]]
    bits = dice.integers(0, 2, (9, 16)).astype("u1")
    (folder / "bits.png").write_bytes(png(16, 9, 1, 0, packed(bits, 1)))
    made[folder / "bits.png"] = [bits[None, None, None] * np.uint8(255)]
    return made | make_jpegs(folder, dice)


def make_jpegs(folder: Path, dice: np.random.Generator) -> dict[Path, list[Array]]:
    """Write JPEGs; the pixels are those that OpenCV's decoder gives, exact ones where nothing is lost."""
    made: dict[Path, list[Array]] = {}
    smooth = cv2.resize(dice.integers(0, 256, (5, 6, 3)).astype("u1"), (45, 38), interpolation=cv2.INTER_CUBIC)
    for name, pixels, options in (
        ("rgb.jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 95]),
        ("progressive.jpeg", smooth, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
        ("grey.jpg", smooth[..., 0], [cv2.IMWRITE_JPEG_QUALITY, 80]),
    ):
        assert cv2.imwrite(str(folder / name), pixels, options)
        decoded = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert decoded is not None
        made[folder / name] = [(decoded if decoded.ndim == 2 else decoded[..., ::-1])[None, None, None]]
    deep = dice.integers(0, 4096, (24, 30)).astype("u2")
    (folder / "lossless.jpg").write_bytes(imagecodecs.ljpeg_encode(deep, bitspersample=12))
    made[folder / "lossless.jpg"] = [deep[None, None, None]]
    return made


def png(width: int, height: int, depth: int, color: int, rows: bytes, extra: bytes = b"") -> bytes:
    """Return a PNG made by hand; ``rows`` with their filter bytes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def packed(values: Array, bits: int) -> bytes:
    """Return rows of values of less than 8 bits, with their filter bytes."""
    digits = (values[..., None] >> np.arange(bits - 1, -1, -1, dtype="u1")) & 1
    return b"".join(b"\0" + np.packbits(row.reshape(-1)).tobytes() for row in digits)
