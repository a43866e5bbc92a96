"""Images in memory: what the rooms above see of a reader, without a file."""

import math
from typing import Any

import numpy as np
import zarr

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Level, Region

Array = np.ndarray[Any, np.dtype[Any]]


class ArrayImage:
    """An image whose levels are arrays: T, C, Z, Y, X (and S).

    Parameters
    ----------
    levels
        Finest first.
    broken
        Regions of level 0 that touch this region cannot be read.
    facts
        More metadata.
    """

    def __init__(self, *levels: Array, broken: Region | None = None, **facts: Any) -> None:
        self.levels = levels
        self.broken = broken
        self.largest = 0
        """Most pixels asked for at a time."""
        first = levels[0]
        sizes = dict(zip(("size_t", "size_c", "size_z", "size_y", "size_x"), first.shape, strict=False))
        self.metadata = ImageMetadata(
            **{
                "name": "made",
                "file_format": "array",
                **sizes,
                "samples": first.shape[5] if first.ndim == 6 else 1,
                "dtype": first.dtype.name,
                "levels": tuple(
                    Level(**dict(zip(("size_z", "size_y", "size_x"), level.shape[2:5], strict=True)))
                    for level in levels
                ),
                **facts,
            }
        )

    def read(self, level: int, region: Region) -> Array:
        """Return a copy of the pixels of a region."""
        box = region.resolve(self.metadata.level_shape(level))
        self.largest = max(self.largest, math.prod(box.shape))
        if self.broken is not None and level == 0 and _touch(box, self.broken):
            raise ReadError("made.tif: the file ends before these pixels")
        return self.levels[level][box.slices].copy()


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return the array of a group that has this name."""
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found


def channels_of(pixels: Array) -> Array:
    """Return T, C, Z, Y, X with colour samples as channels."""
    if pixels.ndim == 5:
        return pixels
    moved = np.moveaxis(pixels, -1, 2)
    return moved.reshape(moved.shape[0], -1, *moved.shape[3:])


def some(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0) -> Array:
    """Return reproducible pixels over the whole range of a type; NaN and infinities among those that have them."""
    dice = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return dice.random(shape) < 0.5
    if kind in "iu":
        limits = np.iinfo(dtype)
        return dice.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    values = dice.normal(0, 100, shape)
    if kind == "c":
        return (values + 1j * dice.normal(0, 100, shape)).astype(dtype)
    values[dice.random(shape) < 0.02] = np.nan
    values[dice.random(shape) < 0.005] = np.inf
    return values.astype(dtype)


def slow_mean(pixels: Array, side: int) -> Array:
    """Return the area means of the last two axes in the plainest way there is, one block at a time."""
    *lead, height, width = pixels.shape
    out = np.empty((*lead, -(-height // side), -(-width // side)), pixels.dtype)
    for place in np.ndindex(out.shape):
        y, x = place[-2] * side, place[-1] * side
        block = pixels[(*place[:-2], slice(y, y + side), slice(x, x + side))].reshape(-1)
        out[place] = _mean(block)
    return out


def _mean(block: Array) -> Any:
    if block.dtype.kind in "biu":
        whole, rest = divmod(sum(int(value) for value in block), block.size)
        up = 2 * rest > block.size or (2 * rest == block.size and whole % 2 == 1)
        return whole + up
    known = block[~np.isnan(block)]
    if not known.size:
        return np.nan
    with np.errstate(invalid="ignore"):
        return known.astype(np.complex128 if block.dtype.kind == "c" else np.float64).mean()


def _touch(one: Region, other: Region) -> bool:
    pairs = zip((one.t, one.c, one.z, one.y, one.x), (other.t, other.c, other.z, other.y, other.x), strict=True)
    return all(b is None or (a is not None and a[0] < b[1] and b[0] < a[1]) for a, b in pairs)
