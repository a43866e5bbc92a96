"""What a reader is asked for, and whether it gave that."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import ReadError, RegionError
from coverslip.model import Budgets, ImageMetadata, Region
from coverslip.readers.budgets import most_at_once

if TYPE_CHECKING:
    from coverslip.model.protocols import Array


def asked(
    path: Path, meta: ImageMetadata, level: int, region: Region | None, allowed: Budgets
) -> tuple[Region, tuple[int, ...]]:
    """Return a region of a level with every axis spelled out, and the shape T, C, Z, Y, X (and S) of its pixels.

    Raises
    ------
    RegionError
        The level or the region lies outside the image, or is more than may be read at once.
    """
    if not 0 <= level < len(meta.levels):
        raise RegionError(f"{path}: level {level} does not exist; there are {len(meta.levels)}")
    try:
        box = (region or Region()).resolve(meta.level_shape(level))
    except RegionError as error:
        raise RegionError(f"{path}: {error}") from error
    shape = (*box.shape, meta.samples) if meta.samples > 1 else box.shape
    needed = math.prod(shape) * meta.bytes_per_sample
    if needed > (most := most_at_once(allowed)):  # before anything is allocated: headers promise any size
        raise RegionError(
            f"{path}: these pixels need {needed / 2**30:.1f} GiB at once, there are "
            f"{most / 2**30:.1f} (memory of this machine, or COVERSLIP_BUDGET_MEMORY_BYTES). Read a smaller region"
        )
    return box, shape


def check_given(path: Path, meta: ImageMetadata, pixels: "Array", expected: tuple[int, ...]) -> None:
    """Refuse pixels of another shape or type than the metadata says.

    Raises
    ------
    ReadError
        With both.
    """
    if pixels.shape != expected or pixels.dtype.name != meta.dtype:
        raise ReadError(
            f"{path}: the metadata promises {expected} {meta.dtype}, the pixels are {pixels.shape} {pixels.dtype.name}"
        )
