"""Area resampling in bands equals the slow sum over every covered pixel."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.render.resample import Shrinker, fit, row_sums

Array = np.ndarray[Any, Any]


def cover(source: int, target: int) -> Array:
    """Return how much of each source pixel every output pixel averages, the plain way."""
    weights = np.zeros((target, source))
    for i in range(target):
        for j in range(source):
            weights[i, j] = max(0.0, min((i + 1) * source / target, j + 1) - max(i * source / target, j))
    return weights * target / source


def shrink(plane: Array, target: tuple[int, int], cuts: list[int] | None = None) -> Array:
    shrinker = Shrinker((plane.shape[0], plane.shape[1]), target)
    for band in np.split(plane, cuts or []):
        if len(band):
            shrinker.add(band)
    return shrinker.result()


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Array, tuple[int, int], list[int]]:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    dtype = draw(st.sampled_from(["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32"]))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    plane = random.integers(0, 120, (height, width)).astype(dtype)
    cuts = sorted(draw(st.lists(st.integers(0, height), max_size=4)))
    return plane, (draw(st.integers(1, height)), draw(st.integers(1, width))), cuts


@given(jobs())
def test_bands_of_any_height_give_the_area_average(job: tuple[Array, tuple[int, int], list[int]]) -> None:
    plane, target, cuts = job
    expected = cover(plane.shape[0], target[0]) @ plane.astype(float) @ cover(plane.shape[1], target[1]).T
    np.testing.assert_allclose(shrink(plane, target, cuts), expected, atol=2e-3)


@given(jobs(), st.floats(0.05, 0.95))
def test_missing_pixels_are_left_out_of_the_average(
    job: tuple[Array, tuple[int, int], list[int]], share: float
) -> None:
    plane, target, cuts = job[0].astype(np.float32), *job[1:]
    missing = np.random.default_rng(7).random(plane.shape) < share
    down, across = cover(plane.shape[0], target[0]), cover(plane.shape[1], target[1])
    weight = down @ ~missing @ across.T
    with np.errstate(invalid="ignore"):
        expected = np.where(weight > 1e-5, (down @ np.where(missing, 0, plane) @ across.T) / weight, np.nan)
    got = shrink(np.where(missing, np.nan, plane).astype(np.float32), target, cuts)
    assert np.array_equal(np.isnan(got), weight <= 1e-5)
    sure = weight > 0.02
    np.testing.assert_allclose(got[sure], expected[sure], rtol=5e-3, atol=0.01)


def test_colour_samples_are_averaged_one_by_one() -> None:
    picture = np.random.default_rng(3).integers(0, 255, (31, 45, 3)).astype(np.uint8)
    got = shrink(picture, (10, 11), [13])
    for sample in range(3):
        np.testing.assert_allclose(got[..., sample], shrink(picture[..., sample], (10, 11)), atol=1e-3)


def test_what_is_not_shrunk_passes_unchanged_in_its_own_type() -> None:
    plane = np.arange(20, dtype=np.int16).reshape(4, 5)
    got = shrink(plane, (4, 5), [1, 3])
    assert got.dtype == np.int16
    np.testing.assert_array_equal(got, plane)


def test_counts_below_one_are_not_rounded_away() -> None:
    plane = np.zeros((64, 64), np.uint8)
    plane[::4, ::4] = 1
    np.testing.assert_allclose(shrink(plane, (8, 8)), 1 / 16)


def test_a_row_far_longer_than_any_screen() -> None:
    row = np.arange(100_000, dtype=np.float32)[None]
    np.testing.assert_allclose(shrink(row, (1, 100))[0], np.arange(100) * 1000 + 499.5, rtol=1e-4)


def test_a_column_far_taller_than_any_screen_needs_little_memory() -> None:
    column = np.arange(400_000, dtype=np.float32)[:, None]
    np.testing.assert_allclose(shrink(column, (8000, 1))[:, 0], np.arange(8000) * 50 + 24.5, rtol=1e-4)


@given(st.integers(1, 300), st.data())
def test_no_row_is_lost_or_counted_twice(source: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(1, source))
    cut = data.draw(st.integers(1, source))
    rows = np.arange(1, source + 1, dtype=float)[:, None]
    sums = np.zeros((target, 1))
    for start, block in ((0, rows[:cut]), (cut, rows[cut:])):
        if len(block):
            first, part = row_sums(block, start, source, target)
            sums[first : first + len(part)] += part
    np.testing.assert_allclose(sums[:, 0], cover(source, target) @ rows[:, 0] * source / target)


@given(st.floats(-1e6, 1e6, width=32), st.integers(2, 200), st.integers(1, 200), st.integers(1, 99), st.booleans())
def test_what_is_flat_stays_exactly_flat(value: float, height: int, width: int, part: int, gap: bool) -> None:
    plane = np.full((height, width), value, np.float32)
    plane[0, 0] = np.nan if gap else value
    got = shrink(plane, (max(1, height * part // 100), max(1, width * part // 100)))
    assert np.all((got == np.float32(value)) | np.isnan(got))


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 2000), st.integers(1, 2000))
def test_a_picture_fits_its_box_with_the_aspect_right_to_one_pixel(
    width: int, height: int, box_width: int, box_height: int
) -> None:
    columns, rows = fit(width, height, box_width, box_height)
    assert 1 <= columns <= min(width, box_width)
    assert 1 <= rows <= min(height, box_height)
    if width <= box_width and height <= box_height:
        assert (columns, rows) == (width, height)
    else:
        assert columns == box_width or rows == box_height
    if columns > 1 and rows > 1:
        assert abs(columns - rows * width / height) <= max(1, width / height)
        assert abs(rows - columns * height / width) <= max(1, height / width)


@pytest.mark.parametrize("size", [(2000, 1000), (1000, 2000)])
def test_the_longer_side_fills_the_box(size: tuple[int, int]) -> None:
    assert max(fit(*size, 256, 256)) == 256
    assert min(fit(*size, 256, 256)) == 128
