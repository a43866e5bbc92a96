"""Contrast limits of tomograms, beside mixtures whose parameters are known."""

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from coverslip.errors import ReadError
from coverslip.model import Region
from coverslip.neuroglancer import ContrastLimits, measure_contrast
from coverslip.neuroglancer.mixture import best_mixture
from tests.ngff.images import Array, ArrayImage

DICE = np.random.default_rng(1)


def volume(*levels: Array, **facts: Any) -> ArrayImage:
    """Return a tomogram with such levels: Z, Y, X."""
    return ArrayImage(*(level[None, None] for level in levels), **facts)


def drawn(*parts: tuple[float, float, float], size: int = 40_000) -> Array:
    """Return values of a mixture of (weight, mean, deviation)."""
    found = [DICE.normal(mean, deviation, round(weight * size)) for weight, mean, deviation in parts]
    return DICE.permutation(np.concatenate(found))


def test_one_distribution_is_one_component() -> None:
    values = drawn((1, 5, 2))
    found = best_mixture(values)
    np.testing.assert_allclose(found.means, [values.mean()], rtol=1e-9)
    np.testing.assert_allclose(found.deviations, [values.std()], rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e-5, 1e6])
def test_the_components_of_a_mixture_are_found_whatever_their_scale(scale: float) -> None:
    values = drawn((0.6, -3, 1), (0.3, 2, 0.5), (0.1, 8, 1.5)) * scale
    found = best_mixture(values)
    order = np.argsort(found.means)
    np.testing.assert_allclose(found.weights[order], [0.6, 0.3, 0.1], atol=0.02)
    np.testing.assert_allclose(found.means[order], np.array([-3, 2, 8]) * scale, atol=0.1 * scale)
    np.testing.assert_allclose(found.deviations[order], np.array([1, 0.5, 1.5]) * scale, atol=0.1 * scale)


def test_the_criterion_is_that_of_schwarz() -> None:
    """Minus twice the log-likelihood, which SciPy gives, and the logarithm of n for each of 5 free parameters."""
    values = drawn((0.5, -4, 1), (0.5, 4, 1), size=2000)
    found = best_mixture(values)
    standard = (values - values.mean()) / values.std()
    means, deviations = (found.means - values.mean()) / values.std(), found.deviations / values.std()
    parts = [w * stats.norm.pdf(standard, m, s) for w, m, s in zip(found.weights, means, deviations, strict=True)]
    expected = -2 * np.log(np.sum(parts, axis=0)).sum() + 5 * math.log(values.size)
    assert found.bic == pytest.approx(expected, rel=1e-6)


def test_a_volume_shows_what_is_around_the_component_nearest_to_the_mean() -> None:
    """One component, mean 100 and deviation 10: slices show 3 on both sides, volumes 2 below and half of one above."""
    found = measure_contrast(volume(DICE.normal(100, 10, (40, 64, 64)).astype(np.float32)))
    np.testing.assert_allclose(found.range_2d, (70, 130), atol=0.5)
    np.testing.assert_allclose(found.range_3d, (80, 105), atol=0.5)
    np.testing.assert_allclose(found.window_2d, (58, 142), atol=1)  # 60 wide, 12 more on both sides
    np.testing.assert_allclose(found.window_3d, (30, 155), atol=2)  # 25 wide, 50 more on both sides


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (((0.7, 0, 1), (0.3, 10, 1)), (-2.2, 0.65)),  # mean 3: the first is nearest
        (((0.3, 0, 1), (0.4, 20, 2), (0.3, 40, 1)), (20 - 3 * 2, 20 + 0.8 * 2)),  # mean 20: the middle one
    ],
)
def test_more_components_show_more_of_theirs(parts: tuple[tuple[float, float, float], ...], expected: Any) -> None:
    values = drawn(*parts, size=31 * 64 * 64).reshape(31, 64, 64)
    np.testing.assert_allclose(measure_contrast(volume(values)).range_3d, expected, atol=0.15)


def test_limits_are_never_outside_of_the_data() -> None:
    values = DICE.uniform(-1, 1, (31, 32, 32))
    low, high = measure_contrast(volume(values)).range_3d
    assert -1 <= low < high <= 1


def test_only_the_middle_of_the_coarsest_level_is_looked_at() -> None:
    """Slices 35 to 65 of 100 are 7 and 9; all others, and the finer level, would be shown otherwise."""
    coarse = np.full((100, 32, 32), 1000.0)
    coarse[35:66] = np.where(DICE.random((31, 32, 32)) < 0.5, 7, 9)
    found = measure_contrast(volume(np.full((200, 64, 64), -5.0), coarse))
    np.testing.assert_allclose(found.range_2d, (8 - 3, 8 + 3), atol=0.05)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "uint32", "uint64", "float32", "float64", "bool"]
)
def test_every_type_of_pixels_is_measured(dtype: str) -> None:
    values = (DICE.random((20, 30, 30)) * 2).astype(dtype)
    found = measure_contrast(volume(values))
    assert found.range_2d[0] < float(values.mean()) < found.range_2d[1]


def test_complex_values_are_measured_by_their_magnitude() -> None:
    found = measure_contrast(volume(np.full((4, 8, 8), 3 + 4j, np.complex64)))
    assert found.range_2d == (4.5, 5.5)


@pytest.mark.parametrize(("value", "expected"), [(0.0, (-0.5, 0.5)), (7.0, (6.5, 7.5)), (1e9, (9.99e8, 1.001e9))])
def test_an_image_of_one_value_is_shown_grey(value: float, expected: tuple[float, float]) -> None:
    found = measure_contrast(volume(np.full((5, 8, 8), value)))
    assert found.range_2d == found.range_3d == expected


def test_an_image_without_numbers_is_shown_from_0_to_1() -> None:
    assert measure_contrast(volume(np.full((5, 8, 8), np.nan))).range_2d == (0, 1)


def test_values_that_are_no_numbers_do_not_count() -> None:
    values = DICE.normal(10, 1, (31, 40, 40))
    holed = values.copy()
    holed[:, ::3] = np.nan
    holed[:, 1, 1] = np.inf
    found, expected = measure_contrast(volume(holed)), measure_contrast(volume(values))
    np.testing.assert_allclose(found.range_2d, expected.range_2d, atol=0.2)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_very_large_and_very_small_values_are_measured(scale: float) -> None:
    found = measure_contrast(volume(DICE.normal(0, 1, (10, 20, 20)) * scale))
    assert found.range_2d[1] / scale == pytest.approx(3, abs=0.3)
    assert all(math.isfinite(one) for one in found.window_3d)


def test_a_tomogram_of_one_voxel_is_measured() -> None:
    assert measure_contrast(volume(np.full((1, 1, 1), 2.0))).range_2d == (1.5, 2.5)


def test_the_same_tomogram_has_the_same_limits_to_the_last_byte() -> None:
    values = DICE.normal(0, 1, (31, 128, 128)).astype(np.float32)
    assert measure_contrast(volume(values)).to_json() == measure_contrast(volume(values.copy())).to_json()


def test_a_tomogram_that_cannot_be_read_says_so() -> None:
    with pytest.raises(ReadError):
        measure_contrast(volume(np.zeros((5, 8, 8)), broken=Region()))


def test_limits_come_back_from_their_document() -> None:
    limits = ContrastLimits.of((-1.83e-05, 2.07e-05), (-1.5e-05, 4e-06))
    written = limits.to_json()
    assert json.loads(written) == {
        "range_2d": [-1.83e-05, 2.07e-05],
        "window_2d": [-2.61e-05, 2.85e-05],
        "range_3d": [-1.5e-05, 4e-06],
        "window_3d": [-5.3e-05, 4.2e-05],
    }
    assert ContrastLimits.from_json(written) == limits


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[1, 2]",
        b"\xff",
        b'{"range_2d": [1]}',
        b'{"range_2d": [0, NaN], "window_2d": [0, 1], "range_3d": [0, 1], "window_3d": [0, 1]}',
        b'{"range_2d": [0, 1], "window_2d": [0, 1], "range_3d": [0, 1], "window_3d": 1}',
        b"[" * 60_000,
        b" " * 100_000,
    ],
)
def test_another_document_is_no_limits(damaged: bytes) -> None:
    with pytest.raises(ReadError, match="no contrast limits"):
        ContrastLimits.from_json(damaged)
