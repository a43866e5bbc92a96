"""How an array's chunks are stored, as its document says: grid, names, number type, compression. No I/O."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.readers.ome_zarr.bounded import BOUNDED
from coverslip.readers.ome_zarr.chunks import BLOSC, SHARDS, check_blosc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    type Bytes = bytes | NDArray[np.uint8]

V3_KEYS = frozenset(
    {"shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs", "attributes"}
    | {"dimension_names", "storage_transformers", "node_type", "zarr_format"}
)
V2_COMPRESSORS = ("blosc", "zstd", "zlib", "gzip", "lz4", "bz2")
V3_COMPRESSORS: Mapping[str, str] = {"blosc": "blosc", "numcodecs.blosc": "blosc", "zstd": "zstd", "gzip": "gzip"}
"""Codec of Zarr 3 -> the same in numcodecs."""
PLAIN_KINDS = "biufc"
INDEX_CODECS = ("bytes", "crc32c")


@dataclass(frozen=True, slots=True)
class Encoding:
    """Everything needed to find and decode a chunk."""

    chunk: tuple[int, ...]
    """Shape of what is compressed at once."""
    shard: tuple[int, ...]
    """Shape of what has a file; empty where that is the chunk."""
    stored: "np.dtype[Any]"
    """Type of the numbers with their byte order."""
    fill: Any
    key: Callable[[Sequence[int]], str]
    """Name of the file of a chunk or shard, by its place in the grid."""
    unpack: "Callable[[Bytes, NDArray[Any] | None, int], Bytes] | None" = None
    """Undoes the compression, into an array where one is given; never gives more than a byte above the last number."""
    is_blosc: bool = False
    has_checksum: bool = False
    """Whether each chunk ends with a CRC-32C of the rest."""
    is_index_last: bool = True

    @property
    def dtype(self) -> "np.dtype[Any]":
        """Type of the numbers in native byte order."""
        return self.stored.newbyteorder("=")

    def decode(self, data: "NDArray[np.uint8]", out: "NDArray[Any] | None") -> "NDArray[Any]":
        """Return the numbers of a chunk, in ``out`` where that is given: C-contiguous, of type ``stored``.

        Raises
        ------
        ReadError
            The chunk does not hold as many as it should.
        """
        wanted = math.prod(self.chunk) * self.stored.itemsize
        if self.has_checksum:
            data = _checked(data)
        unpacked: Bytes = data
        if self.unpack is not None:
            if self.is_blosc:
                check_blosc(memoryview(data))
                _check_size(int.from_bytes(data[4:8].tobytes(), "little"), wanted)
            into = out if out is not None or not self.is_blosc else np.empty(self.chunk, self.stored)
            unpacked = self.unpack(data, into if self.is_blosc else None, wanted)
            if self.is_blosc and into is not None:
                return into
        numbers = np.frombuffer(unpacked, np.uint8)
        _check_size(numbers.nbytes, wanted)
        pixels = numbers.view(self.stored).reshape(self.chunk)
        if out is not None:
            out[...] = pixels
        return pixels


def parse_encoding(document: Mapping[str, Any]) -> Encoding | None:
    """Return how an array is stored; ``None`` for a document that is unusual, whether damaged or merely rare."""
    try:
        return _parse_v2(document) if document["zarr_format"] == 2 else _parse_v3(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _parse_v2(document: Mapping[str, Any]) -> Encoding | None:
    compressor, separator = document["compressor"], document.get("dimension_separator", ".")
    stored, chunk = np.dtype(document["dtype"]), _sides(document["chunks"], document["shape"])
    kind = None if compressor is None else compressor["id"]
    is_known = kind is None or kind in V2_COMPRESSORS
    if not is_known or document["order"] != "C" or document.get("filters") or stored.kind not in PLAIN_KINDS:
        return None
    return Encoding(
        chunk=chunk,
        shard=(),
        stored=stored,
        fill=_fill(0 if document["fill_value"] is None else document["fill_value"], stored),
        key=partial(_joined, "", separator),
        unpack=None if compressor is None else _unpacker(compressor),
        is_blosc=kind == "blosc",
    )


def _parse_v3(document: Mapping[str, Any]) -> Encoding | None:
    grid, naming = document["chunk_grid"], document["chunk_key_encoding"]
    stored = np.dtype(document["data_type"])
    unusual = set(document) - V3_KEYS or document.get("storage_transformers") or grid["name"] != "regular"
    if unusual or naming["name"] not in {"default", "v2"} or stored.kind not in PLAIN_KINDS:
        return None
    side = _sides(grid["configuration"]["chunk_shape"], document["shape"])
    codecs, is_index_last = document["codecs"], True
    shard: tuple[int, ...] = ()
    if codecs[0]["name"] == SHARDS:
        sharding = codecs[0]["configuration"]
        index_codecs = [codec["name"] for codec in sharding["index_codecs"]]
        endian = sharding["index_codecs"][0].get("configuration", {}).get("endian", "little")
        if len(codecs) > 1 or tuple(index_codecs) != INDEX_CODECS or endian != "little":
            return None
        shard, side = side, _sides(sharding["chunk_shape"], document["shape"])
        codecs, is_index_last = sharding["codecs"], sharding.get("index_location", "end") == "end"
        if any(whole % part for whole, part in zip(shard, side, strict=True)):
            return None
    found = _chain(codecs, stored)
    if found is None:
        return None
    separator = naming.get("configuration", {}).get("separator", "/" if naming["name"] == "default" else ".")
    return Encoding(
        chunk=side,
        shard=shard,
        fill=_fill(document["fill_value"], stored),
        key=partial(_joined, "c" if naming["name"] == "default" else "", separator),
        is_index_last=is_index_last,
        **found,
    )


def _chain(codecs: Sequence[Mapping[str, Any]], stored: "np.dtype[Any]") -> dict[str, Any] | None:
    """Return what the codecs of a chunk come to: plain bytes, perhaps one compression, perhaps a checksum."""
    names = [codec["name"] for codec in codecs]
    if names[0] != "bytes":
        return None
    endian = codecs[0].get("configuration", {}).get("endian", "little")
    has_checksum = names[-1] == "crc32c"
    rest = codecs[1 : len(codecs) - has_checksum]
    if len(rest) > 1 or (rest and rest[0]["name"] not in V3_COMPRESSORS) or endian not in {"little", "big"}:
        return None
    found: dict[str, Any] = {
        "stored": stored.newbyteorder("<" if endian == "little" else ">"),
        "has_checksum": has_checksum,
    }
    if rest:
        kind = V3_COMPRESSORS[rest[0]["name"]]
        found |= {"unpack": _unpacker({"id": kind}), "is_blosc": kind in BLOSC}
    return found


def _unpacker(config: Mapping[str, Any]) -> "Callable[[Bytes, NDArray[Any] | None, int], Bytes]":
    """Return what undoes a compression; a packed chunk says itself how it was packed."""
    from numcodecs import get_codec  # noqa: PLC0415  # comes with zarr

    kind = config["id"]
    if kind in BOUNDED:
        bounded = BOUNDED[kind]
        return lambda data, _out, wanted: bounded(data, wanted)
    decode: Callable[[Any, Any], Any] = get_codec({"id": kind}).decode
    return lambda data, out, _wanted: decode(data, out)


def _sides(stated: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    sides = tuple(int(side) for side in stated)
    if len(sides) != len(shape) or min(sides) < 1:
        raise ValueError(stated)
    return sides


def _fill(stated: Any, stored: "np.dtype[Any]") -> Any:
    """Return the fill value as a number of the type; hexadecimal and base64 ones are left to ``zarr``."""
    if isinstance(stated, list):
        stated = complex(*(float(part) for part in stated))
    elif isinstance(stated, str):
        stated = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[stated]
    return np.array(stated).astype(stored, casting="same_kind" if isinstance(stated, complex) else "unsafe")[()]


def _joined(prefix: str, separator: str, place: Sequence[int]) -> str:
    numbers = separator.join(map(str, place))
    return f"{prefix}{separator}{numbers}" if prefix else numbers


def _check_size(found: int, wanted: int) -> None:
    if found != wanted:
        raise ReadError(f"a chunk holds {found} bytes of pixels where {wanted} belong")


def _checked(data: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    import google_crc32c  # noqa: PLC0415  # comes with zarr

    if len(data) < 4 or google_crc32c.value(data[:-4].tobytes()) != int.from_bytes(data[-4:].tobytes(), "little"):
        raise ReadError("a chunk is damaged: its checksum does not fit")
    return data[:-4]
