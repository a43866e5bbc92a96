"""Many chunks by number -> one ``.shard`` file.

The format is ``neuroglancer_uint64_sharded_v1``, described in ``sharded.md`` in ``src/datasource/precomputed`` of
Neuroglancer. An index here has one shard (``shard_bits`` 0), so that it is one file, and the identity as its hash.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARD = "0.shard"
"""The name of the only shard."""
IN_MINISHARD = 2048
"""Chunks that one index of a minishard should list: a client fetches it whole before it fetches a chunk."""
MOST_BITS = 10
ENTRY = 16
"""Bytes of one entry of the shard index."""


@dataclass(frozen=True, slots=True)
class Sharding:
    """How the chunks of one index are laid out in its shard."""

    minishard_bits: int
    data_encoding: Literal["raw", "gzip"]

    @classmethod
    def of(cls, count: int, data_encoding: Literal["raw", "gzip"]) -> "Sharding":
        """Return the layout for so many chunks."""
        bits = (max(0, count - 1) // IN_MINISHARD).bit_length()
        return cls(min(bits, MOST_BITS), data_encoding)

    def to_json(self) -> dict[str, Any]:
        """Return the ``sharding`` member of an info file."""
        return {
            "@type": "neuroglancer_uint64_sharded_v1",
            "preshift_bits": 0,
            "hash": "identity",
            "minishard_bits": self.minishard_bits,
            "shard_bits": 0,
            "minishard_index_encoding": "gzip",
            "data_encoding": self.data_encoding,
        }

    def encode(self, chunk: bytes) -> bytes:
        """Return a chunk as it is stored."""
        return chunk if self.data_encoding == "raw" else gzipped(chunk)


def gzipped(data: bytes) -> bytes:
    """Return gzip without a time in it: the same input gives the same bytes."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    return squeeze.compress(data) + squeeze.flush()


def shard(chunks: Mapping[int, bytes], sharding: Sharding, before: Mapping[int, bytes] | None = None) -> bytes:
    """Return a shard file.

    Parameters
    ----------
    chunks
        By their number, as they are stored (see ``Sharding.encode``).
    sharding
        The layout.
    before
        Bytes that stand right before a chunk and are in no index: the fragments of a mesh before its manifest.
    """
    before = before or {}
    mask = (1 << sharding.minishard_bits) - 1
    data: list[bytes] = []
    indices: list[bytes] = []
    position = 0
    groups: list[list[int]] = [[] for _ in range(mask + 1)]
    for number in sorted(chunks):
        groups[number & mask].append(number)
    for group in groups:
        starts, sizes = [], []
        for number in group:
            ahead, chunk = before.get(number, b""), chunks[number]
            data += [ahead, chunk]
            starts.append(position + len(ahead))
            sizes.append(len(chunk))
            position += len(ahead) + len(chunk)
        indices.append(_index(np.array(group, np.uint64), np.array(starts, np.uint64), np.array(sizes, np.uint64)))
    return b"".join(_whole(data, position, indices))


def shard_records(ids: "NDArray[np.uint64]", records: "NDArray[Any]", sharding: Sharding) -> bytes:
    """Return a shard file of chunks of one size, stored raw.

    Parameters
    ----------
    ids
        Shape (n,): the number of each chunk; each is there once.
    records
        Shape (n,), of a structured type: the chunks.
    sharding
        The layout; its data encoding is raw.
    """
    minishard = ids & np.uint64((1 << sharding.minishard_bits) - 1)
    order = np.lexsort((ids, minishard))
    size = records.dtype.itemsize
    bounds = np.searchsorted(minishard[order], np.arange((1 << sharding.minishard_bits) + 1, dtype=np.uint64))
    indices = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        starts = np.arange(first, last, dtype=np.uint64) * np.uint64(size)
        indices.append(_index(ids[order[first:last]], starts, np.full(last - first, size, np.uint64)))
    return b"".join(_whole([records[order].tobytes()], len(ids) * size, indices))


def _index(ids: "NDArray[np.uint64]", starts: "NDArray[np.uint64]", sizes: "NDArray[np.uint64]") -> bytes:
    """Return the index of one minishard: ids and starts as differences, three rows."""
    if not len(ids):
        return b""
    rows = np.empty((3, len(ids)), "<u8")
    rows[0] = np.diff(ids, prepend=np.uint64(0))
    rows[1] = starts
    rows[1, 1:] -= starts[:-1] + sizes[:-1]
    rows[2] = sizes
    return gzipped(rows.tobytes())


def _whole(data: Iterable[bytes], size: int, indices: list[bytes]) -> Iterator[bytes]:
    """Yield the shard index, the chunks and the indices of the minishards."""
    ends = size + np.cumsum([len(index) for index in indices], dtype=np.uint64)
    lengths = np.array([len(index) for index in indices], np.uint64)
    yield np.stack((ends - lengths, ends), axis=1).astype("<u8").tobytes()
    yield from data
    yield from indices


def morton(cells: "NDArray[np.int64]", grid_shape: tuple[int, ...]) -> "NDArray[np.uint64]":
    """Return the compressed Morton codes of grid cells, see ``volume.md`` of Neuroglancer.

    Parameters
    ----------
    cells
        Shape (n, 3): x, y, z.
    grid_shape
        The lengths of the grid: x, y, z.
    """
    codes = np.zeros(len(cells), np.uint64)
    output = 0
    for bit in range(max(length - 1 for length in grid_shape).bit_length()):
        for axis, length in enumerate(grid_shape):
            if 1 << bit < length:
                codes |= ((cells[:, axis].astype(np.uint64) >> np.uint64(bit)) & np.uint64(1)) << np.uint64(output)
                output += 1
    return codes
