"""Statistics and histograms against NumPy, and how far samples are off."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip.errors import RegionError
from coverslip.render import measure
from coverslip.render.measure import histogram, percentiles, sample
from tests.render.images import Array, Stack, noise


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "complex64"])
@pytest.mark.parametrize("z", [None, 3])
def test_small_stacks_are_measured_whole(dtype: str, z: int | None) -> None:
    pixels = noise(3, 2, 5, 700, 9, dtype=dtype)
    found = sample(Stack(pixels), 1, z=z)
    chosen = pixels[1, 1] if z is None else pixels[1, 1, z]
    expected = np.abs(chosen) if dtype.startswith("complex") else chosen.astype(float)
    np.testing.assert_array_equal(np.sort(found.all), np.sort(expected.ravel()))
    assert (found.is_whole, found.level, found.total) == (True, 0, chosen.size)
    assert found.rank_error([float(found.all[0])]) == 0


def test_what_is_no_number_is_left_out_and_colour_counts_without_alpha() -> None:
    pixels = noise(1, 1, 1, 4, 5, dtype="float32")
    pixels[..., 0, :3] = np.nan, np.inf, -np.inf
    assert sample(Stack(pixels), 0).all.size == 17
    color = np.random.default_rng(0).integers(0, 255, (1, 1, 1, 4, 5, 4)).astype(np.uint8)
    np.testing.assert_array_equal(np.sort(sample(Stack(color), 0).all), np.sort(color[..., :3].ravel()))
    nothing = sample(Stack(np.full((1, 1, 1, 2, 2), np.nan, np.float32)), 0).all
    assert nothing.size == 0
    assert np.isnan(percentiles(nothing, (1, 99))).all()
    assert histogram(nothing, 4)[0].tolist() == [0, 0, 0, 0]


def test_of_large_stacks_a_coarse_level_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "EXACT_PIXELS", 1000)
    levels = [noise(1, 1, 2, 64 >> k, 96 >> k) for k in range(4)]
    stack = Stack(*levels)
    found = sample(stack, 0)
    assert {level for level, _ in stack.reads} == {2} == {found.level}
    assert not found.is_whole
    np.testing.assert_array_equal(np.sort(found.all), np.sort(levels[2].ravel()))
    assert 0 < found.rank_error([30.0]) < 20


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 300), st.integers(1, 60), st.integers(60, 3000))
def test_a_sample_is_bounded_spread_and_about_right(depth: int, height: int, width: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "EXACT_PIXELS", limit)
        stack = Stack(noise(1, 1, depth, height, width))
        found = sample(stack, 0)
    assert 0 < found.all.size <= max(limit, width)
    assert found.is_whole == (depth * height * width <= limit)
    assert len({read for _, read in stack.reads}) == len(stack.reads)


def test_the_stated_error_holds_for_what_is_alike_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "EXACT_PIXELS", 20_000)
    for seed in range(20):
        pixels = noise(1, 1, 10, 200, 100, dtype="float32", seed=seed)
        found = sample(Stack(pixels), 0)
        ranks = (1.0, 25.0, 50.0, 75.0, 99.0)
        values = percentiles(found.all, ranks)
        truth = [100 * (pixels <= value).mean() for value in values]
        assert np.abs(np.subtract(truth, ranks)).max() <= 4 * found.rank_error(values)


@given(st.sampled_from(["uint8", "int16", "float32"]), st.integers(1, 300), st.integers(0, 99))
def test_a_histogram_counts_everything_once(dtype: str, bins: int, seed: int) -> None:
    values: Array = noise(77, dtype=dtype, seed=seed)
    counts, edges = histogram(values, bins)
    assert counts.sum() == 77
    assert len(edges) == len(counts) + 1 <= bins + 1
    assert (np.diff(edges) > 0).all()
    expected = [np.count_nonzero((values >= a) & (values < b)) for a, b in itertools.pairwise(edges)]
    expected[-1] += np.count_nonzero(values == edges[-1])
    assert counts.tolist() == expected


def test_few_integer_values_have_a_bin_each() -> None:
    counts, edges = histogram(np.array([3, 3, 5], np.uint16), 256)
    assert counts.tolist() == [2, 0, 1]
    assert edges.tolist() == [2.5, 3.5, 4.5, 5.5]
    flat, around = histogram(np.full(4, 2.0), 3)
    assert flat.tolist() == [4, 0, 0]
    assert around[0] == 2


@pytest.mark.parametrize("choice", [{"c": 2}, {"c": 0, "t": 3}, {"c": 0, "z": 5}])
def test_what_does_not_exist_is_refused(choice: dict[str, int]) -> None:
    with pytest.raises(RegionError, match="does not exist"):
        sample(Stack(noise(3, 2, 5, 4, 4)), **choice)
