"""Maximum projection, one plane at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coverslip.errors import InvalidRequestError
from coverslip.render import max_projection
from coverslip.render.project import measured

STACKS = st.sampled_from(["uint8", "int16", "uint64", "float32", "float64"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
)


@given(STACKS)
def test_the_projection_is_the_maximum_that_ignores_nan(stack: np.ndarray[Any, Any]) -> None:
    before = stack.copy()
    got = max_projection(iter(stack))
    np.testing.assert_array_equal(got, np.fmax.reduce(stack, axis=0))
    assert got.dtype == stack.dtype
    np.testing.assert_array_equal(stack, before)


def test_planes_are_taken_one_by_one_and_not_kept() -> None:
    alive = []

    def planes() -> Iterator[np.ndarray[Any, Any]]:
        for value in range(5):
            alive.append(value)
            yield np.full((2, 2), value)

    assert max_projection(planes()).tolist() == [[4, 4], [4, 4]]
    assert alive == [0, 1, 2, 3, 4]


def test_no_plane_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="at least one plane"):
        max_projection([])


def test_booleans_and_complex_numbers_become_real_numbers() -> None:
    assert measured(np.array([True, False])).tolist() == [1, 0]
    assert measured(np.array([3 + 4j], np.complex64)).tolist() == [5]
    assert measured(np.array([0.5], np.float16)).dtype == np.float32


def test_what_is_no_number_is_not_measured_and_what_is_absurd_is_bounded() -> None:
    got = measured(np.array([np.nan, np.inf, -np.inf, 1e300, 2.0]))
    np.testing.assert_array_equal(got, [np.nan, np.nan, np.nan, 1e30, 2.0])
