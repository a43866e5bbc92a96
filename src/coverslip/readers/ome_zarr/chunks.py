"""Arrays of OME-Zarr through ``zarr``, guarded where its codecs believe a damaged chunk.

Blosc (numcodecs 0.17) takes the compressed size from the chunk's own header and never compares it with the bytes it was
given: a chunk cut short decodes to whatever lies behind it in memory. Every blosc chunk is therefore measured first.
Header of blosc 1: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from coverslip.errors import ReadError
from coverslip.readers.ome_zarr.remote import remote_store
from coverslip.sources import RemotePath

BLOSC = ("blosc", "numcodecs.blosc")
SHARDS = "sharding_indexed"
HEADER_BYTES = 16


def open_array(folder: Path, document: dict[str, Any]) -> Any:
    """Return a read-only ``zarr.Array`` for an array's folder and its document."""
    import zarr  # noqa: PLC0415  # 0.4 s that listing a library must not cost
    from zarr.storage import LocalStore, StorePath  # noqa: PLC0415

    store = remote_store(folder) if isinstance(folder, RemotePath) else LocalStore(folder, read_only=True)
    place = StorePath(store)
    return zarr.Array.from_dict(place, _guarded_v2(document) if document["zarr_format"] == 2 else _guarded_v3(document))


def check_blosc(chunk: bytes | memoryview) -> None:
    """Raise unless a blosc chunk is as long as its header says.

    Raises
    ------
    ReadError
        The chunk is cut short.
    """
    stated = int.from_bytes(chunk[12:HEADER_BYTES], "little")
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
