import threading
from typing import Any

import numpy as np
import pytest

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Region
from coverslip.render import extremes, projection
from coverslip.render.held import HeldImage

Array = np.ndarray[Any, np.dtype[Any]]


class Stack:
    """A stack that may be read by several threads and into memory that was used before."""

    is_concurrent = True

    def __init__(self, data: Array, depth: int = 1, broken: int | None = None) -> None:
        self._held = HeldImage(data, None)
        self._depth = depth
        self._broken = broken
        self.metadata: ImageMetadata = self._held.metadata
        self.threads: set[int] = set()
        self.spans: list[tuple[int, int]] = []

    def chunk(self, level: int) -> tuple[int, int, int, int, int]:
        return 1, 1, self._depth, 4, 4

    def read(self, level: int, region: Region) -> Array:
        return self._held.read(level, region)

    def read_into(self, out: Array, level: int, region: Region) -> None:
        self.threads.add(threading.get_ident())
        z = region.spans[2]
        self.spans.append(z)
        if self._broken is not None and z[0] <= self._broken < z[1]:
            raise ReadError("damaged")
        out[...] = self._held.read(level, region)


@pytest.fixture(autouse=True)
def _always_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes, "WORTH_A_THREAD", 0)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4", "f8"])
@pytest.mark.parametrize("depth", [1, 3, 64])
def test_threads_find_what_numpy_finds(dtype: str, depth: int) -> None:
    data = np.random.default_rng(2).integers(0, 120, (17, 13, 11)).astype(dtype)
    before = data.copy()
    assert np.array_equal(projection(Stack(data, depth)), data.max(axis=0))
    assert np.array_equal(projection(Stack(data, depth), "min"), data.min(axis=0))
    assert np.array_equal(data, before)


def test_slices_of_one_block_are_read_together() -> None:
    stack = Stack(np.zeros((10, 8, 8), np.uint8), depth=4)
    projection(stack)
    assert sorted(stack.spans) == [(0, 4), (4, 8), (8, 10)]
    stack.spans.clear()
    projection(stack, "mean")
    assert stack.spans == []  # through read


@pytest.mark.parametrize(("kind", "infinity"), [("max", np.inf), ("min", -np.inf)])
def test_infinities_and_nan_lose_against_any_number(kind: Any, infinity: float) -> None:
    data = np.random.default_rng(3).normal(size=(6, 5, 5)).astype(np.float32)
    data[2, 1, 1], data[3, 2, 2], data[:, 4, 4] = infinity, np.nan, np.nan
    expected = np.where(np.isfinite(data), data, np.nan)
    with np.errstate(invalid="ignore"):
        wanted = np.fmax.reduce(expected, axis=0) if kind == "max" else np.fmin.reduce(expected, axis=0)
    assert np.array_equal(projection(Stack(data), kind), wanted, equal_nan=True)
    assert np.isnan(wanted[4, 4])


def test_a_read_that_fails_ends_the_others_too() -> None:
    stack = Stack(np.zeros((500, 4, 4), np.uint8), broken=3)
    with pytest.raises(ReadError, match="damaged"):
        projection(stack)
    assert len(stack.spans) < 500


def test_the_array_of_somebody_else_is_not_written_to() -> None:
    data = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    before = data.copy()
    assert np.array_equal(projection(HeldImage(data, None)), data.max(axis=0))
    assert np.array_equal(data, before)
