"""Small NIfTI files, written by nibabel, with the pixels they hold."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def make_nifti(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(21)
    made: dict[Path, list[Array]] = {}
    for name, dtype, shape in (
        ("volume.nii", "i2", (1, 1, 4, 5, 7)),
        ("plane.nii", "u1", (1, 1, 1, 6, 5)),
        ("series.nii.gz", "f4", (3, 1, 2, 5, 6)),
        ("vectors.nii", "f8", (1, 3, 2, 4, 5)),
        ("both.nii.gz", "u2", (2, 2, 2, 3, 4)),
        ("second.nii", "i4", (1, 1, 3, 4, 5)),
        ("second.nii.gz", "u4", (2, 1, 3, 4, 5)),
        ("big.nii", ">i2", (1, 1, 3, 4, 5)),
        ("complex.nii", "c8", (1, 1, 2, 3, 4)),
    ):
        pixels = (dice.normal(80, 20, shape) + (2j if "c" in dtype else 0)).astype(dtype)
        made[write(folder / name, pixels, second=name.startswith("second"))] = [pixels]
    colors = dice.integers(0, 256, (1, 1, 3, 4, 5, 3)).astype("u1")
    fields = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    kind: Any = nib.Nifti1Image
    image = kind(np.ascontiguousarray(colors[0, 0].transpose(2, 1, 0, 3)).view(fields)[..., 0], np.eye(4))
    nib.save(image, folder / "colors.nii")
    made[folder / "colors.nii"] = [colors]
    return made


def write(
    path: Path, pixels: Array, *, second: bool = False, spacing: tuple[float, ...] = (0.5, 0.5, 2.0), **more: Any
) -> Path:
    """Write pixels of shape T, C, Z, Y, X; ``more`` are fields of the header."""
    stored = pixels.transpose(4, 3, 2, 0, 1)
    while stored.ndim > 2 and stored.shape[-1] == 1:
        stored = stored[..., 0]
    kind: Any = nib.Nifti2Image if second else nib.Nifti1Image
    header = kind.header_class(endianness=">" if pixels.dtype.byteorder == ">" else "<")
    image = kind(stored, np.diag([*spacing, 1.0]), header=header, dtype=pixels.dtype)
    image.header.set_xyzt_units("mm", "sec")
    zooms = [*spacing, 1.5, 1.0][: stored.ndim]
    image.header.set_zooms(zooms)
    for key, value in more.items():
        image.header[key] = value
    nib.save(image, path)
    return path
