"""Contrast limits agree with numpy's percentiles and are never degenerate."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coverslip.errors import InvalidRequestError
from coverslip.render import percentile_limits
from coverslip.render.contrast import SAMPLE_PIXELS, stretch

SMALL = st.sampled_from(["uint8", "int8", "uint16", "int16"])
NUMBERS = st.sampled_from(
    ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"]
)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=9)


@given(SMALL.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)), st.floats(0, 49), st.floats(51, 100))
def test_integers_have_exactly_the_percentiles_of_numpy(array: np.ndarray[Any, Any], low: float, high: float) -> None:
    expected = np.percentile(array.astype(np.float64), (low, high))
    limits = percentile_limits(array, low, high)
    if expected[0] < expected[1]:
        assert limits == pytest.approx(tuple(expected), abs=1e-6)
    elif array.min() < array.max():
        assert limits == (array.min(), array.max())


@given(NUMBERS.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)))
def test_limits_are_two_different_finite_numbers_whatever_the_pixels(array: np.ndarray[Any, Any]) -> None:
    low, high = percentile_limits(array, 1, 99)
    assert low < high
    assert not np.isnan([low, high]).any()
    grey = stretch(array, (low, high))
    assert grey.dtype == np.float32
    assert grey.shape == array.shape
    assert np.all((grey >= 0) & (grey <= 1))


@given(NUMBERS.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES, elements={"min_value": 0, "max_value": 1})))
def test_brighter_pixels_are_never_drawn_darker(array: np.ndarray[Any, Any]) -> None:
    grey = stretch(array, percentile_limits(array, 1, 99)).ravel()
    assert np.all(np.diff(grey[np.argsort(array.ravel(), kind="stable")]) >= 0)


def test_nan_and_infinity_are_not_looked_at_and_drawn_black() -> None:
    pixels = np.array([[np.nan, 1, 2], [3, np.inf, -np.inf]], np.float32)
    limits = percentile_limits(pixels, 0, 100)
    assert list(limits) == [1, 3]
    np.testing.assert_array_equal(stretch(pixels, limits), [[0, 0, 0.5], [1, 0, 0]])


def test_nothing_but_nan_is_black() -> None:
    pixels = np.full((3, 3), np.nan)
    assert not stretch(pixels, percentile_limits(pixels, 1, 99)).any()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint64", "float32"])
def test_a_flat_zero_is_black_and_any_other_flat_value_mid_grey(dtype: str) -> None:
    for value, expected in ((0, 0.0), (1, 0.5)):
        pixels = np.full((4, 5), value, dtype)
        assert np.all(stretch(pixels, percentile_limits(pixels, 1, 99)) == expected)


def test_a_flat_negative_value_is_mid_grey() -> None:
    pixels = np.full((4, 5), -7, np.int16)
    assert np.all(stretch(pixels, percentile_limits(pixels, 1, 99)) == 0.5)


def test_a_few_points_on_an_empty_field_are_seen() -> None:
    pixels = np.zeros((100, 100), np.uint16)
    pixels[50, 50] = 900
    assert percentile_limits(pixels, 1, 99) == (0, 900)


def test_large_arrays_are_subsampled_within_the_stated_error() -> None:
    side = 2 * int(SAMPLE_PIXELS**0.5) + 2
    pixels = np.random.default_rng(1).random((side, side), np.float32)
    low, high = percentile_limits(pixels, 1, 99)
    assert (low, high) == pytest.approx((0.01, 0.99), abs=5e-4)
    assert (low, high) != tuple(np.percentile(pixels, (1, 99)))


@pytest.mark.parametrize(("low", "high"), [(50, 50), (99, 1), (-1, 50), (1, 101)])
def test_percentiles_out_of_order_are_refused(low: float, high: float) -> None:
    with pytest.raises(InvalidRequestError, match="percentiles"):
        percentile_limits(np.zeros((2, 2)), low, high)
