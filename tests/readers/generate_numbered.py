"""Numbered sets, written by tifffile as instruments name them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

Array = np.ndarray[Any, np.dtype[Any]]


def noise(shape: Sequence[int], dtype: str = "uint16", seed: int = 0) -> Array:
    """Return pixels that differ everywhere."""
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def write_numbered(folder: Path, array: Array, form: str, *, first: int = 0, **options: Any) -> list[Path]:
    """Write T, C, Z, Y, X (, S) as one file for each plane and return their paths.

    Parameters
    ----------
    folder
        Where to.
    array
        The pixels.
    form
        Name with ``{t}``, ``{c}`` and ``{z}``, folders included.
    first
        What counting begins with.
    """
    paths = []
    for t, c, z in np.ndindex(array.shape[:3]):
        path = folder / form.format(t=t + first, c=c + first, z=z + first)
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, array[t, c, z], **options)
        paths.append(path)
    return paths


def make_numbered(folder: Path) -> Mapping[Path, Sequence[Array]]:
    """Return one file of each of several sets and what is in the set."""
    cases: Sequence[tuple[str, tuple[int, ...], str, int, dict[str, Any]]] = (
        ("leica/exp_t{t:02d}_z{z:02d}_ch{c:02d}.tif", (3, 2, 4, 40, 50), "uint16", 0, {}),
        ("metamorph/plate_E07_s1_w{c}_t{t}.TIF", (11, 2, 1, 40, 50), "uint8", 1, {"compression": "zlib"}),
        ("yokogawa/A01_T{t:04d}F001L01A01Z{z:02d}C{c:02d}.tif", (2, 3, 2, 40, 50), "float32", 1, {"tile": (16, 16)}),
        ("opera/r01c02f03p{z:02d}-ch{c}sk{t}fk1fl1.tiff", (1, 2, 3, 40, 50), ">u2", 1, {"byteorder": ">"}),
        ("big/a_c{c}.tif", (1, 3, 1, 40, 50), "uint16", 1, {"bigtiff": True}),
        ("words/time {t}, slice {z}.tif", (3, 1, 2, 40, 50, 3), "uint8", 1, {"photometric": "rgb"}),
    )
    made: dict[Path, Sequence[Array]] = {}
    for seed, (form, shape, dtype, first, options) in enumerate(cases):
        array = noise(shape, dtype, seed)
        paths = write_numbered(folder, array, form, first=first, **options)
        made[paths[-1]] = [array.astype(array.dtype.newbyteorder("="))]
    return made
