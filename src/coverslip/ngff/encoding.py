"""Pixels -> the bytes of Zarr chunks and shards, and the words for it in the documents of both versions.

Formats: https://zarr-specs.readthedocs.io, version 2, and version 3 with the codecs ``bytes``, ``blosc``, ``crc32c``
and ``sharding_indexed``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import UnsupportedFormatError

type Version = Literal["0.4", "0.5"]
"""Version of OME-Zarr: 0.4 is Zarr 2, 0.5 is Zarr 3."""

V3_TYPES = frozenset(
    {"bool", "float16", "float32", "float64", "complex64", "complex128"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


@dataclass(frozen=True, slots=True)
class Compression:
    """A compressor of Blosc and its level."""

    name: str
    level: int


ZSTD = Compression("zstd", 1)
LZ4 = Compression("lz4", 5)
"""What ``zarr`` 2 writes by default, and so most of what programs of cryo-ET have met."""
NO_CHUNK = (1 << 64) - 1


def type_words(dtype: np.dtype[Any], version: Version) -> dict[str, Any]:
    """Return the entries of an array document that name the pixel type and the fill value.

    Raises
    ------
    UnsupportedFormatError
        Zarr has no such type.
    """
    if dtype.name not in V3_TYPES:
        raise UnsupportedFormatError(f"pixels of type {dtype.name} have no type in OME-Zarr")
    fill: Any = {"b": False, "f": 0.0, "c": [0.0, 0.0]}.get(dtype.kind, 0)
    if version == "0.5":
        return {"data_type": dtype.name, "fill_value": fill}
    return {"dtype": dtype.newbyteorder("<").str, "fill_value": fill}


def bytes_codec(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the Zarr 3 codec of plain little-endian pixels."""
    return {"name": "bytes", **({"configuration": {"endian": "little"}} if dtype.itemsize > 1 else {})}


def compression_words(dtype: np.dtype[Any], version: Version, compression: Compression = ZSTD) -> dict[str, Any]:
    """Return the compression of written chunks: a codec of Zarr 3 or a compressor of Zarr 2."""
    shuffled = dtype.itemsize > 1
    common = {"cname": compression.name, "clevel": compression.level, "blocksize": 0}
    if version == "0.4":
        return {"id": "blosc", "shuffle": int(shuffled), **common}
    shuffle = "shuffle" if shuffled else "noshuffle"
    return {"name": "blosc", "configuration": {"shuffle": shuffle, "typesize": dtype.itemsize, **common}}


def chunk_bytes(pixels: NDArray[Any], chunk: Sequence[int]) -> bytes:
    """Return plain little-endian bytes of a whole chunk; what lies beyond the array's edge is zero.

    Parameters
    ----------
    pixels
        Those of the chunk that are inside the array: T, C, Z, Y, X.
    chunk
        Shape of a whole chunk. Readers cut it to the array's declared shape.
    """
    return _padded(pixels, chunk).tobytes()


def compressed(pixels: NDArray[Any], chunk: Sequence[int], compression: Compression = ZSTD) -> bytes:
    """Return the compressed bytes of a whole chunk, see ``chunk_bytes`` and ``compression_words``."""
    whole = _padded(pixels, chunk)
    encoded: bytes = _compressor(compression, whole.itemsize > 1).encode(whole)
    return encoded


def shard_bytes(chunks: Sequence[bytes | None]) -> bytes:
    """Return a shard: its chunks one after another, then their places, then a checksum of those.

    Parameters
    ----------
    chunks
        In C order over the shard's chunk grid; ``None`` where the chunk lies beyond the array's edge.
    """
    import google_crc32c  # noqa: PLC0415  # comes with zarr; serving needs it never

    index = np.full((len(chunks), 2), NO_CHUNK, "<u8")
    offset = 0
    for place, chunk in enumerate(chunks):
        if chunk is not None:
            index[place] = offset, len(chunk)
            offset += len(chunk)
    table = index.tobytes()
    checksum = int(google_crc32c.value(table)).to_bytes(4, "little")
    return b"".join([*(chunk for chunk in chunks if chunk is not None), table, checksum])


def _padded(pixels: NDArray[Any], chunk: Sequence[int]) -> NDArray[Any]:
    """Return a C-contiguous little-endian array of the shape of a chunk."""
    little = pixels.dtype.newbyteorder("<")
    if pixels.shape == tuple(chunk):
        return np.ascontiguousarray(pixels, little)
    whole = np.zeros(tuple(chunk), little)
    whole[tuple(slice(0, length) for length in pixels.shape)] = pixels
    return whole


@cache
def _compressor(compression: Compression, shuffled: bool) -> Any:
    from numcodecs.blosc import Blosc  # noqa: PLC0415  # comes with zarr; serving needs it never

    return Blosc(compression.name, compression.level, int(shuffled))
