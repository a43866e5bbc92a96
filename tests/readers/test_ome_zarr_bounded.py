"""No chunk unpacks to more than it should hold, and none is cut short without a word."""

import bz2
import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
import pytest
from numcodecs import LZ4, Zstd

from coverslip.errors import ReadError
from coverslip.readers.ome_zarr.bounded import BOUNDED

PLAIN = np.random.default_rng(3).integers(0, 20, 5000, np.uint8).tobytes()
PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "zstd": lambda data: bytes(Zstd(3).encode(data)),
    "lz4": lambda data: bytes(LZ4().encode(data)),
}


@pytest.mark.parametrize("kind", sorted(BOUNDED))
def test_what_was_packed_comes_back(kind: str) -> None:
    assert bytes(BOUNDED[kind](PACK[kind](PLAIN), len(PLAIN))) == PLAIN


@pytest.mark.parametrize("kind", ["gzip", "zlib", "bz2"])
def test_streams_one_after_another_are_one(kind: str) -> None:
    data = PACK[kind](PLAIN[:2000]) + PACK[kind](PLAIN[2000:])
    assert bytes(BOUNDED[kind](data, len(PLAIN))) == PLAIN


@pytest.mark.parametrize("kind", sorted(BOUNDED))
def test_a_bomb_costs_no_memory(kind: str) -> None:
    bomb = PACK[kind](bytes(200 << 20))
    tracemalloc.start()
    with suppress(ReadError):
        assert len(BOUNDED[kind](bomb, 512)) == 513  # one too many: whoever asked sees that it is wrong
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("kind", ["gzip", "zlib", "bz2", "zstd"])
def test_what_is_cut_short_is_an_error(kind: str) -> None:
    with pytest.raises(ReadError, match=r"truncated|damaged"):
        BOUNDED[kind](PACK[kind](PLAIN)[:-9], len(PLAIN))
