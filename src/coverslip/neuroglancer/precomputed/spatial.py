"""Annotations -> the levels of a spatial index, from coarse to fine.

The levels are made as ``annotations.md`` in ``src/datasource/precomputed`` of Neuroglancer says: each shows an evenly
drawn part of what the levels above have not shown. The draw is a hash of an annotation's number and the level, so it
comes out the same every time, and an annotation that touches several cells is drawn in all of them or in none.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST_LEVELS = 10
"""The last level takes all that is left: points that lie on each other are not separated by ever smaller cells."""
BLOCK = 1 << 15
"""Pairs of annotation and cell that are tried at a time."""
MARGIN = 1e-6
"""Part of a cell's length by which a line may miss it and still count as touching it."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level of the index."""

    grid_shape: tuple[int, int, int]
    chunk_size: tuple[float, float, float]
    """The lengths of a cell: x, y, z, in voxels."""
    cells: "Ints"
    """Shape (m, 3): the cells that have annotations; x, y, z."""
    bounds: "Ints"
    """Shape (m + 1,): where the annotations of each cell begin and end in ``members``."""
    members: "Ints"
    """Shape (k,): numbers of annotations, cell after cell, in random order within each."""


def levels(geometry: "Floats", lower: "Floats", upper: "Floats", voxel_size: "Floats", limit: int) -> Iterator[Level]:
    """Yield the levels of the index, coarse to fine.

    Parameters
    ----------
    geometry
        Shape (n, 1, 3) for points, (n, 2, 3) for lines: x, y, z in voxels, all within the bounds.
    lower, upper
        Shape (3,): the bounds.
    voxel_size
        Shape (3,): cells are halved so that they come near to cubes of this space.
    limit
        How many annotations a cell should show at most; the draw is random, so some show a little more.
    """
    chunk = upper - lower
    grid = np.ones(3, np.int64)
    members = np.arange(len(geometry), dtype=np.int64)
    cells = np.zeros((len(geometry), 3), np.int64)
    for number in range(MOST_LEVELS):
        codes = (cells[:, 0] * grid[1] + cells[:, 1]) * grid[2] + cells[:, 2]
        most = int(np.unique(codes, return_counts=True)[1].max(initial=0))
        drawn = draw(members, number)
        is_last = most <= limit or number == MOST_LEVELS - 1
        emitted = np.ones(len(members), np.bool_) if is_last else drawn < limit / most
        yield _level(grid, chunk, codes[emitted], members[emitted], drawn[emitted])
        if is_last:
            return
        members, cells = members[~emitted], cells[~emitted]
        long = chunk * voxel_size
        halved = long * np.sqrt(2) > long.max()
        chunk, grid, cells = np.where(halved, chunk / 2, chunk), np.where(halved, grid * 2, grid), cells * (1 + halved)
        members, cells = _children(geometry, members, cells, halved, (lower, chunk, grid))


def draw(members: "Ints", level: int) -> "Floats":
    """Return a number from 0 to 1 for each annotation: SplitMix64 (Steele, Lea, Flood 2014) of its number and level."""
    with np.errstate(over="ignore"):
        state = members.astype(np.uint64) + np.uint64((level + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53


def _level(grid: "Ints", chunk: "Floats", codes: "Ints", members: "Ints", drawn: "Floats") -> Level:
    order = np.lexsort((drawn, codes))
    found, first = np.unique(codes[order], return_index=True)
    shape = tuple(grid.tolist())
    cells = np.stack(np.unravel_index(found, shape), axis=1).astype(np.int64)
    bounds = np.append(first, len(order)).astype(np.int64)
    return Level(shape, tuple(chunk.tolist()), cells, bounds, members[order])


def _children(
    geometry: "Floats",
    members: "Ints",
    cells: "Ints",
    halved: "NDArray[np.bool_]",
    space: "tuple[Floats, Floats, Ints]",
) -> "tuple[Ints, Ints]":
    """Return the pairs of annotations and cells of the next level, for the pairs of this one."""
    lower, chunk, _ = space
    start = _cell(geometry[members, 0], space)
    if geometry.shape[1] == 1:
        return members, start
    # most lines are short: where both ends are in one cell, so is all between them
    is_whole = (start == _cell(geometry[members, 1], space)).all(axis=1)
    is_here = is_whole & (start // (1 + halved) * (1 + halved) == cells).all(axis=1)
    kept_members, kept_cells = [members[is_here]], [start[is_here]]
    members, cells = members[~is_whole], cells[~is_whole]
    offsets = np.array(list(itertools.product(*((0, 1) if is_halved else (0,) for is_halved in halved))), np.int64)
    for first in range(0, len(members), BLOCK):
        candidates = (cells[first : first + BLOCK, None] + offsets).reshape(-1, 3)
        lines = np.repeat(members[first : first + BLOCK], len(offsets))
        corner = lower + candidates * chunk
        touching = touches(geometry[lines], corner, corner + chunk, chunk * MARGIN)
        kept_members.append(lines[touching])
        kept_cells.append(candidates[touching])
    return np.concatenate(kept_members), np.concatenate(kept_cells)


def _cell(places: "Floats", space: "tuple[Floats, Floats, Ints]") -> "Ints":
    """Return the cells that places are in."""
    lower, chunk, grid = space
    return np.clip(np.floor((places - lower) / chunk).astype(np.int64), 0, grid - 1)


def touches(lines: "Floats", low: "Floats", high: "Floats", margin: "Floats") -> "NDArray[np.bool_]":
    """Return which lines touch their box, by the parts of a line between each pair of its sides.

    Parameters
    ----------
    lines
        Shape (n, 2, 3).
    low, high
        Shape (n, 3).
    margin
        Shape (3,): added to the box on all sides.
    """
    start, along = lines[:, 0], lines[:, 1] - lines[:, 0]
    to_low, to_high = low - margin - start, high + margin - start
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = to_low / along, to_high / along
    is_flat = along == 0
    is_inside = (to_low <= 0) & (to_high >= 0)
    enters = np.where(is_flat, np.where(is_inside, 0.0, 2.0), np.minimum(first, second)).max(axis=1, initial=0.0)
    leaves = np.where(is_flat, 1.0, np.maximum(first, second)).min(axis=1, initial=1.0)
    return np.asarray(enters <= leaves)
