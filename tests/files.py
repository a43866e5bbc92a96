"""Small real files that many tests need."""

from pathlib import Path

import numpy as np
import tifffile


def plane(seed: int, shape: tuple[int, ...] = (48, 64)) -> np.ndarray:
    """Return reproducible pixels that look like nothing else."""
    return np.random.default_rng(seed).integers(0, 4000, shape, dtype=np.uint16)


def write_tiff(path: Path, seed: int = 0, shape: tuple[int, ...] = (48, 64)) -> Path:
    """Write a plain TIFF file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, plane(seed, shape), photometric="minisblack")
    return path


def write_folder(folder: Path, count: int) -> list[Path]:
    """Write many different TIFF files."""
    return [write_tiff(folder / f"image_{number:03d}.tif", number) for number in range(count)]
