"""Contrast limits, gamma, lookup tables and blending against slow references."""

from typing import Any, get_args

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip import render
from coverslip.errors import InvalidRequestError
from coverslip.model import RenderSpec
from coverslip.model.render import Contrast, Lut
from coverslip.render.compose import Ink
from coverslip.render.luts import ANCHORS, table
from tests.render.images import Array, Stack, noise


def drawn(pixels: Array, **choices: Any) -> Array:
    return render.draw(Stack(pixels), RenderSpec.model_validate(choices)).astype(int)


@given(st.floats(-50, 200), st.floats(0.5, 300), st.floats(0.1, 10))
def test_values_limits_and_gamma_are_the_formula(low: float, span: float, gamma: float) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, 16, 16)
    picture = drawn(pixels, contrast=({"low": low, "high": low + span},), gamma=gamma)
    expected = np.clip((pixels[0, 0, 0].astype(float) - low) / span, 0, 1) ** gamma * 255
    np.testing.assert_allclose(picture[..., 0], expected, atol=1)


def test_percentiles_of_a_channel_are_like_those_of_all() -> None:
    pixels = noise(1, 1, 3, 30, 30)
    both = [drawn(pixels, low=5, high=80), drawn(pixels, contrast=({"low": 5, "high": 80, "unit": "percentile"},))]
    np.testing.assert_array_equal(both[0], both[1])


def test_each_channel_has_its_own_limits_and_table() -> None:
    pixels = noise(1, 2, 1, 12, 12, dtype="uint8")
    limits = ({"low": 0, "high": 100}, {"low": 50, "high": 255})
    both = drawn(pixels, contrast=limits, luts=("fire", "cyan"))
    alone = [drawn(pixels, contrast=(limits[c],), luts=(lut,), channels=(c,)) for c, lut in enumerate(("fire", "cyan"))]
    np.testing.assert_array_equal(both, np.minimum(alone[0] + alone[1], 255))
    swapped = drawn(pixels, contrast=limits[::-1], luts=("cyan", "fire"), channels=(1, 0))
    np.testing.assert_array_equal(both, swapped)
    same = drawn(pixels, contrast=limits[:1], luts=("fire",))
    np.testing.assert_array_equal(same, drawn(pixels, contrast=limits[:1] * 2, luts=("fire",) * 2))


@pytest.mark.parametrize("choice", [{"contrast": ({"low": 0, "high": 1},) * 2}, {"luts": ("fire",) * 2}])
def test_another_number_than_channels_is_refused(choice: dict[str, Any]) -> None:
    stack = Stack(noise(1, 3, 1, 4, 4))
    with pytest.raises(InvalidRequestError, match="2 given for 3 channels"):
        render.draw(stack, RenderSpec.model_validate(choice))
    assert stack.reads == []


@pytest.mark.parametrize("lut", get_args(Lut))
def test_a_table_shows_each_grey_in_its_colour(lut: Lut) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, 16, 16)
    picture = drawn(pixels, contrast=({"low": 0, "high": 255},), luts=(lut,))
    np.testing.assert_array_equal(picture.reshape(256, 3), table(lut))


def test_every_table_gets_brighter_all_the_way() -> None:
    assert set(ANCHORS) == set(get_args(Lut))
    for lut in get_args(Lut):
        brightness = table(lut).astype(float) @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(brightness) >= -0.75).all(), lut  # rounding to whole numbers
        assert brightness[-1] - brightness[0] > 15
        assert not table(lut).flags.writeable


def test_viridis_is_viridis() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    known = cv2.cvtColor(cv2.applyColorMap(ramp, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)[0]
    assert np.abs(known.astype(int) - table("viridis")).max() <= 5


@pytest.mark.parametrize("luts", [(), ("fire",), ("viridis", "gray", "red")])
def test_alpha_lays_later_channels_over_earlier_ones(luts: tuple[Lut, ...]) -> None:
    pixels = noise(1, 3, 1, 10, 10, dtype="uint8")
    stack = Stack(pixels)
    choices = {"contrast": ({"low": 0, "high": 120},), "luts": luts, "blend": "alpha", "gamma": 0.7}
    picture = drawn(pixels, **choices)
    expected = np.zeros((10, 10, 3))
    for c, color in enumerate(render.channel_colors(stack.metadata)):
        opacity = (np.clip(pixels[0, c, 0] / 120, 0, 1) ** 0.7)[..., None]
        tint: Array = np.array(color, float)
        if luts:
            tint = table(luts[c] if len(luts) > 1 else luts[0])[np.rint(opacity[..., 0] * 255).astype(int)].astype(
                float
            )
        expected = expected * (1 - opacity) + tint * opacity
    np.testing.assert_allclose(picture, expected, atol=2)


def test_full_brightness_covers_what_is_below() -> None:
    pixels = np.full((1, 2, 1, 4, 4), 200, np.uint8)
    picture = drawn(pixels, contrast=({"low": 0, "high": 100},), blend="alpha")
    assert (picture == render.channel_colors(Stack(pixels).metadata)[1]).all()


def test_colour_samples_take_limits_and_gamma() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 1, 1, 9, 7, 3)).astype(np.uint8)
    picture = drawn(pixels, contrast=({"low": 50, "high": 150},), gamma=2)
    expected = np.clip((pixels[0, 0, 0].astype(float) - 50) / 100, 0, 1) ** 2 * 255
    np.testing.assert_allclose(picture, expected, atol=1)


@pytest.mark.parametrize(
    ("low", "high", "unit"), [(2, 2, "value"), (3, 2, "value"), (-1, 50, "percentile"), (0, 101, "percentile")]
)
def test_limits_that_make_no_sense_are_refused(low: float, high: float, unit: Any) -> None:
    with pytest.raises(ValueError, match=r"contrast|percentiles"):
        Contrast(low=low, high=high, unit=unit)


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 255), (12, 200, 77), (255, 0, 1)])
def test_shades_are_brightness_times_colour(color: tuple[int, int, int]) -> None:
    grey = np.random.default_rng(3).random((40, 60), np.float32)
    expected = np.rint(grey[..., None] * np.array(color, np.float32))
    np.testing.assert_array_equal(Ink((0.0, 1.0), color).tint(grey), expected)
