"""Label volumes -> triangles around each label, by surface nets.

Where two voxels differ, a quad lies between them; its corners are the means of the points where the surface crosses the
edges of a cube of eight voxels (Gibson, "Constrained elastic surface nets", 1998, without the relaxing). Every label is
closed by itself, touching or not.
"""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coverslip.errors import InvalidRequestError
from coverslip.model import CanRead
from coverslip.neuroglancer.precomputed.values import voxel_sizes
from coverslip.neuroglancer.precomputed.volumes import HELD_VOXELS, check_labels, read_slab, scaled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Labels = NDArray[np.uint32]

MOST_QUADS = 4_000_000
"""Quads of all labels together; a volume that has more is read with steps of twice as many voxels."""
SLAB = 32
"""Planes that are looked at together, where they are small."""
LIFTS = ((0, -1, -1), (0, 0, -1), (0, -1, 0))
"""What leads from an index among neighbours along z, y or x to the voxel above; rows and columns begin with a 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    """A mesh."""

    vertices: "Floats"
    """Shape (n, 3): x, y, z."""
    faces: "Ints"
    """Shape (m, 3): indices of vertices, counter-clockwise as seen from outside."""


def surfaces(
    source: CanRead, *, voxel_size: "ArrayLike", labels: Collection[int] | None = None, most_quads: int = MOST_QUADS
) -> dict[int, Triangles]:
    """Return the surface of each label, in angstrom.

    The first voxel lies between 0 and one voxel size, as in a precomputed volume.

    Parameters
    ----------
    source
        One time point, one channel, whole numbers from 0 to 2**32 - 1; 0 has no surface.
    voxel_size
        Angstrom: one number, or x, y, z.
    labels
        The labels to go round; all where it is left away.
    most_quads
        Quads that the surfaces have together at most; where there are more, only every second voxel counts, and so on.

    Raises
    ------
    InvalidRequestError
        The source holds no labels, or the voxel size makes no sense.
    ReadError
        The source does not give its voxels.
    """
    size = voxel_sizes(voxel_size)
    check_labels(source)
    if most_quads < 1:
        raise InvalidRequestError(f"surfaces have at least one quad, not {most_quads}")
    wanted = None if labels is None else np.array(sorted(labels), np.uint32)
    step = 1
    while (found := _quads(source, step, wanted, most_quads)) is None:
        step *= 2
    inside, crossings, axes = found
    shape = scaled(source, step)
    order = np.argsort(inside, kind="stable")
    bounds = np.flatnonzero(np.diff(inside[order], prepend=0)) if len(order) else order
    made = {}
    for first, last in itertools.pairwise((*bounds, len(order))):
        chosen = order[first:last]
        net = _net(crossings[chosen], axes[chosen], shape)
        made[int(inside[chosen[0]])] = Triangles(net.vertices * step * size, net.faces)
    return made


def _quads(
    source: CanRead, step: int, wanted: "Labels | None", most: int
) -> "tuple[Labels, Ints, NDArray[np.int8]] | None":
    """Return the label, the place and the direction of every quad; ``None`` if there are more than may be.

    The place is that of the voxel above the quad: z, y, x. The direction is the axis (0 for z) plus 1, negative where
    the inside is above.
    """
    parts = [(np.empty(0, np.uint32), np.empty((0, 3), np.int64), np.empty(0, np.int8))]
    count = 0
    for start, slab in _padded_slabs(source, step, wanted):
        for axis in range(3):
            below, above = _neighbours(slab, axis)
            places = np.argwhere(below != above)
            before, after = below[tuple(places.T)], above[tuple(places.T)]
            lifted = places + np.array(LIFTS[axis]) + np.array([start, 0, 0])
            for sign, label in ((1, before), (-1, after)):
                is_inside = label > 0
                way = np.full(int(is_inside.sum()), sign * (axis + 1), np.int8)
                parts.append((label[is_inside], lifted[is_inside], way))
                count += len(way)
        if count > most and max(scaled(source, step)) > 1:
            return None
    labels, places, ways = (np.concatenate(column) for column in zip(*parts, strict=True))
    return labels, places, ways


def _padded_slabs(source: CanRead, step: int, wanted: "Labels | None") -> "Iterator[tuple[int, Labels]]":
    """Yield the first plane of each slab, and the slab with the plane before it and 0 around the volume."""
    depth, height, width = scaled(source, step)
    planes = max(1, min(SLAB, HELD_VOXELS // (height * width * 4)))
    before = np.zeros((1, height, width), np.uint32)
    for start in range(0, depth + 1, planes):
        stop = min(start + planes, depth)
        slab = read_slab(source, step, (start, stop), (0, height)) if stop > start else before[:0]
        if wanted is not None:
            slab = np.where(np.isin(slab, wanted), slab, np.uint32(0))
        behind = [np.zeros_like(before)] if start + planes > depth else []
        together = np.concatenate((before, slab, *behind))
        yield start, np.pad(together, ((0, 0), (1, 1), (1, 1)))
        before = together[-1:]


def _neighbours(slab: "Labels", axis: int) -> "tuple[Labels, Labels]":
    """Return each voxel and the next one along an axis; across planes, the last one of the slab before too."""
    own = slab if axis == 0 else slab[1:]
    if axis == 0:
        return own[:-1], own[1:]
    if axis == 1:
        return own[:, :-1], own[:, 1:]
    return own[:, :, :-1], own[:, :, 1:]


def _net(places: "Ints", ways: "NDArray[np.int8]", shape: tuple[int, int, int]) -> Triangles:
    """Return the surface of one label, in voxels."""
    axis = np.abs(ways.astype(np.int64)) - 1
    around = np.array([[1, 2], [2, 0], [0, 1]])[axis]  # of z: y, x, and so on
    rows = np.arange(len(places))
    centres = places + 0.5
    centres[rows, axis] -= 0.5
    corners = np.repeat(places[:, None], 4, axis=1)
    for corner, (first, second) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        corners[rows, corner, around[:, 0]] += first
        corners[rows, corner, around[:, 1]] += second
    lengths = tuple(length + 1 for length in shape)
    codes, quads = np.unique(np.ravel_multi_index(tuple(corners.reshape(-1, 3).T), lengths), return_inverse=True)
    counts = np.bincount(quads, minlength=len(codes))
    weights = np.repeat(centres, 4, axis=0)
    vertices = np.stack([np.bincount(quads, weights[:, n], len(codes)) / counts for n in (2, 1, 0)], axis=1)
    sides = quads.reshape(-1, 4)
    # z, y, x is left-handed where x, y, z is right-handed: corners go round the other way
    sides = np.where((ways > 0)[:, None], sides[:, ::-1], sides)
    return Triangles(vertices, np.concatenate((sides[:, [0, 1, 2]], sides[:, [0, 2, 3]])))
