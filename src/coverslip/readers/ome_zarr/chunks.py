"""Arrays of OME-Zarr through ``zarr``, guarded where its codecs believe a damaged chunk.

Blosc (numcodecs 0.17) takes the compressed size from the chunk's own header and never compares it with the bytes it was
given: a chunk cut short decodes to whatever lies behind it in memory. Every blosc chunk is therefore measured first.
Header of blosc 1: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
"""

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from coverslip.errors import ReadError
from coverslip.readers.budgets import check_piece
from coverslip.readers.ome_zarr.documents import Node
from coverslip.readers.ome_zarr.stores import WHOLE, Store

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

BLOSC = ("blosc", "numcodecs.blosc")
SHARDS = "sharding_indexed"
HEADER_BYTES = 16


def open_array(node: Node) -> Any:
    """Return a read-only ``zarr.Array`` for an array of the hierarchy."""
    import zarr  # noqa: PLC0415  # 0.4 s that listing a library must not cost
    from zarr.storage import StorePath  # noqa: PLC0415

    place, document = StorePath(_store_class()(node.store), node.key), node.zarr_document
    return zarr.Array.from_dict(place, _guarded_v2(document) if node.zarr_format == 2 else _guarded_v3(document))


@cache
def _store_class() -> type[Any]:
    """Return the class, made when it is first needed: zarr costs 0.4 s."""
    from zarr.abc.store import Store as ZarrStore  # noqa: PLC0415  # see above

    return type("ChunkStore", (_Answers, ZarrStore), {})


class _Answers:
    """What zarr-python asks of a store to read arrays, answered by one of ours."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, store: Store) -> None:
        super().__init__(read_only=True)  # type: ignore[call-arg]  # zarr's Store comes next in the order
        self._store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Answers) and other._store is self._store

    def __hash__(self) -> int:
        return id(self._store)

    def get_sync(
        self, key: str, *, prototype: "BufferPrototype | None" = None, byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        """Return the bytes under a key, or ``None`` where nothing is stored."""
        from zarr.core.buffer import default_buffer_prototype  # noqa: PLC0415  # loaded by now

        data = self._store.read(key, _slice(byte_range))
        return None if data is None else (prototype or default_buffer_prototype()).buffer.from_bytes(data)

    async def get(
        self, key: str, prototype: "BufferPrototype | None" = None, byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        """Return the bytes under a key, or ``None`` where nothing is stored."""
        from asyncio import to_thread  # noqa: PLC0415  # costs 15 ms, and zarr has loaded it by now

        return await to_thread(self.get_sync, key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(self, prototype: "BufferPrototype", key_ranges: "Any") -> "list[Buffer | None]":
        """Return parts of the bytes under several keys."""
        return [await self.get(key, prototype, wanted) for key, wanted in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether anything is stored under a key."""
        return self._store.read(key, slice(0, 1)) is not None

    async def set(self, key: str, _value: "Buffer") -> None:
        """Refuse."""
        raise ValueError(f"{key}: readers do not write")

    async def delete(self, key: str) -> None:
        """Refuse."""
        raise ValueError(f"{key}: readers do not delete")

    async def list(self) -> AsyncIterator[str]:
        """Yield nothing: arrays are read by their own documents."""
        nothing: tuple[str, ...] = ()
        for key in nothing:
            yield key

    async def list_prefix(self, _prefix: str) -> AsyncIterator[str]:
        """Yield nothing."""
        nothing: tuple[str, ...] = ()
        for key in nothing:
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names directly below a key."""
        for name in self._store.names(prefix):
            yield name


def _slice(wanted: "ByteRequest | None") -> slice:
    """Return what one of zarr's three kinds of range means."""
    if wanted is None:
        return WHOLE
    if hasattr(wanted, "suffix"):
        return slice(-wanted.suffix, None)
    return slice(wanted.offset, None) if hasattr(wanted, "offset") else slice(wanted.start, wanted.end)


def check_chunks(document: Mapping[str, Any], itemsize: int) -> None:
    """Refuse an array whose chunks are too large to be decoded: zarr asks for the memory of a chunk as a whole.

    Shards are read in part; what counts is the chunks in them.

    Raises
    ------
    BudgetError
        ``plane_bytes``.
    """
    shape: Any = document.get("chunks") or document.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape")
    for codec in document.get("codecs") or ():
        if isinstance(codec, dict) and codec.get("name") == SHARDS:
            shape = codec.get("configuration", {}).get("chunk_shape")
    if isinstance(shape, list) and all(isinstance(length, int) and length > 0 for length in shape):
        promised = math.prod(shape) * itemsize
        check_piece(promised, promised, None, f"a chunk of {shape}")


def check_blosc(chunk: bytes | memoryview) -> None:
    """Raise unless a blosc chunk is as long as its header says.

    Raises
    ------
    ReadError
        The chunk is cut short.
    """
    stated = int.from_bytes(chunk[12:HEADER_BYTES], "little")
    check_piece(int.from_bytes(chunk[4:8], "little"), len(chunk), None, "a blosc chunk")
    if len(chunk) < HEADER_BYTES or stated > len(chunk):
        raise ReadError(f"a chunk is truncated: {len(chunk)} bytes, {max(stated, HEADER_BYTES)} were written")


@dataclass(frozen=True)
class _GuardedV2:
    """A numcodecs compressor that measures a chunk before it is decoded."""

    inner: Any
    codec_id: str = "blosc"

    def decode(self, chunk: Any, out: Any = None) -> Any:
        check_blosc(memoryview(chunk).cast("B"))
        return self.inner.decode(chunk, out)

    def encode(self, chunk: Any) -> Any:
        return self.inner.encode(chunk)

    def get_config(self) -> Any:
        return self.inner.get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_GuardedV2":
        from numcodecs import get_codec  # noqa: PLC0415  # comes with zarr

        return cls(get_codec(config))


def _guarded_v2(document: dict[str, Any]) -> dict[str, Any]:
    compressor = document.get("compressor")
    if not isinstance(compressor, dict) or compressor.get("id") not in BLOSC:
        return document
    return {**document, "compressor": _GuardedV2.from_config(compressor)}


def _guarded_v3(document: dict[str, Any]) -> dict[str, Any]:
    codecs = document.get("codecs")
    return {**document, "codecs": _guarded_codecs(codecs)} if isinstance(codecs, list) else document


def _guarded_codecs(codecs: list[Any]) -> list[Any]:
    """Return the codecs with a measuring one behind every blosc, also inside shards."""
    guarded = []
    for codec in codecs:
        name = codec.get("name") if isinstance(codec, dict) else codec
        inner = codec.get("configuration", {}).get("codecs") if name == SHARDS else None
        if isinstance(inner, list):
            codec = {**codec, "configuration": {**codec["configuration"], "codecs": _guarded_codecs(inner)}}  # noqa: PLW2901
        guarded.append(codec)
        if name in BLOSC:
            guarded.append(_measuring_codec())
    return guarded


@cache
def _measuring_codec() -> Any:
    """Return a codec that passes chunks through when they are as long as they say."""
    from zarr.abc.codec import BytesBytesCodec  # noqa: PLC0415  # as above

    @dataclass(frozen=True)
    class Measure(BytesBytesCodec):
        is_fixed_size = True

        def to_dict(self) -> dict[str, Any]:
            return {"name": "coverslip.measure"}

        def compute_encoded_size(self, input_byte_length: int, _spec: Any) -> int:
            return input_byte_length

        async def _decode_single(self, chunk: Any, _spec: Any) -> Any:
            check_blosc(memoryview(chunk.as_numpy_array()).cast("B"))
            return chunk

        async def _encode_single(self, chunk: Any, _spec: Any) -> Any:
            return chunk

    return Measure()
