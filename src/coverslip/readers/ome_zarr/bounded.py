"""Compressed chunks unpacked to no more than they should hold: a few bytes may stand for gigabytes."""

import bz2
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from coverslip.errors import ReadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    type Bytes = bytes | NDArray[np.uint8]

GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
"""Tells ``zlib`` to look at the header."""
LZ4_SIZE_BYTES = 4


class _Unpacking(Protocol):
    """What ``zlib`` and ``bz2`` have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unpack_pieces(start: Callable[[], _Unpacking], data: "Bytes", wanted: int) -> bytes:
    """Return what one or several streams one after another unpack to, at most one byte more than is wanted.

    Raises
    ------
    ReadError
        The data ends early.
    """
    rest, found = bytes(data), b""
    while rest and len(found) <= wanted:
        unpacking = start()
        found += unpacking.decompress(rest, wanted + 1 - len(found))
        if not unpacking.eof:
            if len(found) > wanted:
                break
            raise ReadError("a chunk is truncated: its compressed data ends early")
        rest = unpacking.unused_data
    return found


def unpack_zstd(data: "Bytes", wanted: int) -> bytes:
    """Return what Zstandard data unpacks to.

    Raises
    ------
    ReadError
        It is damaged, or more than is wanted.
    """
    import imagecodecs  # noqa: PLC0415  # 0.1 s that listing a library must not cost

    try:
        return bytes(imagecodecs.zstd_decode(data, out=wanted))
    except imagecodecs.ZstdError as error:
        raise ReadError(f"a chunk is damaged, or holds more than {wanted} bytes of pixels: {error}") from error


def unpack_lz4(data: "Bytes", wanted: int) -> Any:
    """Return what LZ4 data of numcodecs, which begins with its size, unpacks to.

    Raises
    ------
    ReadError
        It says that it holds another number of bytes.
    """
    from numcodecs import get_codec  # noqa: PLC0415  # comes with zarr

    stated = int.from_bytes(bytes(data[:LZ4_SIZE_BYTES]), "little")
    if stated != wanted:
        raise ReadError(f"a chunk holds {stated} bytes of pixels where {wanted} belong")
    return get_codec({"id": "lz4"}).decode(data)


BOUNDED: "Mapping[str, Callable[[Bytes, int], Any]]" = MappingProxyType(
    {
        "gzip": lambda data, wanted: unpack_pieces(lambda: zlib.decompressobj(GZIP_OR_ZLIB), data, wanted),
        "zlib": lambda data, wanted: unpack_pieces(lambda: zlib.decompressobj(GZIP_OR_ZLIB), data, wanted),
        "bz2": lambda data, wanted: unpack_pieces(bz2.BZ2Decompressor, data, wanted),
        "zstd": unpack_zstd,
        "lz4": unpack_lz4,
    }
)
"""How each compression is undone within a bound, by its name in numcodecs; blosc says its size and is checked."""
