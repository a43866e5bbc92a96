"""Small DeltaVision files of every sequence, type and byte order, with the pixels they hold."""

import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np

Order = Literal["<", ">"]
Array = np.ndarray[Any, np.dtype[Any]]

MODES = {"u1": 0, "i2": 1, "f4": 2, "c8": 4, "u2": 6, "i4": 7}
SEQUENCES = {"ZTW": (1, 0, 2), "WZT": (0, 2, 1), "ZWT": (0, 1, 2)}
"""Which of our axes T, C, Z the stored sections have, slowest first."""


def make_deltavision(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X."""
    dice = np.random.default_rng(9)
    made: dict[Path, list[Array]] = {}
    orders: dict[str, Order] = {"big.d3d": ">", "bytes.dv": ">"}
    for name, dtype, sequence in (
        ("ztw.dv", "i2", "ZTW"),
        ("wzt.dv", "u2", "WZT"),
        ("zwt.r3d", "f4", "ZWT"),
        ("big.d3d", "u2", "ZTW"),
        ("bytes.dv", "u1", "WZT"),
        ("complex.dv", "c8", "ZWT"),
        ("long.dv", "i4", "ZTW"),
    ):
        pixels = (dice.normal(99, 40, (3, 2, 4, 8, 9)) + (1j if dtype == "c8" else 0)).astype(dtype)
        made[write(folder / name, pixels, order=orders.get(name, "<"), sequence=sequence)] = [pixels]
    return made


def write(path: Path, pixels: Array, *, order: Order = "<", sequence: str = "ZTW", extended: bool = True) -> Path:
    """Write pixels of shape T, C, Z, Y, X."""
    path.write_bytes(content(pixels, order=order, sequence=sequence, extended=extended))
    return path


def content(pixels: Array, *, order: Order = "<", sequence: str = "ZTW", extended: bool = True) -> bytes:
    """Return the bytes of a file."""
    sections = pixels.transpose(*SEQUENCES[sequence], 3, 4)
    count = int(np.prod(pixels.shape[:3]))
    more = b""
    if extended:
        places = [(t, w) for t, w, _ in _places(pixels.shape, sequence)]
        more = b"".join(struct.pack(f"{order}8i32f", *[0] * 8, *_floats(t, w)) for t, w in places)
    head = bytearray(1024)
    struct.pack_into(
        f"{order}4i",
        head,
        0,
        pixels.shape[4],
        pixels.shape[3],
        count,
        MODES[f"{pixels.dtype.kind}{pixels.dtype.itemsize}"],
    )
    struct.pack_into(f"{order}3f", head, 40, 0.1, 0.1, 0.25)
    struct.pack_into(f"{order}i", head, 92, len(more))
    struct.pack_into(f"{order}h", head, 96, -16224)
    struct.pack_into(f"{order}2h", head, 128, 8, 32)
    struct.pack_into(f"{order}2h", head, 180, pixels.shape[0], list(SEQUENCES).index(sequence))
    struct.pack_into(f"{order}6h", head, 196, pixels.shape[1], 525, 605, 0, 0, 0)
    struct.pack_into(f"{order}i", head, 220, 1)
    head[224:234] = b"two words "
    return bytes(head) + more + sections.astype(pixels.dtype.newbyteorder(order)).tobytes()


def _places(shape: tuple[int, ...], sequence: str) -> list[tuple[int, int, int]]:
    """Return t, w, z of each stored section."""
    numbers = np.stack(np.meshgrid(*(np.arange(length) for length in shape[:3]), indexing="ij"), axis=-1)
    return [(t, w, z) for t, w, z in numbers.transpose(*SEQUENCES[sequence], 3).reshape(-1, 3).tolist()]


def _floats(t: int, w: int) -> list[float]:
    floats = [0.0] * 32
    floats[1], floats[8], floats[10], floats[11] = 2.5 * t, 0.02 * (w + 1), (475.0, 555.0)[w], (525.0, 605.0)[w]
    return floats
