"""Ranges of one track tile it after every save."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from coverslip.model.tracks import Span, tile

spans = st.tuples(st.integers(0, 60), st.integers(0, 25)).map(lambda pair: (pair[0], pair[0] + pair[1]))
tracks = st.lists(spans, max_size=6).map(lambda found: {f"r{n}": span for n, span in enumerate(found)})


@given(tracks, spans)
def test_no_gap_no_overlap(others: dict[str, Span], saved: Span) -> None:
    tiling = tile(others, saved)
    if tiling.covered:
        assert not tiling.moved
        assert tiling.split is None
        return
    after = others | dict(tiling.moved) | {"saved": saved}
    if tiling.split:
        after["split"] = tiling.split[1]
    ordered = sorted(after.values())
    assert all(first <= last for first, last in ordered)
    assert all(before[1] + 1 == behind[0] for before, behind in pairwise(ordered))


@given(tracks, spans)
def test_refused_only_where_two_would_be_at_one_place(others: dict[str, Span], saved: Span) -> None:
    starts = [saved[1] + 1 if saved[0] <= first <= saved[1] else first for first, _ in others.values()]
    can_stay = len(set(starts)) == len(starts) and not any(
        saved[0] <= first and last <= saved[1] for first, last in others.values()
    )
    assert bool(tile(others, saved).covered) is not can_stay


@given(tracks, spans)
def test_a_second_time_changes_nothing(others: dict[str, Span], saved: Span) -> None:
    tiling = tile(others, saved)
    if not tiling.covered:
        after = others | dict(tiling.moved) | ({"split": tiling.split[1]} if tiling.split else {})
        again = tile(after, saved)
        assert (again.moved, again.split, again.covered) == ({}, None, ())


def test_neighbours_give_way_and_follow() -> None:
    track = {"a": (0, 9), "b": (10, 19), "c": (20, 29)}
    assert tile({"a": (0, 9), "c": (20, 29)}, (8, 21)).moved == {"a": (0, 7), "c": (22, 29)}
    assert tile({"a": (0, 9), "c": (20, 29)}, (12, 17)).moved == {"a": (0, 11), "c": (18, 29)}
    assert tile(track, (30, 35)).moved == {}
    assert tile(track, (40, 45)).moved == {"c": (20, 39)}


def test_one_inside_another_splits_it() -> None:
    tiling = tile({"a": (0, 99)}, (40, 59))
    assert (tiling.moved, tiling.split) == ({"a": (0, 39)}, ("a", (60, 99)))


def test_one_that_would_vanish_is_named() -> None:
    tiling = tile({"a": (0, 9), "b": (10, 19), "c": (20, 29)}, (8, 21))
    assert tiling.covered == ("b",)
    assert not tiling.moved


def test_the_first_of_a_track_moves_nobody() -> None:
    assert tile({}, (3, 4)).moved == {}
