"""The files that are read: noise of a camera over a background with blobs, so that they compress as real ones do.

Every file is written once per run, under one name for one content.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from benchmarks.conditions import folder, is_installed, is_quick
from tests.readers import generate_czi, generate_lif, generate_nd2

SIDE = 2048
TILE = 256


@cache
def planes(side: int, count: int = 8) -> NDArray[np.uint16]:
    """Return a few planes of Poisson noise with blobs: Z, Y, X."""
    dice = np.random.default_rng(20_240_229)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    light = np.full((side, side), 180, np.float32)
    for _ in range(40):
        y, x = dice.uniform(0, side, 2)
        size, peak = dice.uniform(8, 40), dice.uniform(200, 2500)
        light += peak * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * size**2))
    return np.stack([dice.poisson(np.roll(light, 23 * z, axis=1)) for z in range(count)]).astype(np.uint16)


def plane(z: int, side: int = SIDE) -> NDArray[np.uint16]:
    """Return one plane of a stack: Y, X."""
    kinds = planes(side)
    shifted: NDArray[np.uint16] = np.roll(kinds[z % len(kinds)], 31 * z, axis=0)
    return shifted


def depth(usual: int) -> int:
    """Return the number of planes of a stack, few in the quick form."""
    return max(6, usual // 10) if is_quick() else usual


def ome_tiff(usual: int = 60) -> Path:
    """Return an OME-TIFF of 2048 x 2048 x 16 bit planes; 60 are 500 MB."""
    path = folder() / f"stack{usual}.ome.tif"
    if not path.exists():
        count = depth(usual)
        tifffile.imwrite(
            path,
            (plane(z) for z in range(count)),
            shape=(count, SIDE, SIDE),
            dtype=np.uint16,
            ome=True,
            metadata={"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.3},
        )
    return path


def small_planes(count: int, side: int) -> Path:
    """Return a TIFF of so many planes of side x side x 16 bit."""
    path = folder() / f"planes{count}x{side}.tif"
    if not path.exists():
        pixels = np.stack([plane(z, side) for z in range(count)])
        tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "ZYX"})
    return path


def strips() -> Path:
    """Return the same stack in strips of 8 KiB, as Bio-Formats and many cameras write it."""
    path = folder() / "strips.tif"
    if not path.exists():
        with tifffile.TiffWriter(path) as writer:
            for z in range(depth(60)):
                writer.write(plane(z), rowsperstrip=2, contiguous=False, photometric="minisblack", metadata=None)
    return path


def czi(tiles: int = 1) -> Path:
    """Return a CZI stack with Zstandard (byte-shuffled, as ZEN writes), in tiles x tiles subblocks of 1024 x 1024.

    Written by pylibCZIrw where that is there.
    """
    path = folder() / f"stack{tiles}.czi"
    if not path.exists():
        side = 1024 * tiles
        blocks = [
            (z, y, x, plane(z, side)[y : y + 1024, x : x + 1024])
            for z in range(depth(24) if tiles == 1 else 6)
            for y in range(0, side, 1024)
            for x in range(0, side, 1024)
        ]
        if is_installed("pylibCZIrw"):
            _write_czi(path, blocks)
        else:
            own = [
                generate_czi.Block(pixels, "YX", {"Z": z, "Y": y, "X": x}, compression=generate_czi.ZSTD1)
                for z, y, x, pixels in blocks
            ]
            generate_czi.write(path, own)
    return path


def _write_czi(path: Path, blocks: Iterable[tuple[int, int, int, NDArray[np.uint16]]]) -> None:
    from pylibCZIrw import czi as library  # noqa: PLC0415

    with library.create_czi(str(path), compression_options="zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack") as file:
        for z, y, x, pixels in blocks:
            file.write(np.ascontiguousarray(pixels)[..., None], location=(x, y), plane={"Z": z, "C": 0, "T": 0})


def mrc() -> Path:
    """Return a volume of 42 sections of 2048 x 2048 float32: 705 MB."""
    path = folder() / "volume.mrc"
    if not path.exists():
        with mrcfile.new_mmap(path, (depth(42), SIDE, SIDE), mrc_mode=2) as file:
            for z in range(depth(42)):
                file.data[z] = (plane(z).astype(np.float32) - 400) / 50
            file.voxel_size = 7.84
    return path


def ome_zarr() -> Path:
    """Return an OME-Zarr 0.5 of the stack: chunks of 1 x 256 x 256 in shards of 1 x 2048 x 2048, blosc (LZ4)."""
    path = folder() / "stack.ome.zarr"
    if not path.exists():
        count = depth(60)
        ome: dict[str, Any] = {
            "version": "0.5",
            "multiscales": [
                {
                    "axes": [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"],
                    "datasets": [
                        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.3, 0.1, 0.1]}]}
                    ],
                }
            ],
        }
        path.mkdir()
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}
        (path / "zarr.json").write_text(json.dumps(group), encoding="utf-8")
        array = zarr.create_array(
            store=path / "0",
            shape=(count, SIDE, SIDE),
            chunks=(1, TILE, TILE),
            shards=(1, SIDE, SIDE),
            dtype="uint16",
            compressors=BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
        )
        for z in range(count):
            array[z] = plane(z)
    return path


def nd2() -> Path:
    """Return an ND2 of 6 frames of two channels, 2048 x 2048."""
    path = folder() / "stack.nd2"
    if not path.exists():
        frames = [np.stack([plane(z), plane(z + 1)], axis=-1) for z in range(6)]
        generate_nd2.write(path, frames, [generate_nd2.z_loop(6, 0.3)], names=("DAPI", "GFP"))
    return path


def lif() -> Path:
    """Return a LIF of 6 planes, 2048 x 2048."""
    path = folder() / "stack.lif"
    if not path.exists():
        stack = np.stack([plane(z) for z in range(6)])
        generate_lif.write(path, [generate_lif.Picture("stack", stack, "ZYX")])
    return path
