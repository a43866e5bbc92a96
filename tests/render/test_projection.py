"""Projections along every axis against NumPy on the whole array, and in little memory."""

import warnings
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip import render
from coverslip.errors import InvalidRequestError, RegionError
from coverslip.model.render import Axis, Projection
from coverslip.render import planes
from coverslip.render.project import reducer
from tests.render.images import Array, Stack, noise

KINDS: tuple[Projection, ...] = get_args(Projection)
PLAIN: dict[Projection, Any] = {
    "max": np.nanmax,
    "min": np.nanmin,
    "mean": np.nanmean,
    "sum": np.nansum,
    "median": np.nanmedian,
    "std": np.nanstd,
}
DTYPES = ["bool", "uint8", "int16", "uint16", "int32", "uint64", "float16", "float32", "float64", "complex64"]
AXES = st.sampled_from([0, 1, 2])


def reference(volume: Array, kind: Projection, axis: int) -> Array:
    """Return what NumPy makes of a volume Z, Y, X in double precision; NaN where nothing was measured."""
    real = np.abs(volume).astype(float) if volume.dtype.kind == "c" else volume.astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
        found: Array = PLAIN[kind](real, axis=axis)
    return np.where(np.isnan(real).all(axis=axis), np.nan, found)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS),
    AXES,
    st.sampled_from(DTYPES),
    st.tuples(*[st.integers(1, 9)] * 3),
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.integers(1, 200)] * 3),
)
def test_every_kind_along_every_axis_equals_numpy_whatever_the_pieces(
    kind: Projection, axis: Axis, dtype: str, shape: tuple[int, int, int], seed: int, limits: tuple[int, int, int]
) -> None:
    volume = noise(*shape, dtype=dtype, seed=seed)
    if volume.dtype.kind == "f":
        volume[np.random.default_rng(seed).random(shape) < 0.3] = np.nan
    stack = Stack(volume[None, None])
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in zip(("BAND_PIXELS", "GROUP_PIXELS", "MEDIAN_PIXELS"), limits, strict=True):
            patch.setattr(planes, name, limit)
        found = render.projection(stack, kind, axis)
    np.testing.assert_allclose(found, reference(volume, kind, axis), rtol=2e-6, atol=1e-12)
    if kind in {"max", "min"} and volume.dtype.kind in "ui":
        assert found.dtype == volume.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_memory_is_bounded_and_nothing_is_read_twice(
    kind: Projection, axis: Axis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in (("BAND_PIXELS", 600), ("GROUP_PIXELS", 300), ("MEDIAN_PIXELS", 600)):
        monkeypatch.setattr(planes, name, limit)
    volume = noise(20, 40, 30)
    stack = Stack(volume[None, None])
    found = render.projection(stack, kind, axis)
    np.testing.assert_allclose(found, reference(volume, kind, axis))
    assert stack.largest_read() <= 600
    assert sum(int(np.prod(box.shape)) for _, box in stack.reads) == volume.size


def test_the_median_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "MEDIAN_PIXELS", 20 * 30 * 4)
    stack = Stack(noise(1, 1, 20, 40, 30))
    render.projection(stack, "median")
    assert {box.shape for _, box in stack.reads} == {(1, 1, 1, 4, 30)}


def test_time_channel_and_level_are_chosen() -> None:
    levels = noise(3, 2, 4, 8, 8), noise(3, 2, 4, 4, 4, seed=1)
    found = render.projection(Stack(*levels), "max", 0, t=2, c=1, level=1)
    np.testing.assert_array_equal(found, levels[1][2, 1].max(axis=0))
    middle = render.projection(Stack(*levels), "min", 1)
    np.testing.assert_array_equal(middle, levels[0][1, 0].min(axis=1))


def test_a_sum_of_a_coarse_level_is_that_of_all_pixels() -> None:
    fine = noise(1, 1, 8, 4, 6, dtype="float64")
    coarse = fine.reshape(1, 1, 4, 2, 4, 6).mean(axis=3)
    sums = [render.projection(Stack(fine, coarse), "sum", level=level) for level in (0, 1)]
    np.testing.assert_allclose(sums[1], sums[0])


def test_a_tiny_spread_on_a_large_offset_does_not_cancel() -> None:
    volume = np.random.default_rng(0).normal(1e9, 1.0, (50, 6, 7))
    for axis in (0, 1, 2):
        found = render.projection(Stack(volume[None, None]), "std", axis)
        np.testing.assert_allclose(found, volume.std(axis=axis), rtol=1e-5)


def test_colour_samples_are_projected_one_by_one_without_alpha() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 1, 5, 4, 6, 4)).astype(np.uint8)
    for axis in (0, 1, 2):
        found = render.projection(Stack(pixels), "mean", axis)
        np.testing.assert_allclose(found, pixels[0, 0, ..., :3].mean(axis=axis))


@pytest.mark.parametrize("choice", [{"t": 9}, {"c": 9}, {"level": 9}, {"c": -1}])
def test_what_does_not_exist_is_refused(choice: dict[str, int]) -> None:
    with pytest.raises(RegionError, match="does not exist; there are"):
        render.projection(Stack(noise(1, 1, 2, 4, 4)), **choice)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_at_all_is_refused(kind: Projection) -> None:
    with pytest.raises(InvalidRequestError, match="at least one plane"):
        reducer(kind).result()


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_the_caller_stay_as_they_are(kind: Projection) -> None:
    blocks = [noise(n, 4, 5, dtype="float32", seed=n) for n in (1, 3, 1, 2)]
    before = [block.copy() for block in blocks]
    reduced = reducer(kind)
    for block in blocks:
        reduced.add(block, 0)
    np.testing.assert_allclose(reduced.result(), reference(np.concatenate(before), kind, 0), rtol=1e-6)
    for block, copy in zip(blocks, before, strict=True):
        np.testing.assert_array_equal(block, copy)
