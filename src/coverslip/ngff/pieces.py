"""What is written of an image and of its label images, cut into pieces so that each file is in exactly one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.model import CanRead, Region
from coverslip.ngff.encoding import Version
from coverslip.ngff.files import put_file
from coverslip.ngff.layout import ArrayLayout, boxes, boxes_of, piece_steps, written_layouts
from coverslip.ngff.pyramid import Pyramid
from coverslip.ngff.store import LABELS, label_key


@dataclass(frozen=True, slots=True)
class Group:
    """The image, or one of its label images."""

    name: str
    """Of the label image; empty for the image itself."""
    pyramid: Pyramid
    layouts: Sequence[ArrayLayout]
    """Of its levels."""

    def folder(self, inside: Path) -> Path:
        """Return where its files go, in the folder of the image."""
        return inside / LABELS / self.name if self.name else inside


@dataclass(frozen=True, slots=True)
class Piece:
    """What one thread writes at a time: whole bricks of a level, and of virtual levels made of the same pixels."""

    level: int
    box: Region
    steps: int = 0

    def weight(self) -> int:
        """Return its pixels."""
        return int(np.prod(self.box.shape))


def groups_of(image: CanRead, version: Version) -> Sequence[Group]:
    """Return the image, then its label images."""
    labels: Sequence[CanRead] = getattr(image, "labels", ())
    pyramids = {"": Pyramid(image)}
    pyramids |= {label_key(label.metadata.name): Pyramid(label, is_labels=True) for label in labels}
    return [
        Group(name, pyramid, written_layouts(pyramid.metadata, pyramid.levels, version))
        for name, pyramid in pyramids.items()
    ]


def plan(group: Group) -> Iterator[Piece]:
    """Yield every piece, so that each brick of each level is in exactly one of them."""
    pyramid, layouts = group.pyramid, group.layouts
    samples = pyramid.metadata.samples
    base = pyramid.levels[-1].source
    steps = piece_steps(layouts[base], pyramid.levels, samples)
    for layout in layouts:
        level = pyramid.levels[layout.level]
        if 0 < level.halvings <= steps:
            continue  # made along with its source
        along = steps if layout.level == base else 0
        t, _, z, y, x = layout.brick
        for box in boxes(layout.shape, (t, samples, z, y << along, x << along)):
            yield Piece(layout.level, box, along)


def write_piece(temporary: Path, inside: Path, group: Group, piece: Piece, *, is_lasting: bool = True) -> None:
    """Write all files of a piece, unless they are all there.

    Parameters
    ----------
    temporary
        Where files are until they are whole.
    inside
        The folder of the image.
    group
        What the piece belongs to.
    piece
        Which bricks of which levels.
    is_lasting
        Whether each file is forced to disk at once.

    Raises
    ------
    ReadError
        The image does not give the pixels.
    StorageError
        A file could not be written.
    """
    pyramid, layouts, folder = group.pyramid, group.layouts, group.folder(inside)
    outputs = [(piece.level, piece.box)]
    outputs += [(piece.level + step, _shrunk(piece.box, step)) for step in range(1, piece.steps + 1)]
    names = [key for level, box in outputs for key in layouts[level].keys(box)]
    if all((folder / name).exists() for name in names):
        return
    layout = layouts[piece.level]
    reduced = [np.empty(box.shape, pyramid.dtype) for _, box in outputs[1:]]
    _, _, _, (top, _), (left, _) = piece.box.spans
    for box in boxes_of(piece.box, (1, pyramid.metadata.samples, *layout.brick[2:])):
        pixels = pyramid.read(piece.level, box)
        _write_bricks(temporary, folder, layout, pixels, box, is_lasting=is_lasting)
        y, x = box.spans[3][0] - top, box.spans[4][0] - left
        for step, smaller in enumerate(pyramid.halved(pixels, piece.steps), 1):
            high, wide = smaller.shape[3:]
            reduced[step - 1][..., y >> step : (y >> step) + high, x >> step : (x >> step) + wide] = smaller
    for (level, box), pixels in zip(outputs[1:], reduced, strict=True):
        _write_bricks(temporary, folder, layouts[level], pixels, box, is_lasting=is_lasting)


def _write_bricks(
    temporary: Path, folder: Path, layout: ArrayLayout, pixels: NDArray[Any], box: Region, *, is_lasting: bool
) -> None:
    """Write the pixels of a box of whole bricks."""
    starts = [start for start, _ in box.spans]
    for brick in boxes_of(box, layout.brick):
        where = tuple(slice(a - start, b - start) for (a, b), start in zip(brick.spans, starts, strict=True))
        for key, data in layout.encode(pixels[where], brick):
            put_file(temporary, folder / key, data, is_lasting=is_lasting)


def _shrunk(box: Region, step: int) -> Region:
    """Return a box in pixels of the level that is halved so many times."""
    t, c, z, (top, bottom), (left, right) = box.spans
    side = 1 << step
    return Region(t, c, z, (top // side, -(-bottom // side)), (left // side, -(-right // side)))
