"""A small library of real files of four formats whose pixels a test can tell apart."""

from pathlib import Path

import mrcfile
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

type JSON = dict[str, JSON] | list[JSON] | str | float

SIZE = 96
COLORS = ("#0000ff", "#00ff00", "#ff0000")


def blob(x: float, y: float, radius: float = 9.0) -> NDArray[np.float64]:
    """Return a soft bright spot, shape Y, X, values 0 to 1."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    spot: NDArray[np.float64] = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
    return spot


def write_stack(path: Path) -> Path:
    """Write an OME-TIFF of T 3, C 3 (blue, green, red), Z 6: every plane has its spot at a place of its own."""
    pixels = np.zeros((3, 3, 6, SIZE, SIZE))
    for t, c, z in np.ndindex(3, 3, 6):
        pixels[t, c, z] = 4000 * blob(14 + 13 * z, 16 + 28 * c + 8 * t) + 100
    colors = [int(color.removeprefix("#") + "ff", 16) for color in COLORS]
    tifffile.imwrite(
        path,
        pixels.astype(np.uint16),
        ome=True,
        metadata={
            "axes": "TCZYX",
            "PhysicalSizeX": 0.065,
            "PhysicalSizeY": 0.065,
            "PhysicalSizeZ": 0.3,
            "TimeIncrement": 60.0,
            "Channel": {
                "Name": ["DAPI", "GFP", "Cy5"],
                "Color": [color - (1 << 32) if color >= 1 << 31 else color for color in colors],
                "EmissionWavelength": [461, 509, 670],
            },
        },
    )
    return path


def write_tomogram(path: Path) -> Path:
    """Write an MRC volume with a voxel size of 7.84 angstrom."""
    volume = np.stack([blob(20 + 6 * z, 48) for z in range(8)]).astype(np.float32)
    with mrcfile.new(path, volume) as file:
        file.voxel_size = 7.84
    return path


def write_zarr(path: Path) -> Path:
    """Write an OME-Zarr 0.5 image of two channels."""
    group = zarr.create_group(path)
    data = np.stack([blob(30, 30), blob(60, 60)])
    group.create_array("0", data=(data * 1000).astype(np.uint16), dimension_names=["c", "y", "x"])
    scale: JSON = [{"type": "scale", "scale": [1, 0.325, 0.325]}]
    axes: JSON = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    multiscale: JSON = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return path


def write_plain(path: Path, place: int = 0) -> Path:
    """Write a plain TIFF of one plane, without a pixel size."""
    tifffile.imwrite(path, (3000 * blob(20 + place, 40) + 50).astype(np.uint16))
    return path


def write_library(folder: Path) -> Path:
    """Write one file of each format and a few plain ones."""
    folder.mkdir()
    write_stack(folder / "embryo.ome.tif")
    write_tomogram(folder / "tomogram.mrc")
    write_zarr(folder / "plate.zarr")
    tifffile.imwrite(
        folder / "division.tif",
        np.stack([3000 * blob(20 + 9 * t, 48) for t in range(7)]).astype(np.uint16),
        imagej=True,
        metadata={"axes": "TYX", "unit": "um", "finterval": 30.0},
        resolution=(5.0, 5.0),
    )
    for number in range(3):
        write_plain(folder / f"field_{number}.tif", 15 * number)
    return folder
