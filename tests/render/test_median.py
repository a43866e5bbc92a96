"""The median network gives what ``numpy.median`` gives, for every type and number of frames."""

from itertools import product

import numpy as np
import pytest

from coverslip.errors import InvalidRequestError
from coverslip.render.median import BLOCK_PIXELS, MOST_FRAMES, median_of_frames, middle_two

random = np.random.default_rng(7)


@pytest.mark.parametrize("frames", [*range(1, 20), 50, 75, 127, 128, 200, MOST_FRAMES + 1])
def test_network_finds_the_middle_of_zeros_and_ones(frames: int) -> None:
    # a comparison network that is right for all zeros and ones is right for everything (Knuth 5.3.4, theorem Z)
    if frames <= 12:
        values = np.array(list(product([0, 1], repeat=frames)), np.uint8).T
    else:
        values = (random.random((frames, 3000)) < random.random(3000)).astype(np.uint8)
    low, high = middle_two(values)
    ordered = np.sort(values, axis=0)
    assert np.array_equal(low, ordered[(frames - 1) // 2])
    assert np.array_equal(high, ordered[frames // 2])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("frames", [1, 2, 7, 10, 51])
def test_integers_round_halves_to_even(dtype: str, frames: int) -> None:
    limits = np.iinfo(dtype)
    few = random.integers(0, 5, (frames, 9, 11)).astype(dtype)
    many = random.integers(limits.min, limits.max, (frames, 9, 11), dtype=dtype, endpoint=True)
    for values in (few, many):
        low, high = (np.sort(values, axis=0)[k].astype(object) for k in ((frames - 1) // 2, frames // 2))
        total = low + high  # Python's integers: exact, and // rounds down
        expected = total // 2 + (total % 2) * (total // 2 % 2)
        found = median_of_frames(values)
        assert found.dtype == values.dtype
        assert np.array_equal(found.astype(object), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_are_what_numpy_says(dtype: str) -> None:
    values = random.normal(size=(10, 8, 5)).astype(dtype)
    assert np.array_equal(median_of_frames(values), np.median(values, axis=0))


def test_nan_is_no_measurement() -> None:
    values = random.normal(size=(7, 4, 4)).astype(np.float32)
    values[2:4, 1] = np.nan
    values[:, 0, 0] = np.nan
    found = median_of_frames(values)
    assert np.isnan(found[0, 0])
    assert np.array_equal(found.ravel()[1:], np.nanmedian(values.reshape(7, -1)[:, 1:], axis=0))


def test_blocks_meet() -> None:
    values = random.integers(0, 256, (5, 3, BLOCK_PIXELS // 2 + 17), dtype=np.uint8)
    expected = np.median(values, axis=0)
    assert np.array_equal(median_of_frames(values), expected)


def test_frames_are_left_alone() -> None:
    values = random.integers(0, 256, (6, 5, 5), dtype=np.uint8)
    before = values.copy()
    values.flags.writeable = False
    median_of_frames(values)
    assert np.array_equal(values, before)


def test_no_frame_is_an_error() -> None:
    with pytest.raises(InvalidRequestError, match="at least one frame"):
        median_of_frames(np.empty((0, 4, 4), np.uint8))
