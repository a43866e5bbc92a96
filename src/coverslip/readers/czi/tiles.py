"""The tiles of a CZI scene: where each subblock lies, and how the ones a region needs become one array.

A subblock has a position on up to ten axes. X, Y, Z, T, C keep their meaning; further axes longer than 1 (phase H,
illumination I, rotation R, view V, block B) are folded into the channels, C outermost.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coverslip.model import Region
from coverslip.readers.budgets import check_pages

if TYPE_CHECKING:
    from czifile import CziDirectoryEntryDV

    from coverslip.model.protocols import Array

PLANE_AXES = "TZYXS"
FOLDED_AXES = "BVRIHQ"
MAX_CHANNELS = 65_536
MAX_ABSENT = 1000
"""For every plane that was recorded at least in part, so many may be missing: projections look at all of them."""
GRID_LIMIT = 4000
"""Above this many tiles per plane, coverage is not computed: it would take longer than opening should."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The box of a scene on the file's axes."""

    start: dict[str, int]
    size: dict[str, int]
    folded: tuple[str, ...]
    """Axes that became channels, outermost first."""

    @property
    def folds(self) -> int:
        """Channels per C coordinate."""
        return prod(self.size[axis] for axis in self.folded)

    def length(self, axis: str) -> int:
        """Length of an axis; C counts the folded ones too."""
        return self.size.get(axis, 1) * (self.folds if axis == "C" else 1)


@dataclass(frozen=True, slots=True)
class Tile:
    """One subblock, or the part of one that belongs to one channel."""

    entry: "CziDirectoryEntryDV"
    picks: dict[str, int]
    """Index inside the subblock on the axes that are not T, Z, Y, X."""


def frame_of(entries: Sequence["CziDirectoryEntryDV"]) -> Frame:
    """Return the smallest box that holds all subblocks; an axis a subblock does not have is 0 there.

    Raises
    ------
    ValueError
        The box is absurdly large.
    """
    axes = {axis for entry in entries for axis in entry.dims if axis != "S"}
    start = dict.fromkeys(axes, np.iinfo(np.int64).max)
    stop = dict.fromkeys(axes, np.iinfo(np.int64).min)
    for entry in entries:
        have = dict(zip(entry.dims, zip(entry.start, entry.stop, strict=True), strict=True))
        for axis in axes:
            first, last = have.get(axis, (0, 1))
            start[axis] = min(start[axis], first)
            stop[axis] = max(stop[axis], last)
    size = {axis: stop[axis] - start[axis] for axis in axes}
    exotic = (axis for axis in axes if axis not in "TCZYX" and size[axis] > 1)
    frame = Frame(start, size, tuple(sorted(exotic, key=lambda axis: (FOLDED_AXES + axis).index(axis))))
    channels, planes = frame.length("C"), frame.length("T") * frame.length("C") * frame.length("Z")
    recorded = sum(
        prod(
            min(length, stored)
            for axis, length, stored in zip(entry.dims, entry.shape, entry.stored_shape, strict=True)
            if axis not in "YXS"
        )
        for entry in entries
    )
    check_pages(planes, "planes")
    if channels > MAX_CHANNELS or planes > MAX_ABSENT * recorded:
        raise ValueError(f"{channels} channels in {planes} planes, of which {recorded} are there, cannot be")
    return frame


class Tiles:
    """The subblocks of one pyramid level of a scene.

    Parameters
    ----------
    entries
        Subblocks in the order they are laid down; later ones cover earlier ones.
    frame
        The box of the scene at full resolution.
    scale
        How many full-resolution pixels one pixel of this level spans.
    """

    def __init__(self, entries: Sequence["CziDirectoryEntryDV"], frame: Frame, scale: float = 1) -> None:
        boxes: list[list[tuple[int, int]]] = []
        self._tiles: list[Tile] = []
        for entry in entries:
            for channel, picks in _channels_of(entry, frame):
                self._tiles.append(Tile(entry, picks))
                boxes.append([_span(entry, axis, frame, scale) for axis in "TZYX"])
                boxes[-1].insert(1, (channel, channel + 1))
        self.boxes: NDArray[np.int64] = np.array(boxes, np.int64).reshape(-1, 5, 2)
        """Shape tile, axis (T, C, Z, Y, X), start and stop, in pixels of this level."""
        self._all = np.arange(len(self.boxes))
        self._of_plane = self._by_plane()

    def read(
        self,
        region: Region,
        out: "Array",
        load: Callable[["CziDirectoryEntryDV", bool], tuple["Array", "Array | None"]],
    ) -> None:
        """Lay the tiles that overlap a region into an array.

        Parameters
        ----------
        region
            In pixels of this level.
        out
            Shape T, C, Z, Y, X, S; pixels no tile covers are left as they are.
        load
            Gives the pixels of a subblock in the order of its own axes, and a mask Y, X of the valid ones or ``None``;
            told whether only a part of the subblock is wanted.
        """
        wanted = np.array(region.spans)
        near = self._near(region)
        boxes = self.boxes[near]
        starts = np.maximum(boxes[:, :, 0], wanted[:, 0])
        stops = np.minimum(boxes[:, :, 1], wanted[:, 1])
        loaded: tuple[CziDirectoryEntryDV, Array, Array | None] | None = None
        for i in np.flatnonzero((starts < stops).all(axis=1)):
            tile = self._tiles[near[i]]
            if loaded is None or loaded[0] is not tile.entry:
                is_part = bool((stops[i] - starts[i] < boxes[i, :, 1] - boxes[i, :, 0]).any())
                loaded = (tile.entry, *load(tile.entry, is_part))
            here = [slice(a, b) for a, b in zip(starts[i] - wanted[:, 0], stops[i] - wanted[:, 0], strict=True)]
            there = [slice(a, b) for a, b in zip(starts[i] - boxes[i, :, 0], stops[i] - boxes[i, :, 0], strict=True)]
            _lay(out[here[0], here[1].start, here[2], here[3], here[4]], tile, loaded[1:], there)

    def _near(self, region: Region) -> NDArray[np.intp]:
        """Return which tiles may overlap a region: of one plane, where tiles are parts of one plane; else all."""
        t, c, z = region.spans[:3]
        if self._of_plane is None or (t[1] - t[0], c[1] - c[0], z[1] - z[0]) != (1, 1, 1):
            return self._all
        return self._of_plane.get((t[0], c[0], z[0]), self._all[:0])

    def _by_plane(self) -> dict[tuple[int, ...], NDArray[np.intp]] | None:
        """Return the tiles of each plane T, C, Z, or ``None`` where a tile lies in several."""
        first = self.boxes[:, :3, 0]
        if not len(first) or (self.boxes[:, :3, 1] - first != 1).any():
            return None
        order = np.lexsort(first.T[::-1])
        edges = np.flatnonzero((np.diff(first[order], axis=0) != 0).any(axis=1)) + 1
        groups = np.split(order, edges)  # lexsort is stable: later tiles still cover earlier ones
        return {tuple(first[group[0]].tolist()): group for group in groups}

    def planes(self) -> NDArray[np.bool_]:
        """Return of which planes at least a part is there: shape T, C, Z, as far as the last of them."""
        present = np.zeros(self.boxes[:, :3, 1].max(axis=0), bool)
        for (t0, t1), (c0, c1), (z0, z1) in np.unique(self.boxes[:, :3], axis=0):
            present[t0:t1, c0:c1, z0:z1] = True
        return present

    def coverage(self, height: int, width: int) -> float:
        """Return which share of the first plane tiles cover, exactly, from a grid of their edges."""
        first = self.boxes[0, :3, 0]
        on_plane = ((self.boxes[:, :3, 0] <= first[None]) & (first[None] < self.boxes[:, :3, 1])).all(axis=1)
        boxes = np.clip(self.boxes[on_plane, 3:], 0, np.array([[height], [width]]))
        if len(boxes) > GRID_LIMIT:
            return 1.0
        rows, columns = (np.unique(boxes[:, axis]) for axis in (0, 1))
        covered = np.zeros((len(rows), len(columns)), bool)
        for (y0, y1), (x0, x1) in boxes:
            covered[slice(*np.searchsorted(rows, (y0, y1))), slice(*np.searchsorted(columns, (x0, x1)))] = True
        area = np.diff(rows) @ covered[:-1, :-1].astype(np.int64) @ np.diff(columns)
        return float(area) / (height * width)


def _channels_of(entry: "CziDirectoryEntryDV", frame: Frame) -> Iterator[tuple[int, dict[str, int]]]:
    """Yield every channel a subblock belongs to, and where in the subblock it is."""
    have = dict(zip(entry.dims, zip(entry.start, entry.shape, strict=True), strict=True))
    axes = ("C", *frame.folded)
    for picks in product(*(range(have.get(axis, (0, 1))[1]) for axis in axes)):
        channel = 0
        for axis, pick in zip(axes, picks, strict=True):
            position = have.get(axis, (0, 1))[0] + pick - frame.start.get(axis, 0)
            channel = channel * frame.size.get(axis, 1) + position
        yield channel, dict(zip(axes, picks, strict=True))


def _span(entry: "CziDirectoryEntryDV", axis: str, frame: Frame, scale: float) -> tuple[int, int]:
    """Return where a subblock lies on one axis of its level."""
    if axis not in entry.dims:
        return 0, 1
    i = entry.dims.index(axis)
    offset = entry.start[i] - frame.start[axis]
    if scale == 1 or axis not in "YX":
        return offset, offset + entry.shape[i]
    return round(offset / scale), round(offset / scale) + entry.stored_shape[i]


def _lay(out: "Array", tile: Tile, loaded: tuple["Array", "Array | None"], there: list[slice]) -> None:
    """Copy the wanted part of a loaded subblock into ``out`` (shape T, Z, Y, X, S)."""
    pixels, mask = loaded
    dims = [axis for axis in tile.entry.dims if axis in PLANE_AXES]
    pixels = pixels[tuple(slice(None) if axis in PLANE_AXES else tile.picks.get(axis, 0) for axis in tile.entry.dims)]
    pixels = pixels.transpose([dims.index(axis) for axis in PLANE_AXES if axis in dims])
    pixels = pixels[tuple(slice(None) if axis in dims else None for axis in PLANE_AXES)]
    pixels = pixels[there[0], there[2], there[3], there[4]]
    if mask is None:
        out[...] = pixels
    else:
        np.copyto(out, pixels, where=mask[None, None, there[3], there[4], None])
