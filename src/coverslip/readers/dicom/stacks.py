"""Slices that know where they are in the patient -> stacks of T, C, Z. Pure.

Slices are sorted along the normal of their planes by Image Position (Patient), not by their number or file name.
Format: DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16.2 (frames of enhanced images).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from coverslip.readers.dicom.instance import Instance

Vector = tuple[float, ...]

SAME_PLACE_MM = 1e-3
SAME_DIRECTION = 1e-3
EVEN = 0.01
"""How much of the distance of slices one distance may differ from the others: positions are written rounded."""
MAX_STACKS = 64
"""A series of more different kinds of slices is no series of stacks."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One frame of one file and what says where it belongs."""

    instance: Instance
    frame: int = 0
    position: Vector = ()
    """X, Y, Z of the first pixel in the patient, in millimetres; empty where it is unknown."""
    orientation: Vector = ()
    """Direction of the rows, then of the columns."""
    frame_of_reference: str = ""
    identifier: str = ""
    """SOP Instance UID: two files with the same one are copies of each other."""
    echo: float | None = None
    order: tuple[float, ...] = ()
    """What slices at one place are sorted by: time, acquisition, number."""
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def is_placed(self) -> bool:
        """Whether the slice says where it is."""
        return len(self.position) == 3 and len(self.orientation) == 6 and any(self.normal)

    @property
    def normal(self) -> Vector:
        """The direction in which slices follow each other."""
        a, b = self.orientation[:3], self.orientation[3:]
        return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@dataclass(frozen=True, slots=True)
class Stack:
    """One image of slices."""

    slices: tuple[Slice, ...]
    """T, C, Z; the last runs fastest."""
    size_t: int
    size_c: int
    size_z: int
    spacing_mm: float | None
    """Distance of the slices where it is the same everywhere."""
    notes: tuple[str, ...]

    def at(self, t: int, c: int, z: int) -> Slice:
        """Return one slice."""
        return self.slices[(t * self.size_c + c) * self.size_z + z]


def plan(slices: Iterable[Slice]) -> tuple[Stack, ...]:
    """Return the stacks of a series, each of two slices or more; the others, and copies of files, are left out.

    Slices belong together that have one direction, size and type of pixels. Where each place has been taken several
    times, that is T, or C where the echo is what differs; where some places have more than others, or nothing tells
    the times apart, there is no stack.
    """
    kinds: dict[tuple[object, ...], list[tuple[Vector, list[Slice]]]] = defaultdict(list)
    count = 0
    seen: set[tuple[str, int]] = set()
    for item in slices:
        if not item.is_placed or (item.identifier and (item.identifier, item.frame) in seen):
            continue
        seen.add((item.identifier, item.frame))
        kind = item.instance.kind
        key = (kind.rows, kind.columns, kind.samples, kind.dtype, kind.photometric, item.frame_of_reference)
        known = next((group for way, group in kinds[key] if _same_way(way, item.orientation)), None)
        if known is None:
            count += 1
            if count > MAX_STACKS:
                return ()
            known = []
            kinds[key].append((item.orientation, known))
        known.append(item)
    found = (_stack(group) for groups in kinds.values() for _, group in groups if len(group) > 1)
    return tuple(stack for stack in found if stack is not None)


def _same_way(one: Vector, other: Vector) -> bool:
    return all(abs(a - b) < SAME_DIRECTION for a, b in zip(one, other, strict=True))


def _stack(group: list[Slice]) -> Stack | None:
    """Return the slices in order, ``None`` where they do not fill T, C and Z."""
    normal = group[0].normal
    length = math.hypot(*normal)
    along = sorted(((_dot(item.position, normal) / length, item.order, n) for n, item in enumerate(group)))
    places: list[list[Slice]] = []
    distances: list[float] = []
    for distance, _, n in along:
        if distances and distance - distances[-1] < SAME_PLACE_MM:
            places[-1].append(group[n])
        else:
            distances.append(distance)
            places.append([group[n]])
    often = len(places[0])
    if any(len(place) != often or len({(item.order, item.echo) for item in place}) < often for place in places):
        return None
    for place in places:
        place.sort(key=lambda item: (item.order, item.instance.path, item.frame))
    echoes = sorted({item.echo for item in group if item.echo is not None})
    size_c = len(echoes) if often > 1 and _is_by_echo(places, echoes) else 1
    if size_c > 1:
        for place in places:
            place.sort(key=lambda item: item.echo or 0)
    size_t = often // size_c
    ordered = [place[c * size_t + t] for t in range(size_t) for c in range(size_c) for place in places]
    spacing, notes = _spacing(distances)
    if _is_sheared([place[0] for place in places], normal):
        notes.append("each slice is shifted against the one before, as with a tilted gantry; this is not undone")
    if size_t > 1:
        notes.append(f"each place was taken {size_t} times, which are the time points")
    return Stack(tuple(ordered), size_t, size_c, len(places), spacing, tuple(notes))


def _is_by_echo(places: Sequence[Sequence[Slice]], echoes: Sequence[float]) -> bool:
    """Return whether every place has every echo equally often."""
    if len(echoes) < 2 or len(places[0]) % len(echoes):
        return False
    share = len(places[0]) // len(echoes)
    wanted = [echo for echo in echoes for _ in range(share)]
    return all(sorted(item.echo or 0 for item in place) == wanted for place in places)


def _spacing(distances: Sequence[float]) -> tuple[float | None, list[str]]:
    """Return the distance of slices where it is even, else what it is like."""
    gaps = [after - before for before, after in pairwise(distances)]
    if not gaps:
        return None, []
    least, most = min(gaps), max(gaps)
    if most - least <= EVEN * least + SAME_PLACE_MM:
        return sum(gaps) / len(gaps), []
    steps = [gap / least for gap in gaps]
    if all(abs(step - round(step)) <= EVEN * round(step) + SAME_PLACE_MM / least for step in steps):
        missing = sum(round(step) - 1 for step in steps)
        return None, [f"{missing} slices are missing: slices are {least:g} mm apart, in places up to {most:g} mm"]
    return None, [f"slices are not evenly spaced: {least:g} to {most:g} mm apart"]


def _is_sheared(slices: Sequence[Slice], normal: Vector) -> bool:
    """Return whether the slices move sideways from one to the next, by more than rounding."""
    first, last = slices[0].position, slices[-1].position
    way = [b - a for a, b in zip(first, last, strict=True)]
    total, length = math.hypot(*way), math.hypot(*normal)
    return total > 0 and abs(_dot(way, normal)) / length < total * (1 - 1e-3)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
