"""The limit of formats with compressed blocks: plain reads at places found out before, and the bare codec."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import czifile
import imagecodecs
import numpy as np
from numpy.typing import NDArray


@cache
def czi_places(path: Path) -> list[tuple[int, int]]:
    """Return where the pixels of every subblock are."""
    with czifile.CziFile(path) as file:
        found = [entry.read_segment_data(file) for entry in file.subblock_directory]
        return [
            (block.data_offset, block.data_size) for block in found if isinstance(block, czifile.CziSubBlockSegmentData)
        ]


def czi_planes(path: Path, side: int = 1024) -> Iterator[NDArray[np.uint16]]:
    """Yield the planes of a CZI of one Zstandard subblock each."""
    with path.open("rb") as stream:
        for place, size in czi_places(path):
            packed = os.pread(stream.fileno(), size, place)
            data = imagecodecs.zstd1_decode(packed, itemsize=2, samples=1, out=side * side * 2)
            yield np.frombuffer(data, np.uint16).reshape(side, side)


@cache
def shard_places(path: Path) -> NDArray[np.uint64]:
    """Return where the chunks of a shard are: row, column, then offset and size."""
    data = path.read_bytes()
    count = 64
    return np.frombuffer(data[-count * 16 - 4 : -4], "<u8").reshape(8, 8, 2)


def shard_chunk(stream: Any, place: NDArray[np.uint64], out: NDArray[np.uint16]) -> None:
    """Put one chunk of a shard into an array."""
    offset, size = (int(number) for number in place)
    packed = os.pread(stream.fileno(), size, offset)
    out[...] = np.frombuffer(imagecodecs.blosc_decode(packed, numthreads=1), np.uint16).reshape(out.shape)
