"""TIFF files as microscopes write them, small."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray


def stack_pixels(seed: int = 0) -> NDArray[np.uint16]:
    """Return a z-stack of shape Z 5, C 2, Y 40, X 60 with a bright square that moves with z."""
    pixels = np.random.default_rng(seed).integers(90, 110, (5, 2, 40, 60)).astype(np.uint16)
    for z in range(5):
        pixels[z, 0, 10:20, 8 * z : 8 * z + 10] = 4000
        pixels[z, 1, 25:35, 8 * z : 8 * z + 10] = 3000
    return pixels


def write_stack(path: Path, seed: int = 0) -> Path:
    """Write a two-channel z-stack as OME-TIFF, 0.065 x 0.065 x 0.2 micrometres."""
    tifffile.imwrite(
        path,
        stack_pixels(seed),
        ome=True,
        metadata={
            "axes": "ZCYX",
            "PhysicalSizeX": 0.065,
            "PhysicalSizeY": 0.065,
            "PhysicalSizeZ": 0.2,
            "Channel": {"Name": ["DAPI", "GFP"]},
        },
    )
    return path


def write_series(path: Path, count: int) -> Path:
    """Write one OME-TIFF that holds many images."""
    with tifffile.TiffWriter(path, ome=True) as writer:
        for number in range(count):
            pixels = np.full((24, 32), number, np.uint16)
            pixels[4:8, 4:8] = 1000 + number
            writer.write(pixels, metadata={"axes": "YX", "Name": f"Position {number}"})
    return path
