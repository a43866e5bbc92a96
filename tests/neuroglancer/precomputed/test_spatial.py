"""The levels of a spatial index: what is in which cell."""

import itertools

import numpy as np
import pytest

from coverslip.neuroglancer.precomputed.spatial import MOST_LEVELS, Level, draw, levels, touches
from tests.ngff.images import Array

LOWER, UPPER = np.array([-10.0, 0.0, 5.0]), np.array([90.0, 50.0, 30.0])
CUBIC = np.ones(3)


def places(count: int, ends: int, seed: int = 0) -> Array:
    """Return points or short lines within the bounds."""
    dice = np.random.default_rng(seed)
    middle = dice.uniform(LOWER + 5, UPPER - 5, (count, 1, 3))
    return middle + dice.uniform(-5, 5, (count, ends, 3)) * (ends > 1)


def cells_of(level: Level) -> dict[tuple[int, ...], list[int]]:
    spans = itertools.pairwise(level.bounds.tolist())
    return {
        tuple(cell): level.members[first:last].tolist()
        for cell, (first, last) in zip(level.cells.tolist(), spans, strict=True)
    }


@pytest.mark.parametrize("ends", [1, 2], ids=["points", "lines"])
def test_every_annotation_is_in_one_level_and_there_in_every_cell_that_it_touches(ends: int) -> None:
    geometry = places(3000, ends)
    found = list(levels(geometry, LOWER, UPPER, CUBIC, limit=100))
    assert len(found) > 2
    of_level = [set(level.members.tolist()) for level in found]
    assert sorted(itertools.chain(*of_level)) == list(range(3000)), "in exactly one level"
    steps = np.linspace(0, 1, 101)[:, None]
    for level, members in zip(found, of_level, strict=True):
        cells = cells_of(level)
        for number in sorted(members)[::20]:
            path = geometry[number, 0] + (geometry[number, -1] - geometry[number, 0]) * steps
            inside = {tuple(cell) for cell in np.floor((path - LOWER) / level.chunk_size).astype(int).tolist()}
            listed = {cell for cell, here in cells.items() if number in here}
            assert inside <= listed
            # what steps have passed over is a corner: hardly a cell more
            assert len(listed) <= len(inside) + 2


def test_the_levels_halve_what_is_long_and_fill_the_bounds() -> None:
    found = list(levels(places(3000, 1), LOWER, UPPER, CUBIC, limit=100))
    assert [level.grid_shape for level in found[:4]] == [(1, 1, 1), (2, 1, 1), (4, 2, 1), (8, 4, 2)]
    for level in found:
        np.testing.assert_array_equal(np.multiply(level.grid_shape, level.chunk_size), UPPER - LOWER)
        assert (level.cells >= 0).all()
        assert (level.cells < level.grid_shape).all()


def test_flat_voxels_are_cut_later_along_their_short_side() -> None:
    cube = np.zeros(3), np.full(3, 64.0)
    points = np.random.default_rng(0).uniform(0, 64, (2000, 1, 3))
    found = list(levels(points, *cube, np.array([1.0, 1.0, 0.25]), limit=100))
    assert [level.grid_shape for level in found[:4]] == [(1, 1, 1), (2, 2, 1), (4, 4, 1), (8, 8, 2)]


def test_a_cell_shows_about_as_many_as_may_be_evenly() -> None:
    found = list(levels(places(20_000, 1), LOWER, UPPER, CUBIC, limit=1000))
    first = found[0].members
    assert 900 < len(first) < 1100
    assert abs(np.mean(first) - 10_000) < 1000, "from the whole set"
    for level in found[1:]:
        assert np.diff(level.bounds).max() < 1150


def test_few_annotations_have_one_level_in_random_order() -> None:
    (only,) = levels(places(50, 1), LOWER, UPPER, CUBIC, limit=50)
    assert sorted(only.members.tolist()) == list(range(50))
    assert only.members.tolist() != list(range(50))


def test_none_at_all_have_one_level_without_cells() -> None:
    (only,) = levels(np.empty((0, 1, 3)), LOWER, UPPER, CUBIC, limit=10)
    assert (len(only.cells), only.bounds.tolist(), only.members.tolist()) == (0, [0], [])


def test_points_on_each_other_do_not_make_levels_for_ever() -> None:
    found = list(levels(np.full((5000, 1, 3), 20.0), LOWER, UPPER, CUBIC, limit=5))
    assert len(found) == MOST_LEVELS
    assert sum(len(level.members) for level in found) == 5000


def test_the_last_points_are_in_the_last_cells() -> None:
    corners = np.array(list(itertools.product(*zip(LOWER, UPPER, strict=True))))[:, None]
    for level in levels(np.repeat(corners, 20, axis=0), LOWER, UPPER, CUBIC, limit=10):
        assert (level.cells < level.grid_shape).all()


@pytest.mark.parametrize(
    ("start", "end", "does_touch"),
    [
        ((-1, 0.5, 0.5), (2, 0.5, 0.5), True),
        ((0.2, 0.2, 0.2), (0.3, 0.3, 0.3), True),
        ((-1, 1.5, 0.5), (2, 1.5, 0.5), False),
        ((-1, 0.5, 0.5), (-0.1, 0.5, 0.5), False),
        ((1.1, 0.5, 0.5), (3, 0.5, 0.5), False),
        ((-0.5, 0.6, 0.5), (0.6, 1.7, 0.5), False),
        ((-0.5, 0.4, 0.5), (0.6, 1.5, 0.5), True),
        ((1, 1, 1), (2, 2, 2), True),
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), True),
        ((1.5, 0.5, 0.5), (1.5, 0.5, 0.5), False),
    ],
)
def test_lines_touch_a_box_where_they_pass_it(
    start: tuple[float, ...], end: tuple[float, ...], does_touch: bool
) -> None:
    line = np.array([[start, end]])
    assert touches(line, np.zeros((1, 3)), np.ones((1, 3)), np.zeros(3)).tolist() == [does_touch]
    assert touches(line[:, ::-1], np.zeros((1, 3)), np.ones((1, 3)), np.zeros(3)).tolist() == [does_touch]


def test_the_draw_is_even_and_another_at_each_level() -> None:
    first, second = (draw(np.arange(100_000), level) for level in (0, 1))
    counts = np.histogram(first, bins=10, range=(0, 1))[0]
    assert counts.min() > 9_500
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    # the first number of SplitMix64 with the seed 0, from its authors
    assert int(first[0] * 2**53) == 0xE220A8397B1DCDAF >> 11
