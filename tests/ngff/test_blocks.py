from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.ngff.blocks import Reduction, reduced
from tests.ngff.images import Array, some


def blocks_of(voxels: Array, side: int, *, halves_z: bool) -> list[list[list[Array]]]:
    """Return the blocks of a volume by place, cut out in the plainest way."""
    sides = (side if halves_z else 1, side, side)
    starts = [range(0, length, step) for length, step in zip(voxels.shape, sides, strict=True)]
    return [
        [[voxels[z : z + sides[0], y : y + sides[1], x : x + sides[2]] for x in starts[2]] for y in starts[1]]
        for z in starts[0]
    ]


def slow(voxels: Array, side: int, reduction: Reduction, *, halves_z: bool) -> Array:
    """Return a coarser level one block at a time."""

    def one(block: Array) -> Any:
        flat = block.reshape(-1)
        if reduction == "any":
            return flat.max()
        if reduction == "nearest":
            places = [min(side // 2, n - 1) for n in block.shape]
            return block[places[0] if halves_z else 0, places[1], places[2]]
        if block.dtype.kind == "f":
            known = flat[~np.isnan(flat)].astype(np.float64)
            return known.mean() if known.size else np.nan
        whole, rest = divmod(sum(int(value) for value in flat), flat.size)
        return whole + (2 * rest > flat.size or (2 * rest == flat.size and whole % 2 == 1))

    places = blocks_of(voxels, side, halves_z=halves_z)
    return np.array([[[one(block) for block in row] for row in plane] for plane in places], voxels.dtype)


def test_means_of_a_volume_with_odd_edges_written_out() -> None:
    voxels = np.array([[[1, 3, 5]], [[7, 9, 20]], [[2, 4, 100]]], np.float32)
    first, second = reduced(voxels, 2, "mean")
    assert first.tolist() == [[[5.0, 12.5]], [[3.0, 100.0]]]
    assert second.tolist() == [[[pytest.approx(151 / 9)]]]


@pytest.mark.parametrize("halves_z", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "any", "nearest"])
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint16", "int16"])
def test_every_level_is_that_of_its_own_blocks(dtype: str, reduction: Reduction, halves_z: bool) -> None:
    voxels = np.nan_to_num(some((5, 7, 3), dtype), posinf=5) if dtype == "float32" else some((5, 7, 3), dtype)
    for number, level in enumerate(reduced(voxels, 3, reduction, halves_z=halves_z), 1):
        assert level.dtype == voxels.dtype
        expected = slow(voxels, 1 << number, reduction, halves_z=halves_z)
        assert level.shape == expected.shape
        if dtype == "float32":
            np.testing.assert_allclose(level, expected, rtol=1e-6)
        else:
            np.testing.assert_array_equal(level, expected)


@given(st.tuples(*[st.integers(1, 9)] * 3), st.booleans(), st.integers(0, 99))
def test_means_of_whole_numbers_are_exact(shape: tuple[int, int, int], halves_z: bool, seed: int) -> None:
    voxels = some(shape, "int16", seed)
    for number, level in enumerate(reduced(voxels, 2, "mean", halves_z=halves_z), 1):
        np.testing.assert_array_equal(level, slow(voxels, 1 << number, "mean", halves_z=halves_z))


def test_no_measurement_is_left_out_and_a_block_of_nothing_else_stays_so() -> None:
    voxels = np.full((3, 4, 5), 6, np.float32)
    voxels[0] = np.nan
    voxels[2, :2, 4] = np.nan
    (level,) = reduced(voxels, 1, "mean")
    assert np.isnan(level).tolist() == [[[False] * 3] * 2, [[False, False, True], [False] * 3]]
    assert set(level[~np.isnan(level)].tolist()) == {6.0}


def test_infinities_are_data() -> None:
    voxels = np.array([[[np.inf, 1, 2, 3]]], np.float32)
    (level,) = reduced(voxels, 1, "mean")
    assert level.tolist() == [[[np.inf, 2.5]]]
