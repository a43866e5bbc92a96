"""The chunks of a remote array, for ``zarr``.

A chunk that is certainly not there is the fill value, by definition of the format; one that could not be had is an
error. Stores of other packages take a missing bucket for missing chunks.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from coverslip.errors import ReadError
from coverslip.sources import RemotePath

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

SHARDS_KEPT = 8
"""Shards of which the index and the blocks around what was read are remembered."""


def remote_store(folder: RemotePath) -> Any:
    """Return a read-only ``zarr`` store of what lies below a remote folder."""
    return _store_class()(folder)


def read_part(path: RemotePath, request: "ByteRequest | None") -> bytes | None:
    """Return an object or the part that zarr asks for; ``None`` where there is none.

    Raises
    ------
    UnreadableFileError
        Nobody knows.
    ReadError
        The object is shorter than that.
    """
    from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest  # noqa: PLC0415  # as in chunks

    try:
        if request is None:
            return path.read_bytes()
        source = path.source()
    except FileNotFoundError:
        return None
    match request:
        case RangeByteRequest(start=start, end=end):
            pass
        case OffsetByteRequest(offset=start):
            end = source.size
        case SuffixByteRequest(suffix=length):
            start, end = max(0, source.size - length), source.size
    if not 0 <= start <= end <= source.size:
        raise ReadError(f"{path}: bytes {start} to {end} are wanted, it has {source.size}: it is truncated")
    return source.read_at(start, end - start)


@cache
def _store_class() -> Any:  # noqa: C901  a class of small methods
    """Return the class, made when ``zarr`` is needed for the first time."""
    from zarr.abc.store import Store  # noqa: PLC0415  # 0.4 s that listing a library must not cost

    class RemoteStore(Store):
        """What lies below a remote folder, read-only. Zarr asks for known keys; nothing is listed."""

        supports_writes = False
        supports_deletes = False
        supports_listing = False

        def __init__(self, folder: RemotePath) -> None:
            super().__init__(read_only=True)
            self._folder = folder
            self._shard = lru_cache(SHARDS_KEPT)(folder.joinpath)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, RemoteStore) and other._folder == self._folder

        __hash__ = None  # type: ignore[assignment]  # as in its base

        async def get(
            self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None
        ) -> "Buffer | None":
            path = self._folder / key if byte_range is None else self._shard(key)
            data = await asyncio.to_thread(read_part, path, byte_range)
            return None if data is None else prototype.buffer.from_bytes(data)

        async def get_partial_values(
            self, prototype: "BufferPrototype", key_ranges: "Iterable[tuple[str, ByteRequest | None]]"
        ) -> "list[Buffer | None]":
            return [await self.get(key, prototype, request) for key, request in key_ranges]

        async def exists(self, key: str) -> bool:
            return await asyncio.to_thread((self._folder / key).is_file)

        async def set(self, key: str, value: "Buffer") -> None:
            self._check_writable()

        async def delete(self, key: str) -> None:
            self._check_writable()

        def list(self) -> AsyncIterator[str]:
            raise NotImplementedError

        def list_prefix(self, prefix: str) -> AsyncIterator[str]:
            raise NotImplementedError

        def list_dir(self, prefix: str) -> AsyncIterator[str]:
            raise NotImplementedError

    return RemoteStore
