"""How the arrays of the levels are cut into chunks, and chunks into shards; which file holds which pixels."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.model import ImageMetadata, Region
from coverslip.model.regions import Span
from coverslip.ngff.documents import array_document
from coverslip.ngff.encoding import Version, compressed, shard_bytes
from coverslip.ngff.pyramid import PyramidLevel, Shape

PLANE_CHUNK = 512
"""Side of a chunk of one plane, in pixels. Half a MiB of 16-bit pixels: large enough that a request costs less than
what it brings, small enough that a screen needs few pixels it does not show."""
PLANE_BRICK = 2048
VOLUME_CHUNK = 64
VOLUME_BRICK = 512
BRICK_BYTES = 32 << 20
REDUCED_BYTES = 96 << 20
"""Most memory for the virtual levels that are made along with a piece of the level they are made of."""
WIDEST_PIECE = 8192


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """How one level is stored."""

    level: int
    shape: Shape
    chunk: Shape
    brick: Shape
    """What is written at a time, whole chunks: a shard in 0.5, the chunks of one in 0.4."""
    dtype: np.dtype[Any]
    version: Version

    def document(self) -> tuple[str, dict[str, Any]]:
        """Return the key and the document of the array."""
        shard = self.brick if self.version == "0.5" else None
        name, document = array_document(self.shape, self.chunk, self.dtype, self.version, shard=shard, compress=True)
        return f"{self.level}/{name}", document

    def keys(self, box: Region) -> Iterator[str]:
        """Yield the keys of the files that hold a box of whole bricks."""
        size = self.brick if self.version == "0.5" else self.chunk
        for place in _places(box, size):
            yield chunk_key(self.level, place, self.version)

    def encode(self, pixels: NDArray[Any], box: Region) -> Iterator[tuple[str, bytes]]:
        """Yield the key and the bytes of each file that holds a brick.

        Parameters
        ----------
        pixels
            T, C, Z, Y, X of the box.
        box
            One brick, cut at the edges of the array.
        """
        starts = [start for start, _ in box.spans]
        encoded: dict[Shape, bytes] = {}
        for place in _places(box, self.chunk):
            corner = [at * length - start for at, length, start in zip(place, self.chunk, starts, strict=True)]
            piece = pixels[tuple(slice(at, at + length) for at, length in zip(corner, self.chunk, strict=True))]
            encoded[place] = compressed(piece, self.chunk)
        if self.version == "0.4":
            yield from ((chunk_key(self.level, place, "0.4"), data) for place, data in encoded.items())
            return
        origin = [start // length for start, length in zip(starts, self.chunk, strict=True)]
        counts = [range(at, at + b // c) for at, b, c in zip(origin, self.brick, self.chunk, strict=True)]
        inner = [encoded.get((t, c, z, y, x)) for t, c, z, y, x in itertools.product(*counts)]
        (key,) = self.keys(box)
        yield key, shard_bytes(inner)


def chunk_key(level: int, place: Sequence[int], version: Version) -> str:
    """Return the key of a chunk (or shard) by its place in the grid of them."""
    inner = "/".join(map(str, place))
    return f"{level}/c/{inner}" if version == "0.5" else f"{level}/{inner}"


def served_chunks(levels: Sequence[PyramidLevel]) -> list[Shape]:
    """Return the shape of the chunks of each level as it is served: part of one plane."""
    return [(1, 1, _thickness(levels, level), *_sides(level.shape, PLANE_CHUNK)) for level in levels]


def _thickness(levels: Sequence[PyramidLevel], level: PyramidLevel) -> int:
    """Return how many slices a chunk of planes holds: one, but an xz scan has its planes along Z."""
    _, _, z, y, _ = levels[level.source].shape
    return min(PLANE_CHUNK, z) if y == 1 else 1


def _sides(shape: Shape, widest: int) -> tuple[int, int]:
    return min(widest, shape[3]), min(widest, shape[4])


def written_layouts(
    metadata: ImageMetadata, levels: Sequence[PyramidLevel], version: Version
) -> tuple[ArrayLayout, ...]:
    """Return how each level is written.

    Chunks are parts of one plane, or cubes where an image is a volume (see ``is_volume``). Bricks are as deep along Z
    as fits the memory for one; virtual levels are as deep as the level they are made of.
    """
    dtype = np.dtype(metadata.dtype)
    volume = is_volume(metadata)
    widest = VOLUME_CHUNK if volume else PLANE_CHUNK
    most = (VOLUME_BRICK if volume else PLANE_BRICK) // widest
    made = []
    for number, level in enumerate(levels):
        z, y, x = level.shape[2:]
        thick = min(VOLUME_CHUNK, z) if volume else _thickness(levels, level)
        chunk = (1, 1, thick, *_sides(level.shape, widest))
        sides = [length * min(most, -(-whole // length)) for whole, length in zip((y, x), chunk[3:], strict=True)]
        source = levels[level.source].shape
        most_thick = 1 if volume else max(1, _depth(source, dtype.itemsize * metadata.samples) // thick)
        depth = thick * min(most_thick, -(-z // thick))
        made.append(ArrayLayout(number, level.shape, chunk, (1, 1, depth, sides[0], sides[1]), dtype, version))
    return tuple(made)


def is_volume(metadata: ImageMetadata) -> bool:
    """Return whether an image is looked at from all sides.

    It is deep, and its slices are no more than twice as far apart as its pixels, as in a tomogram.
    """
    z, x = metadata.pixel_size_z, metadata.pixel_size_x
    return (
        metadata.size_z >= VOLUME_CHUNK
        and z is not None
        and x is not None
        and z.micrometers <= 2 * x.micrometers
        and metadata.samples == 1
    )


def piece_steps(base: ArrayLayout, levels: Sequence[PyramidLevel], samples: int) -> int:
    """Return how many virtual levels are made along with a piece of the level they are made of.

    A piece is ``2 ** steps`` bricks wide and high, so that it holds whole bricks of each of these levels.
    """
    virtual = max(level.halvings for level in levels)
    side = max(base.brick[3:])
    depth, (height, width) = base.brick[2], base.shape[3:]
    steps = 0
    while steps < virtual and (1 << (steps + 1)) <= side:
        high, wide = (min(length, side << (steps + 1)) for length in (height, width))
        if depth * high * wide * base.dtype.itemsize * samples > 3 * REDUCED_BYTES:
            break
        steps += 1
    return steps


def boxes(shape: Shape, size: Sequence[int]) -> Iterator[Region]:
    """Yield the boxes of a size that cover a shape, cut at its edges, in C order."""
    yield from boxes_of(Region().resolve(shape), size)


def boxes_of(box: Region, size: Sequence[int]) -> Iterator[Region]:
    """Yield the boxes of a size that cover a box, cut at its edges, in C order."""
    spans = [_spans(span, length) for span, length in zip(box.spans, size, strict=True)]
    for t, c, z, y, x in itertools.product(*spans):
        yield Region(t, c, z, y, x)


def _spans(span: Span, length: int) -> list[Span]:
    return [(start, min(start + length, span[1])) for start in range(span[0], span[1], length)]


def _places(box: Region, size: Sequence[int]) -> Iterator[Shape]:
    """Yield the places, in the grid of this size, of what covers a box."""
    ranges = [range(start // length, -(-stop // length)) for (start, stop), length in zip(box.spans, size, strict=True)]
    yield from itertools.product(*ranges)


def _depth(shape: Shape, pixel_bytes: int) -> int:
    """Return how many planes of a level a brick holds."""
    brick = math.prod(min(PLANE_BRICK, length) for length in shape[3:]) * pixel_bytes
    reduced = math.prod(min(WIDEST_PIECE, length) for length in shape[3:]) * pixel_bytes // 3
    return max(1, min(BRICK_BYTES // brick, REDUCED_BYTES // max(1, reduced)))
