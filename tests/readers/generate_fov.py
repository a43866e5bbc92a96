"""FOV folders, written by tifffile: one TIFF for each channel, masks and a cell table beside them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = ("CD4", "CD20", "Vimentin", "HLA_Class_1")
SHAPE = (70, 90)


def pixels(count: int, dtype: str = "uint16", seed: int = 0, shape: tuple[int, int] = SHAPE) -> Array:
    """Return that many planes of noise."""
    dice = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return dice.normal(0, 100, (count, *shape)).astype(dtype)
    return dice.integers(0, 200, (count, *shape)).astype(dtype)


def write_field(
    folder: Path, planes: Array, names: Sequence[str] = NAMES, ending: str = ".tif", **options: Any
) -> Path:
    """Write one TIFF for each plane and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plane in zip(names, planes, strict=True):
        tifffile.imwrite(folder / f"{name}{ending}", plane, **options)
    return folder


def write_mask(path: Path, mask: Array) -> Path:
    """Write a mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, mask, photometric="minisblack")
    return path


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a cell table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def in_natural_order(planes: Array, names: Sequence[str] = NAMES) -> Array:
    """Return the planes as T, C, Z, Y, X with the channels as the reader sorts them."""
    order = sorted(range(len(names)), key=lambda n: {"CD4": 0, "CD20": 1, "HLA_Class_1": 2, "Vimentin": 3}[names[n]])
    return planes[order][None, :, None]


def make_fields(folder: Path) -> Mapping[Path, Sequence[Array]]:
    """Return folders of fields of view and what is in them."""
    made: dict[Path, Sequence[Array]] = {}
    kinds: Mapping[str, tuple[str, dict[str, Any]]] = {
        "strips": ("uint16", {"rowsperstrip": 16}),
        "packed": ("uint8", {"compression": "zlib", "predictor": True}),
        "tiled": ("float32", {"tile": (32, 32), "compression": "zlib"}),
        "big": (">u2", {"byteorder": ">", "bigtiff": True}),
    }
    for seed, (name, (dtype, options)) in enumerate(kinds.items()):
        planes = pixels(4, dtype, seed)
        write_field(folder / name / "TIFs", planes, ending=".tiff", **options)
        made[folder / name] = [in_natural_order(planes.astype(planes.dtype.newbyteorder("=")))]
    write_mask(folder / "masks" / "strips_whole_cell.tif", pixels(1, "uint16", 9)[0])
    return made
