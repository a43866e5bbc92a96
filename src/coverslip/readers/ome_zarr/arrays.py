"""Arrays in a folder whose chunks are read at their place and decoded by several threads.

For what OME-Zarr files are made of: regular grids, plain numbers, compressed as a whole, alone or in shards. Anything
else is left to ``zarr``. Formats: https://zarr-specs.readthedocs.io, version 2, and version 3 with the codecs
``bytes``, ``blosc``, ``zstd``, ``gzip``, ``crc32c`` and ``sharding_indexed``.
"""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.readers.decoded import Decoded
from coverslip.readers.ome_zarr.documents import Node
from coverslip.readers.ome_zarr.encoding import Encoding, parse_encoding
from coverslip.readers.ome_zarr.stores import FolderStore
from coverslip.readers.places import read_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    type Box = tuple[slice, ...]

NO_CHUNK = (1 << 64) - 1
CHECKSUM_BYTES = 4
THREADS = min(4, os.cpu_count() or 1)
WORTH_A_THREAD = 1 << 20
"""Bytes of pixels below which starting threads costs more than it gives."""
INDEX_BYTES = 16 << 20
"""Bytes of shard indices that are kept; one entry takes 16."""
TOGETHER = 0.8
"""Chunks of a shard are read at once where they are at least this part of what lies between them."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Where one chunk's bytes are, and where its pixels go."""

    data: "NDArray[np.uint8]"
    target: "Box"
    """In the box that was asked for."""
    inner: "Box"
    """In the chunk."""


class StoredArray:
    """One array of a folder. Nothing is held open between two reads. Safe from any number of threads."""

    def __init__(self, store: FolderStore, key: str, encoding: Encoding) -> None:
        self._store = store
        self._key = key
        self._encoding = encoding
        self._indices: Decoded[NDArray[np.uint64]] = Decoded(INDEX_BYTES)

    def __getitem__(self, box: "Box") -> "NDArray[Any]":
        """Return the pixels of a box, one slice with start and stop per axis; native byte order.

        Raises
        ------
        ReadError
            A chunk is cut short, or a shard's index is damaged. A chunk that is not stored is the fill value.
        """
        encoding = self._encoding
        lengths = tuple(span.stop - span.start for span in box)
        out = np.empty(lengths, encoding.dtype)
        pieces = list(self._sharded(box, out) if encoding.shard else self._single(box, out))
        if len(pieces) < 4 or THREADS == 1 or out.nbytes < WORTH_A_THREAD:
            self._paste(out, pieces)
        else:
            with ThreadPoolExecutor(THREADS) as pool:  # a share each: handing over every chunk costs as much as it
                shares = [pieces[i::THREADS] for i in range(THREADS)]
                # each in a copy of what holds here: the budgets are those of the reading thread
                for done in [pool.submit(copy_context().run, self._paste, out, share) for share in shares]:
                    done.result()
        return out

    def _paste(self, out: "NDArray[Any]", pieces: Sequence[_Piece]) -> None:
        """Decode chunks and put their pixels where they belong."""
        encoding, held = self._encoding, np.empty(self._encoding.chunk, self._encoding.stored)
        for piece in pieces:
            target = out[piece.target]
            is_direct = target.shape == encoding.chunk and target.flags.c_contiguous and encoding.stored == out.dtype
            pixels = encoding.decode(piece.data, target if is_direct else held)
            if not is_direct:
                target[...] = pixels[piece.inner]

    def _single(self, box: "Box", out: "NDArray[Any]") -> Iterator[_Piece]:
        """Yield the chunks that have a file each."""
        for place, target, inner in _touched(box, self._encoding.chunk):
            data = self._store.read(self._name(place))
            if data is None:
                out[target] = self._encoding.fill
            else:
                yield _Piece(np.frombuffer(data, np.uint8), target, inner)

    def _sharded(self, box: "Box", out: "NDArray[Any]") -> Iterator[_Piece]:
        """Yield the chunks that lie in shards."""
        chunk, shard = self._encoding.chunk, self._encoding.shard
        counts = tuple(whole // part for whole, part in zip(shard, chunk, strict=True))
        for place, target, inner in _touched(box, shard):
            path = self._name(place)
            descriptor = self._store.open(path)
            if descriptor is None:
                out[target] = self._encoding.fill
                continue
            try:
                index, end = self._index(path, descriptor, counts), os.fstat(descriptor).st_size
                wanted = []
                for at, within, part in _touched(inner, chunk):
                    offset, size = (int(number) for number in index[at])
                    here = tuple(
                        slice(whole.start + own.start, whole.start + own.stop)
                        for whole, own in zip(target, within, strict=True)
                    )
                    if offset == size == NO_CHUNK:
                        out[here] = self._encoding.fill
                    elif offset + size > end:  # before so much memory is asked for
                        raise ReadError(f"the shard {path} is truncated: {end} bytes, a chunk lies beyond them")
                    else:
                        wanted.append((offset, size, here, part))
                # read here and not by the threads: the file is closed when the next shard's turn comes
                yield from _read_together(path, descriptor, wanted)
            finally:
                os.close(descriptor)

    def _name(self, place: Sequence[int]) -> str:
        name = self._encoding.key(place)
        return f"{self._key}/{name}" if self._key else name

    def _index(self, path: str, descriptor: int, counts: Sequence[int]) -> "NDArray[np.uint64]":
        """Return where the chunks of a shard lie: their grid, then offset and size. Read again when the file changed.

        Raises
        ------
        ReadError
            It is cut off, or its checksum does not fit.
        """
        state = os.fstat(descriptor)
        key = path, state.st_size, state.st_mtime_ns
        found = self._indices.get(key)
        if found is not None:
            return found
        import google_crc32c  # noqa: PLC0415  # comes with zarr

        size = math.prod(counts) * 16
        table = np.empty(size + CHECKSUM_BYTES, np.uint8)
        place = state.st_size - table.nbytes if self._encoding.is_index_last else 0
        if place < 0 or read_at(descriptor, place, table) < table.nbytes:
            raise ReadError(f"the shard {path} is truncated: {state.st_size} bytes cannot hold its index")
        if google_crc32c.value(table[:size].tobytes()) != int.from_bytes(table[size:].tobytes(), "little"):
            raise ReadError(f"the index of the shard {path} is damaged: its checksum does not fit")
        index = table[:size].view("<u8").reshape(*counts, 2)
        self._indices.keep(key, index, index.nbytes)
        return index


def stored_array(node: Node) -> StoredArray | None:
    """Return an array that is read here: in a folder, and of a document that says nothing only ``zarr`` knows."""
    if not isinstance(node.store, FolderStore):
        return None
    encoding = parse_encoding(node.zarr_document)
    return None if encoding is None else StoredArray(node.store, node.key, encoding)


def _touched(box: "Box", sides: Sequence[int]) -> Iterator[tuple[tuple[int, ...], "Box", "Box"]]:
    """Yield the cells of a grid that a box touches: place in the grid, span in the box, span in the cell."""
    axes = []
    for span, side in zip(box, sides, strict=True):
        cells = range(span.start // side, (span.stop - 1) // side + 1)
        firsts = [max(span.start, cell * side) for cell in cells]
        lasts = [min(span.stop, (cell + 1) * side) for cell in cells]
        axes.append(
            [
                (cell, slice(a - span.start, b - span.start), slice(a - cell * side, b - cell * side))
                for cell, a, b in zip(cells, firsts, lasts, strict=True)
            ]
        )
    for cells_here in product(*axes):
        places, targets, inners = zip(*cells_here, strict=True)
        yield places, targets, inners


def _read_together(path: str, descriptor: int, wanted: Sequence[tuple[int, int, "Box", "Box"]]) -> Iterator[_Piece]:
    """Yield the chunks of one shard, read at once where little else lies between them."""
    if not wanted:
        return
    first = min(offset for offset, _, _, _ in wanted)
    last = max(offset + size for offset, size, _, _ in wanted)
    is_dense = sum(size for _, size, _, _ in wanted) >= TOGETHER * (last - first)
    held = _filled(path, descriptor, first, last - first) if is_dense else None
    for offset, size, target, inner in wanted:
        start = offset - first
        chunk = _filled(path, descriptor, offset, size) if held is None else held[start : start + size]
        yield _Piece(chunk, target, inner)


def _filled(path: str, descriptor: int, place: int, size: int) -> "NDArray[np.uint8]":
    data = np.empty(size, np.uint8)
    if read_at(descriptor, place, data) < size:
        raise ReadError(f"the shard {path} is truncated: a chunk should end at byte {place + size}")
    return data
