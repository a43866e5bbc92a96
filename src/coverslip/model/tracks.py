"""How the ranges of one track make room for each other. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

type Span = tuple[int, int]
"""First and last frame, both included."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """What becomes of the neighbours of a saved range."""

    moved: Mapping[str, Span] = field(default_factory=dict)
    """New ranges of the neighbours that give way or follow."""
    split: tuple[str, Span] | None = None
    """The neighbour that the saved range lies inside of, and the end that is cut off it and goes on by itself."""
    covered: tuple[str, ...] = ()
    """Neighbours of which nothing would be left. Where there is one, nothing may be changed."""


def tile(others: Mapping[str, Span], saved: Span) -> Tiling:
    """Return how the other ranges of a track change so that all tile it without gap or overlap.

    The saved range stays as it is. A neighbour that it overlaps is cut; a neighbour that it lies inside of is split;
    where a gap is left, the range before it grows, and after the saved range the one behind grows down to it.

    Parameters
    ----------
    others
        The ranges of the track without the saved one, by name. They may overlap or leave gaps.
    saved
        The range as it was just saved.

    Examples
    --------
    >>> tile({"a": (0, 9), "b": (10, 19)}, (8, 12)).moved
    {'a': (0, 7), 'b': (13, 19)}
    """
    first, last = saved
    covered = tuple(name for name, (start, stop) in others.items() if first <= start and stop <= last)
    spans = dict(others)
    split: tuple[str, Span] | None = None
    for name, (start, stop) in others.items():
        if start < first and stop > last:
            spans[name] = (start, first - 1)
            if split is None or stop > split[1][1]:
                split = (name, (last + 1, stop))
        elif start < first <= stop:
            spans[name] = (start, first - 1)
        elif start <= last < stop:
            spans[name] = (last + 1, stop)
    covered += tuple(name for name in _beginning_together(spans) if name not in covered)
    if covered:
        return Tiling(covered=covered)
    before = sorted((span, name) for name, span in spans.items() if span[0] < first)
    behind = sorted((span, name) for name, span in spans.items() if span[0] > last)
    if behind and split is not None:
        split = (split[0], (last + 1, behind[0][0][0] - 1)) if behind[0][0][0] > last + 1 else None
    elif behind:
        (_, stop), name = behind[0]
        behind[0] = ((last + 1, stop), name)
    spans.update(_closed(before, first - 1))
    spans.update(_closed(behind, None))
    return Tiling({name: span for name, span in spans.items() if span != others[name]}, split)


def _beginning_together(others: Mapping[str, Span]) -> list[str]:
    """Return the ranges that begin with the same frame as another one, the longest of each left out."""
    ordered = sorted(others.items(), key=lambda item: (item[1][0], -item[1][1], item[0]))
    return [name for (_, before), (name, span) in pairwise(ordered) if span[0] == before[0]]


def _closed(ordered: list[tuple[Span, str]], end: int | None) -> dict[str, Span]:
    """Return ranges in order, each reaching up to the next one; the last one up to ``end``."""
    closed = {name: (span[0], behind[0] - 1) for (span, name), (behind, _) in pairwise(ordered)}
    for (start, stop), name in ordered[-1:]:
        closed[name] = (start, stop if end is None else end)
    return closed


def close(others: Mapping[str, Span], gone: Span) -> dict[str, Span]:
    """Return which range of a track grows when one has left it: the one before, where another follows behind.

    At the ends of a track there is nothing to close, and where there was a gap already it stays.
    """
    follows = any(start == gone[1] + 1 for start, _ in others.values())
    return {name: (start, gone[1]) for name, (start, stop) in others.items() if follows and stop == gone[0] - 1}
