"""The chunks of the levels of a volume, filled piece by piece, and which part of the volume is worked on when."""

import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.ngff.documents import array_document
from coverslip.ngff.encoding import LZ4, Version, compressed, shard_bytes
from coverslip.ngff.layout import chunk_key
from coverslip.ngff.volume_source import Box, Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Voxels = NDArray[Any]

UNIT_BYTES = 256 << 20
"""Of level 0 in memory at a time: a row of four chunks of 256 x 256 x 256 float32, whole lines of most tomograms."""
UNIT_PLANES = 64
STEP_BYTES = 4 << 20
"""Read, measured and averaged at a time by one thread, so that it stays in the cache of the processor."""
INNER = 4
"""Chunks in a shard, along each axis."""


class Buffers:
    """Memory for chunks, used again: asking the system for it anew costs as much as filling it."""

    def __init__(self, chunk: Size, dtype: np.dtype[Any]) -> None:
        self._chunk, self.dtype = chunk, dtype
        self._spare: list[Voxels] = []

    def take(self, *, is_whole: bool) -> "Voxels":
        """Return a chunk; zero where it is not going to be filled as a whole."""
        buffer = self._spare.pop() if self._spare else np.empty(self._chunk, self.dtype)
        if not is_whole:
            buffer.fill(0)
        return buffer

    def give_back(self, buffer: "Voxels") -> None:
        """Take a chunk back."""
        self._spare.append(buffer)


@dataclass(slots=True)
class _Open:
    buffer: "Voxels | None"
    """``None`` where the chunk is there already."""
    missing: int
    """Voxels."""


class VolumeLevel:
    """One level: its array, and those of its chunks that are being filled.

    Parameters
    ----------
    number
        0 is full resolution.
    size
        Z, Y, X.
    chunk
        What one file holds: a chunk in 0.4, a shard in 0.5.
    buffers
        Shared by all levels.
    version
        Of OME-Zarr.
    has
        Tells of the key of a chunk whether it need not be written.
    """

    def __init__(
        self, number: int, size: Size, chunk: Size, buffers: Buffers, version: Version, has: Callable[[str], bool]
    ) -> None:
        self.number, self.size, self.chunk = number, size, chunk
        self._buffers, self._version, self._has = buffers, version, has
        self._open: dict[Size, _Open] = {}
        self._lock = threading.Lock()

    def store(self, at: Size, voxels: "Voxels") -> list[Size]:
        """Put voxels into the chunks they belong to; return the places of those that are full and are to be written.

        Safe to call from several threads, for voxels of different places.

        Parameters
        ----------
        at
            Place of the first voxel.
        voxels
            Shape Z, Y, X.
        """
        full = []
        stop = [start + length for start, length in zip(at, voxels.shape, strict=True)]
        for place in self._places(at, stop):
            corner = [p * c for p, c in zip(place, self.chunk, strict=True)]
            spans = [(max(a, k), min(b, k + c)) for a, b, k, c in zip(at, stop, corner, self.chunk, strict=True)]
            with self._lock:
                state = self._open.get(place) or self._opened(place)
            if state.buffer is not None:
                into = tuple(slice(a - k, b - k) for (a, b), k in zip(spans, corner, strict=True))
                source = tuple(slice(a - start, b - start) for (a, b), start in zip(spans, at, strict=True))
                state.buffer[into] = voxels[source]
            with self._lock:
                state.missing -= math.prod(b - a for a, b in spans)
                if not state.missing and state.buffer is not None:
                    full.append(place)
                elif not state.missing:
                    del self._open[place]
        return full

    def take(self, place: Size) -> tuple[str, bytes]:
        """Return the key and the bytes of a full chunk, which is forgotten then."""
        with self._lock:
            buffer = self._open[place].buffer
        assert buffer is not None
        data = compressed(buffer, self.chunk, LZ4) if self._version == "0.4" else self._shard(place, buffer)
        with self._lock:
            del self._open[place]
            self._buffers.give_back(buffer)
        return chunk_key(self.number, place, self._version), data

    def document(self) -> tuple[str, dict[str, Any]]:
        """Return the key and the document of the array."""
        shard = self.chunk if self._version == "0.5" else None
        inner = self.chunk if shard is None else inner_chunk(self.chunk)
        name, document = array_document(
            self.size,
            inner,
            self._buffers.dtype,
            self._version,
            shard=shard,
            compress=True,
            compression=LZ4,
            axes="zyx",
        )
        return f"{self.number}/{name}", document

    def _places(self, start: Sequence[int], stop: Sequence[int]) -> Iterator[Size]:
        z, y, x = (range(a // c, -(-b // c)) for a, b, c in zip(start, stop, self.chunk, strict=True))
        yield from itertools.product(z, y, x)

    def _opened(self, place: Size) -> _Open:
        extent = [min(c, n - p * c) for p, c, n in zip(place, self.chunk, self.size, strict=True)]
        is_there = self._has(chunk_key(self.number, place, self._version))
        buffer = None if is_there else self._buffers.take(is_whole=tuple(extent) == self.chunk)
        self._open[place] = _Open(buffer, math.prod(extent))
        return self._open[place]

    def _shard(self, place: Size, buffer: "Voxels") -> bytes:
        inner = inner_chunk(self.chunk)
        data: list[bytes | None] = []
        for corner in itertools.product(*(range(0, c, i) for c, i in zip(self.chunk, inner, strict=True))):
            is_inside = all(p * c + k < n for p, c, k, n in zip(place, self.chunk, corner, self.size, strict=True))
            box = tuple(slice(k, k + i) for k, i in zip(corner, inner, strict=True))
            data.append(compressed(buffer[box], inner, LZ4) if is_inside else None)
        return shard_bytes(data)


def inner_chunk(shard: Size) -> Size:
    """Return the shape of the chunks in a shard."""
    z, y, x = (length // INNER if length % INNER == 0 else length for length in shard)
    return z, y, x


def level_size(size: Size, step: int, *, halves_z: bool) -> Size:
    """Return Z, Y, X of a level; what is left over at an edge has a voxel of its own."""
    z, y, x = size
    return (-(-z >> step) if halves_z else z), -(-y >> step), -(-x >> step)


def units(size: Size, chunk: Size, itemsize: int, levels: int, *, halves_z: bool) -> Iterator[Box]:
    """Yield boxes of whole chunks of level 0, in an order in which few chunks of coarser levels are open at a time.

    A box is as wide as memory allows, so that lines of the source are read whole.
    """
    grid = [-(-length // c) for length, c in zip(size, chunk, strict=True)]
    one = math.prod(chunk) * itemsize
    wide = _some(UNIT_BYTES // one, grid[2])
    deep = _some(min(UNIT_BYTES // (one * wide), UNIT_PLANES // chunk[0]), grid[0])
    unit = (deep * chunk[0], chunk[1], wide * chunk[2])
    nested = []
    for step in range(levels - 1, 0, -1):
        grown = [c << step if is_halved else c for c, is_halved in zip(chunk, (halves_z, True, True), strict=True)]
        nested.append([max(a, b) for a, b in zip(grown, unit, strict=True)])
    yield from _cut(((0, size[0]), (0, size[1]), (0, size[2])), [*nested, unit])


def steps(unit: Box, itemsize: int, levels: int, *, halves_z: bool) -> Iterator[Box]:
    """Yield the planes of a unit, a few at a time: whole blocks of the coarsest level."""
    z, y, x = unit
    block = 1 << (levels - 1) if halves_z else 1
    plane = (y[1] - y[0]) * (x[1] - x[0]) * itemsize
    count = block * max(1, STEP_BYTES // (plane * block))
    for start in range(z[0], z[1], count):
        yield (start, min(start + count, z[1])), y, x


def _some(most: int, there: int) -> int:
    """Return how many chunks: all there are, or the largest power of two, so that boxes end where coarser ones do."""
    return there if there <= most else 1 << max(0, most.bit_length() - 1)


def _cut(box: Box, sizes: Sequence[Sequence[int]]) -> Iterator[Box]:
    """Yield a box cut into boxes of the first size, each cut into those of the next."""
    if not sizes:
        yield box
        return
    spans = [
        [(a, min(a + length, stop)) for a in range(start, stop, length)]
        for (start, stop), length in zip(box, sizes[0], strict=True)
    ]
    for z, y, x in itertools.product(*spans):
        yield from _cut((z, y, x), sizes[1:])
