"""Colours of layers and instances."""

import colorsys
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.neuroglancer.colors import PALETTE, ColorSeed, instance_color, layer_colors, oklab, viewer_seed

SEEDS = st.integers(0, 2**64 - 1)


def rgb(color: str) -> tuple[float, float, float]:
    """Return red, green and blue from 0 to 1."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def distance(one: str, other: str) -> float:
    """Return the distance of two colours in OKLab, where black and white are 1 apart."""
    first, second = oklab(np.array([rgb(one), rgb(other)])) / 1000
    return math.dist(first, second)


@given(st.lists(SEEDS, max_size=40), st.lists(SEEDS, max_size=5))
def test_adding_layers_changes_no_color_that_is_there(old: list[int], new: list[int]) -> None:
    assert layer_colors([*old, *new])[: len(old)] == layer_colors(old)


@given(st.lists(SEEDS, max_size=PALETTE))
def test_no_two_of_up_to_256_layers_have_the_same_color(seeds: list[int]) -> None:
    found = layer_colors(seeds)
    assert len(set(found)) == len(seeds)


@given(SEEDS, SEEDS)
def test_two_layers_are_far_apart_even_with_the_same_seed(one: int, other: int) -> None:
    for first, second in (layer_colors([one, other]), layer_colors([one, one])):
        assert distance(first, second) > 0.3


@pytest.mark.parametrize(("count", "least"), [(5, 0.15), (20, 0.07), (100, 0.03)])
def test_many_layers_are_as_far_apart_as_so_many_can_be(count: int, least: float) -> None:
    found = layer_colors([ColorSeed(object_name=f"object {number}").number for number in range(count)])
    nearest = min(distance(one, other) for at, one in enumerate(found) for other in found[:at])
    assert nearest > least


def test_more_layers_than_colors_begin_again() -> None:
    found = layer_colors([7] * (2 * PALETTE + 1))
    assert sorted(found[:PALETTE]) == sorted(found[PALETTE : 2 * PALETTE])


@given(st.lists(SEEDS, min_size=1, max_size=50), st.integers(0, 2**64 - 1))
def test_every_color_is_seen_on_black(seeds: list[int], label: int) -> None:
    for color in (*layer_colors(seeds), instance_color(seeds[0], label)):
        _, saturation, value = colorsys.rgb_to_hsv(*rgb(color))
        assert saturation > 0.15
        assert value > 0.25


def test_the_same_words_have_the_same_color_on_every_machine() -> None:
    """Written down once: who changes it gives every published state other colours."""
    seed = ColorSeed("manual", "GO:0022626", "cytosolic ribosome", "10310", ground_truth=True, shape="OrientedPoint")
    assert seed.number == 0xE63FBE05CBC2CD84
    assert layer_colors([seed.number]) == ["#8bff74"]
    assert [instance_color(seed.number, label) for label in (1, 2, 3)] == ["#5cf3a5", "#d87e69", "#97a1fc"]
    assert viewer_seed(seed.number) == seed.number % 2**32


@pytest.mark.parametrize("change", ["method", "object_id", "object_name", "deposition", "shape"])
def test_everything_that_tells_annotations_apart_changes_the_seed(change: str) -> None:
    assert ColorSeed(**{change: "other"}).number != ColorSeed().number  # type: ignore[arg-type]
    assert ColorSeed(ground_truth=True).number != ColorSeed().number


def test_neighbouring_instances_are_far_apart() -> None:
    found = [instance_color(12345, label) for label in range(1, 21)]
    assert min(distance(one, other) for one, other in pairwise(found)) > 0.15
    assert len(set(found)) == 20


def test_oklab_is_that_of_its_author() -> None:
    """Values of https://bottosson.github.io/posts/oklab/ for sRGB red, green, blue and white, in thousandths."""
    corners = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    expected = [[628, 225, 126], [866, -234, 179], [452, -32, -312], [1000, 0, 0]]
    np.testing.assert_array_equal(oklab(corners), expected)
