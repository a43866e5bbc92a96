from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coverslip.ngff.means import area_means, last_area_mean
from tests.ngff.images import slow_mean, some

TYPES = [
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 7, 13), (16, 16), (5, 1), (33, 31)])
def test_every_level_is_the_mean_of_the_pixels_there_are(dtype: str, shape: tuple[int, ...]) -> None:
    pixels = some(shape, dtype)
    found = list(area_means(pixels, 5))
    assert len(found) == 5
    for step, mean in enumerate(found, 1):
        expected = slow_mean(pixels, 1 << step)
        assert mean.dtype == pixels.dtype
        if pixels.dtype.kind in "fc":
            tolerance = {"float16": 2e-3, "float32": 1e-6, "complex64": 1e-5}.get(dtype, 1e-12)
            np.testing.assert_allclose(mean, expected, rtol=tolerance, atol=tolerance * 100)
        else:
            np.testing.assert_array_equal(mean, expected)


@settings(max_examples=150, deadline=None)
@given(
    pixels=st.sampled_from(["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=3, max_side=11))
    ),
    steps=st.integers(1, 8),
)
def test_whole_numbers_are_exact_at_any_size_and_value(pixels: np.ndarray[Any, Any], steps: int) -> None:
    np.testing.assert_array_equal(last_area_mean(pixels, steps), slow_mean(pixels, 1 << steps))


def test_ties_go_to_the_even_number() -> None:
    rows = np.array([[0, 1], [2, 3], [-1, 0], [-3, -2]], np.int16)
    assert [int(last_area_mean(row[None], 1)[0, 0]) for row in rows] == [0, 2, 0, -2]
    assert last_area_mean(np.array([[True, False]]), 1).tolist() == [[False]]
    assert last_area_mean(np.array([[True, True], [True, False]]), 1).tolist() == [[True]]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "uint64", "float32"])
def test_what_is_flat_stays_flat_up_to_the_last_pixel(dtype: str) -> None:
    value = np.iinfo(dtype).max if np.dtype(dtype).kind != "f" else 1e30
    flat = np.full((37, 41), value, dtype)
    for mean in area_means(flat, 7):
        assert (mean == flat[0, 0]).all()


def test_what_was_not_measured_is_left_out() -> None:
    pixels = np.array([[np.nan, 4, np.nan, np.nan], [2, 6, np.nan, np.nan]], np.float32)
    np.testing.assert_array_equal(last_area_mean(pixels, 1), np.array([[4, np.nan]], np.float32))
    np.testing.assert_array_equal(last_area_mean(pixels, 2), np.array([[4]], np.float32))


def test_wide_sums_of_small_types_do_not_overflow() -> None:
    flat = np.full((1024, 1024), 65535, np.uint16)
    assert last_area_mean(flat, 10).tolist() == [[65535]]
    low = np.full((300, 300), -32768, np.int16)
    assert (last_area_mean(low, 7) == -32768).all()
