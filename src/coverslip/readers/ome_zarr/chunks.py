"""Arrays of OME-Zarr through ``zarr``, guarded where its codecs believe a damaged chunk.

Blosc (numcodecs 0.17) takes the compressed size from the chunk's own header and never compares it with the bytes it was
given: a chunk cut short decodes to whatever lies behind it in memory. Every blosc chunk is therefore measured first.
Header of blosc 1: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from coverslip.errors import ReadError
from coverslip.readers.budgets import check_piece

BLOSC = ("blosc", "numcodecs.blosc")
SHARDS = "sharding_indexed"
HEADER_BYTES = 16


def open_array(folder: Path, document: dict[str, Any]) -> Any:
    """Return a read-only ``zarr.Array`` for an array's folder and its document."""
    import zarr  # noqa: PLC0415  # 0.4 s that listing a library must not cost
    from zarr.storage import StorePath  # noqa: PLC0415

    place = StorePath(_store(folder))
    return zarr.Array.from_dict(place, _guarded_v2(document) if document["zarr_format"] == 2 else _guarded_v3(document))


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


def _store(folder: Path) -> Any:
    """Return a store of the files in a folder that follows no link out of it."""
    from zarr.storage import LocalStore  # noqa: PLC0415  # as above

    class Inside(LocalStore):
        async def get(self, key: str, *args: Any, **options: Any) -> Any:
            real = os.path.realpath(self.root / key)
            if not real.startswith(f"{home}{os.sep}"):
                raise ReadError(f"the chunk {key} is a link out of the folder. It will not be followed")
            return await super().get(key, *args, **options)

    home = os.path.realpath(folder)
    return Inside(folder, read_only=True)


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
