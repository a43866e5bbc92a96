"""Shards, read back by tensorstore."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
from neuroglancer.read_precomputed_annotations import _zorder_compressed

from coverslip.neuroglancer.precomputed.sharding import SHARD, Sharding, gzipped, morton, shard, shard_records


def opened(content: bytes, sharding: Sharding, folder: Path) -> Any:
    (folder / SHARD).write_bytes(content)
    base = {"driver": "file", "path": f"{folder}/"}
    return ts.KvStore.open(
        {"driver": "neuroglancer_uint64_sharded", "metadata": sharding.to_json(), "base": base}
    ).result()


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("bits", [0, 1, 5])
def test_chunks_are_found_by_their_number(tmp_path: Path, encoding: Any, bits: int) -> None:
    sharding = Sharding(bits, encoding)
    chunks = {number: b"%d" % number * (number % 7) for number in (0, 1, 5, 31, 32, 33, 4_000_000_000, 2**63 + 5)}
    stored = {number: sharding.encode(chunk) for number, chunk in chunks.items()}
    store = opened(shard(stored, sharding, before={5: b"in front", 33: b"x" * 1000}), sharding, tmp_path)
    for number, chunk in chunks.items():
        assert store.read(struct.pack(">Q", number)).result().value == chunk
    assert store.read(struct.pack(">Q", 2)).result().state == "missing"
    assert sorted(store.list().result()) == sorted(struct.pack(">Q", number) for number in chunks)


def test_what_stands_before_a_chunk_ends_where_it_begins() -> None:
    content = shard({7: b"manifest"}, Sharding(0, "raw"), before={7: b"fragments"})
    start, end = struct.unpack("<QQ", content[:16])
    index = gzip.decompress(content[16 + start : 16 + end])
    assert struct.unpack("<3Q", index) == (7, 9, 8)
    assert content[16:33] == b"fragmentsmanifest"


@pytest.mark.parametrize("count", [0, 1, 2048, 2049, 10_000])
def test_records_of_one_size_are_found_by_their_number(tmp_path: Path, count: int) -> None:
    ids = np.arange(count, dtype=np.uint64) * np.uint64(3)
    records = np.array([(number, 7) for number in range(count)], dtype=[("number", "<u4"), ("seven", "<u2")])
    sharding = Sharding.of(count, "raw")
    store = opened(shard_records(ids, records, sharding), sharding, tmp_path)
    assert len(store.list().result()) == count
    for number in range(0, count, 997):
        assert store.read(struct.pack(">Q", number * 3)).result().value == struct.pack("<IH", number, 7)


@pytest.mark.parametrize(("count", "bits"), [(0, 0), (1, 0), (2048, 0), (2049, 1), (4096, 1), (4097, 2), (10**9, 10)])
def test_a_minishard_lists_about_two_thousand_chunks(count: int, bits: int) -> None:
    assert Sharding.of(count, "gzip").minishard_bits == bits


def test_codes_take_the_bits_that_an_axis_has_in_turn() -> None:
    grid = (8, 2, 3)
    # bits from the lowest: x0 y0 z0, x1 z1, x2
    cells = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0], [0, 0, 2], [4, 0, 0], [7, 1, 2]])
    assert morton(cells, grid).tolist() == [1, 2, 4, 8, 16, 32, 1 + 2 + 8 + 16 + 32]


def test_codes_are_those_of_another_program() -> None:
    dice = np.random.default_rng(3)
    for grid in ((1, 1, 1), (1, 5, 1), (16, 17, 1), (1000, 3, 65), (100_000, 100_000, 1_000)):
        cells = np.stack([dice.integers(0, length, 50) for length in grid], axis=1)
        assert morton(cells, grid).tolist() == [_zorder_compressed(cell, grid) for cell in cells.tolist()]


def test_compressed_bytes_hold_no_time() -> None:
    assert gzip.decompress(gzipped(b"abc" * 100)) == b"abc" * 100
    assert gzipped(b"abc")[4:8] == bytes(4)
