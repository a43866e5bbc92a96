"""Images in memory that note what is read of them."""

from typing import Any

import numpy as np

from coverslip.model import ImageMetadata, Level, Region

Array = np.ndarray[Any, Any]


class Stack:
    """An image in memory that notes what is read of it. Levels are arrays T, C, Z, Y, X (and S)."""

    def __init__(self, *levels: Array, **known: Any) -> None:
        self.arrays = levels
        self.reads: list[tuple[int, Region]] = []
        shape = levels[0].shape
        known = {"name": "stack", "file_format": "TIFF", **known}
        self.metadata = ImageMetadata(
            **dict(zip(("size_t", "size_c", "size_z", "size_y", "size_x", "samples"), shape, strict=False)),
            dtype=levels[0].dtype.name,
            levels=tuple(Level(size_z=a.shape[2], size_y=a.shape[3], size_x=a.shape[4]) for a in levels),
            **known,
        )

    def read(self, level: int, region: Region) -> Array:
        box = region.resolve(self.metadata.level_shape(level))
        self.reads.append((level, box))
        pixels: Array = self.arrays[level][box.slices]
        return pixels

    def largest_read(self) -> int:
        """Return the pixels of the largest single read."""
        return max(int(np.prod(box.shape)) for _, box in self.reads)


def noise(*shape: int, dtype: str = "uint16", seed: int = 0) -> Array:
    """Return positive, skewed values, at most 120."""
    random = np.random.default_rng(seed)
    values = random.gamma(2.0, 20.0, shape)
    if dtype.startswith("complex"):
        return (values + 1j * random.gamma(2.0, 20.0, shape)).astype(dtype)
    return (values > 40 if dtype == "bool" else np.minimum(values, 120)).astype(dtype)
