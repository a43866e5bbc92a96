"""Arrays that are read here equal what ``zarr`` reads, whatever the grid, the numbers and the compression."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs import LZ4, Blosc, GZip, Zstd
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

from coverslip.errors import BudgetError, ReadError
from coverslip.model import Budgets
from coverslip.readers.budgets import within
from coverslip.readers.ome_zarr import arrays
from coverslip.readers.ome_zarr.arrays import StoredArray, stored_array
from coverslip.readers.ome_zarr.documents import read_node
from coverslip.readers.ome_zarr.encoding import parse_encoding
from coverslip.readers.ome_zarr.stores import FolderStore

SHAPE, CHUNK, SHARD = (5, 21, 30), (2, 8, 8), (4, 16, 16)
TYPES = ("uint8", "uint16", "int32", "float32", "float64", "complex64", "bool", "int64")
CODECS: dict[str, list[Any]] = {
    "plain": [],
    "blosc": [BloscCodec(cname="lz4", shuffle="bitshuffle")],
    "zstd": [ZstdCodec()],
    "gzip": [GzipCodec()],
    "checked": [Crc32cCodec()],
    "zstd, checked": [ZstdCodec(), Crc32cCodec()],
}


def numbers(dtype: str) -> np.ndarray[Any, np.dtype[Any]]:
    dice = np.random.default_rng(8)
    made: np.ndarray[Any, np.dtype[Any]] = dice.integers(0, 250, SHAPE).astype(dtype)
    made[:2, :8, :8] = 0  # a chunk that is not stored
    return made


def opened(folder: Path) -> StoredArray | None:
    node = read_node(FolderStore(folder), "")
    assert node is not None
    return stored_array(node)


def v3(
    folder: Path, dtype: str, codecs: list[Any], *, sharded: bool = False, endian: Literal["little", "big"] = "little"
) -> Path:
    inner = [BytesCodec(endian=endian), *codecs]
    zarr.create_array(
        store=folder,
        shape=SHAPE,
        chunks=SHARD if sharded else CHUNK,
        dtype=dtype,
        fill_value=0,
        serializer=ShardingCodec(chunk_shape=CHUNK, codecs=inner) if sharded else inner[0],
        compressors=None if sharded else codecs,
        filters=(),
    )[...] = numbers(dtype)
    return folder


boxes = st.tuples(
    *(
        st.tuples(st.integers(0, length - 1), st.integers(1, length)).map(
            lambda pair: slice(min(pair), max(pair[0] + 1, pair[1]))
        )
        for length in SHAPE
    )
)


@pytest.fixture(scope="module", params=[(name, sharded) for name in CODECS for sharded in (False, True)], ids=str)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name, sharded = request.param
    return v3(tmp_path_factory.mktemp("zarr") / "a", "uint16", CODECS[name], sharded=sharded)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(box=boxes)
def test_any_box_equals_that_of_zarr(folder: Path, box: tuple[slice, ...]) -> None:
    array = opened(folder)
    assert array is not None
    assert np.array_equal(array[box], numbers("uint16")[box])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("sharded", [False, True])
def test_every_type_and_byte_order(tmp_path: Path, dtype: str, endian: Literal["little", "big"], sharded: bool) -> None:
    array = opened(v3(tmp_path / "a", dtype, CODECS["blosc"], sharded=sharded, endian=endian))
    assert array is not None
    found = array[tuple(slice(0, length) for length in SHAPE)]
    assert found.dtype == dtype
    assert np.array_equal(found, numbers(dtype))


@pytest.mark.parametrize("compressor", [None, Blosc(), Zstd(), GZip(), LZ4()], ids=repr)
@pytest.mark.parametrize("separator", ["/", "."])
def test_version_2(tmp_path: Path, compressor: Any, separator: str) -> None:
    zarr.create_array(
        store=tmp_path / "a",
        shape=SHAPE,
        chunks=CHUNK,
        dtype=">u2",
        zarr_format=2,
        fill_value=0,
        compressors=compressor,
        chunk_key_encoding={"name": "v2", "separator": separator},
    )[...] = numbers("uint16")
    array = opened(tmp_path / "a")
    assert array is not None
    assert np.array_equal(array[tuple(slice(0, length) for length in SHAPE)], numbers("uint16"))


def test_threads_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "WORTH_A_THREAD", 0)
    monkeypatch.setattr(arrays, "THREADS", 3)
    array = opened(v3(tmp_path / "a", "uint16", CODECS["zstd"], sharded=True))
    assert array is not None
    assert np.array_equal(array[tuple(slice(0, length) for length in SHAPE)], numbers("uint16"))


def test_the_budgets_of_the_reader_hold_in_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "WORTH_A_THREAD", 0)
    monkeypatch.setattr(arrays, "THREADS", 3)
    array = opened(v3(tmp_path / "a", "uint16", CODECS["blosc"]))
    assert array is not None
    with within(Budgets(plane_bytes=100)), pytest.raises(BudgetError, match="unpacks to"):
        array[tuple(slice(0, length) for length in SHAPE)]


def test_a_shard_that_was_written_again_is_looked_up_again(tmp_path: Path) -> None:
    whole = tuple(slice(0, length) for length in SHAPE)
    folder = v3(tmp_path / "a", "uint16", CODECS["zstd"], sharded=True)
    array = opened(folder)
    assert array is not None
    assert np.array_equal(array[whole], numbers("uint16"))
    zarr.open_array(folder)[...] = numbers("uint16")[::-1] % 7
    assert np.array_equal(array[whole], numbers("uint16")[::-1] % 7)


@pytest.mark.parametrize("sharded", [False, True])
def test_a_checksum_that_does_not_fit_is_an_error(tmp_path: Path, sharded: bool) -> None:
    folder = v3(tmp_path / "a", "uint16", CODECS["checked"], sharded=sharded)
    target = max((path for path in (folder / "c").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(target.read_bytes())
    content[-10 if sharded else 5] ^= 1  # in the index of the shard, or in the pixels
    target.write_bytes(content)
    array = opened(folder)
    assert array is not None
    with pytest.raises(ReadError, match="checksum does not fit"):
        array[tuple(slice(0, length) for length in SHAPE)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("storage_transformers", [{"name": "x"}]),
        ("chunk_grid", {"name": "rectilinear", "configuration": {}}),
        ("data_type", "string"),
        ("fill_value", "0x7fc00000"),
        ("codecs", [{"name": "bytes"}, {"name": "lz4"}]),
        ("codecs", [{"name": "bytes"}, {"name": "zstd"}, {"name": "zstd"}]),
        ("chunk_key_encoding", {"name": "fancy"}),
        ("something_new", {"must_understand": True}),
    ],
)
def test_what_is_unusual_is_left_to_zarr(tmp_path: Path, key: str, value: object) -> None:
    folder = v3(tmp_path / "a", "uint16", CODECS["blosc"])
    document = json.loads((folder / "zarr.json").read_text())
    assert parse_encoding(document) is not None
    assert parse_encoding({**document, key: value}) is None


def test_transposed_chunks_are_left_to_zarr(tmp_path: Path) -> None:
    zarr.create_array(
        store=tmp_path / "a", shape=SHAPE, chunks=CHUNK, dtype="u2", filters=[TransposeCodec(order=(2, 1, 0))]
    )
    assert opened(tmp_path / "a") is None
