"""Small MRC files of every mode, byte order and layout, with the pixels they hold."""

import bz2
import gzip
import struct
import warnings
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def make_mrc(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(7)
    made: dict[Path, list[Array]] = {}
    for name, dtype, shape in (
        ("float.mrc", "f4", (5, 7, 9)),
        ("bytes.rec", "i1", (4, 6, 8)),
        ("words.map", "u2", (3, 5, 4)),
        ("half.ali", "f2", (2, 6, 6)),
        ("big_endian.ccp4", ">i2", (4, 3, 5)),
        ("big_complex.mrc", ">c8", (2, 4, 3)),
    ):
        volume = (dice.normal(0, 60, shape) + (1j if "c" in dtype else 0)).astype(dtype)
        made[write(folder / name, volume)] = [canonical(volume)]
    stack = dice.normal(0, 1, (4, 6, 7)).astype("f4")
    made[write(folder / "particles.mrcs", stack, stack=True)] = [stack[:, None, None]]
    volumes = dice.normal(0, 1, (2, 3, 5, 4)).astype("f4")
    made[write(folder / "volumes.mrc", volumes)] = [volumes[:, None]]
    plane = dice.integers(-300, 300, (6, 5)).astype("i2")
    made[write(folder / "plane.mrc", plane)] = [plane[None, None, None]]
    for name, pack in (("packed.mrc.gz", gzip.compress), ("packed.map.bz2", bz2.compress)):
        volume = dice.integers(-99, 99, (3, 8, 9)).astype("i2")
        (folder / name).write_bytes(pack(write(folder / "unpacked.mrc", volume).read_bytes()))
        made[folder / name] = [canonical(volume)]
    (folder / "unpacked.mrc").unlink()
    return made | _by_hand(folder, dice)


def write(path: Path, array: Array, *, stack: bool = False, voxel_size: float = 13.48) -> Path:
    """Write one file with mrcfile itself."""
    with warnings.catch_warnings():
        # mrcfile 1.5.4 sets dtypes in place, which NumPy 2.5 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        with mrcfile.new(path, array, overwrite=True) as file:
            file.voxel_size = voxel_size
            if stack:
                file.set_image_stack()
    return path


def header(sizes: tuple[int, int, int], mode: int, *, order: str = "<", old: bool = False, **fields: Any) -> bytes:
    """Return a header written field by field, for what mrcfile cannot write.

    ``fields``: ``cell`` in angstrom, ``grid``, ``axes``, ``group``, ``extended`` bytes, ``kind``, ``imod`` flags,
    ``start`` (nxstart ...), ``stamp``, ``maximum``.
    """
    raw = bytearray(1024)
    struct.pack_into(f"{order}3ii", raw, 0, *sizes, mode)
    struct.pack_into(f"{order}3i", raw, 28, *fields.get("grid", sizes))
    struct.pack_into(f"{order}6f", raw, 40, *fields.get("cell", (0, 0, 0)), 90, 90, 90)
    struct.pack_into(f"{order}3i", raw, 64, *fields.get("axes", (1, 2, 3)))
    struct.pack_into(f"{order}3f", raw, 76, 0, fields.get("maximum", 0), 0)
    struct.pack_into(f"{order}2i", raw, 88, fields.get("group", 1), fields.get("extended", 0))
    raw[104:108] = fields.get("kind", b"\0\0\0\0")
    if "imod" in fields:
        struct.pack_into(f"{order}2i", raw, 152, 1146047817, fields["imod"])
    if not old:
        raw[208:212] = b"MAP "
        raw[212:216] = fields.get("stamp", b"\x11\x11\0\0" if order == ">" else b"DD\0\0")
    return bytes(raw)


def canonical(volume: Array) -> Array:
    """Return a Z, Y, X volume as T, C, Z, Y, X."""
    return volume[None, None]


def _by_hand(folder: Path, dice: np.random.Generator) -> dict[Path, list[Array]]:
    made: dict[Path, list[Array]] = {}
    unsigned = dice.integers(0, 256, (2, 3, 5)).astype("u1")
    made[folder / "imod_unsigned.st"] = [canonical(unsigned)]
    (folder / "imod_unsigned.st").write_bytes(header((5, 3, 2), 0, imod=0) + unsigned.tobytes())

    nibbles = dice.integers(0, 16, (2, 3, 5)).astype("u1")
    padded = np.pad(nibbles, ((0, 0), (0, 0), (0, 1)))
    made[folder / "nibbles.mrc"] = [canonical(nibbles)]
    (folder / "nibbles.mrc").write_bytes(header((5, 3, 2), 101) + (padded[..., ::2] | padded[..., 1::2] << 4).tobytes())

    pairs = dice.integers(-99, 99, (2, 3, 4, 2)).astype(">i2")
    made[folder / "complex_integers.mrc"] = [canonical((pairs[..., 0] + 1j * pairs[..., 1]).astype("c8"))]
    (folder / "complex_integers.mrc").write_bytes(header((4, 3, 2), 3, order=">") + pairs.tobytes())

    colours = dice.integers(0, 256, (2, 4, 3, 3)).astype("u1")
    made[folder / "colours.mrc"] = [canonical(colours)]
    (folder / "colours.mrc").write_bytes(header((3, 4, 2), 16) + colours.tobytes())

    old = dice.normal(0, 1, (2, 3, 4)).astype(">f4")
    made[folder / "before_2000.map"] = [canonical(old)]
    (folder / "before_2000.map").write_bytes(header((4, 3, 2), 2, order=">", old=True) + old.tobytes())

    extended = dice.integers(-9, 9, (3, 2, 4)).astype("<i2")
    made[folder / "extended.mrc"] = [canonical(extended)]
    (folder / "extended.mrc").write_bytes(
        header((4, 2, 3), 1, extended=640, kind=b"SERI") + bytes(640) + extended.tobytes()
    )
    return made
