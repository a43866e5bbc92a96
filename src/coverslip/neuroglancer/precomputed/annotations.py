"""Points and lines with their properties -> precomputed annotations.

Which files they become is said in ``annotation_files``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer.precomputed.annotation_files import Property, annotation_files
from coverslip.neuroglancer.precomputed.values import Files, colors, matrices, numbers, triples, voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LIMIT = 10_000
"""Annotations that one cell of the spatial index should show at most: an annotation of up to as many has one level."""
MOST_NAMES = 1 << 16


def point_annotations(
    coordinates: "ArrayLike",
    *,
    voxel_size: "ArrayLike",
    names: str | Sequence[str] = "",
    diameter: "ArrayLike" = 100.0,
    color: "str | ArrayLike" = "#ffffff",
    instance_ids: "ArrayLike | None" = None,
    bounds: "ArrayLike | None" = None,
    is_sharded: bool = True,
    limit: int = LIMIT,
) -> Files:
    """Return points as precomputed annotations.

    Their properties are ``point_index``, ``instance_id`` (where there are any), ``diameter`` in nanometres, ``name``
    and ``color``.

    Parameters
    ----------
    coordinates
        Shape (n, 3): x, y, z in voxels.
    voxel_size
        Angstrom: one number, or x, y, z.
    names
        What the points show, one for all or one for each.
    diameter
        Angstrom: one for all or one for each.
    color
        ``#rrggbb``, or shape (3,) or (n, 3), uint8.
    instance_ids
        Shape (n,): which points belong together.
    bounds
        Shape (2, 3): where the volume begins and ends, in voxels. The space that is divided into cells; it grows to
        hold every point, and fits the points where it is left away.
    is_sharded
        Whether each index is one file; otherwise each annotation and each cell is one.
    limit
        Annotations that one cell of the spatial index shows.

    Raises
    ------
    InvalidRequestError
        Shapes or values make no sense.
    """
    points = triples(coordinates, "coordinates")
    properties = _common(len(points), names, diameter, instance_ids)
    properties.append(Property("color", "rgb", colors(color, len(points))))
    return annotation_files(
        "POINT", points[:, None], properties, voxel_size, bounds, is_sharded=is_sharded, limit=limit
    )


def oriented_annotations(
    coordinates: "ArrayLike",
    rotations: "ArrayLike",
    *,
    voxel_size: "ArrayLike",
    names: str | Sequence[str] = "",
    diameter: "ArrayLike" = 100.0,
    color: "str | ArrayLike" = "#ffffff",
    instance_ids: "ArrayLike | None" = None,
    bounds: "ArrayLike | None" = None,
    is_sharded: bool = True,
    limit: int = LIMIT,
) -> Files:
    """Return oriented points as precomputed annotations: three lines each, along the axes of the particle.

    The lines of a point follow each other: x red, y green and z blue, from the point outwards, 1.5 diameters long.
    Their properties are those of ``point_annotations`` with ``point_color`` in place of ``color``, and
    ``line_color``; ``point_index`` counts points, not lines.

    Parameters
    ----------
    coordinates, voxel_size, names, diameter, color, instance_ids, bounds, is_sharded, limit
        As for ``point_annotations``.
    rotations
        Shape (n, 3, 3): each takes the axes of the particle to those of the tomogram; its columns are where they point.

    Raises
    ------
    InvalidRequestError
        Shapes or values make no sense.
    """
    points = triples(coordinates, "coordinates")
    turned = matrices(rotations, len(points))
    lengths = 1.5 * numbers(diameter, len(points), "diameter")[:, None, None] / voxel_sizes(voxel_size)
    ends = points[:, None] + np.swapaxes(turned, 1, 2) * lengths
    lines = np.stack((np.repeat(points, 3, axis=0), ends.reshape(-1, 3)), axis=1)
    properties = [
        Property(one.id, one.type, np.repeat(one.values, 3, axis=0), one.description, one.labels)
        for one in (
            *_common(len(points), names, diameter, instance_ids),
            Property("point_color", "rgb", colors(color, len(points))),
        )
    ]
    axes = np.tile(np.eye(3, dtype=np.uint8) * np.uint8(255), (len(points), 1))
    properties.append(Property("line_color", "rgb", axes))
    return annotation_files("LINE", lines, properties, voxel_size, bounds, is_sharded=is_sharded, limit=limit)


def line_annotations(
    starts: "ArrayLike",
    ends: "ArrayLike",
    *,
    voxel_size: "ArrayLike",
    properties: Sequence[Property] = (),
    bounds: "ArrayLike | None" = None,
    is_sharded: bool = True,
    limit: int = LIMIT,
) -> Files:
    """Return lines as precomputed annotations.

    Parameters
    ----------
    starts, ends
        Shape (n, 3): x, y, z in voxels.
    voxel_size, bounds, is_sharded, limit
        As for ``point_annotations``.
    properties
        Values of each line.

    Raises
    ------
    InvalidRequestError
        Shapes or values make no sense.
    """
    first, last = triples(starts, "starts"), triples(ends, "ends")
    if first.shape != last.shape:
        raise InvalidRequestError(f"{len(first)} lines begin and {len(last)} end")
    lines = np.stack((first, last), axis=1)
    return annotation_files("LINE", lines, properties, voxel_size, bounds, is_sharded=is_sharded, limit=limit)


def polygon_lines(corners: "ArrayLike") -> "tuple[Floats, Floats]":
    """Return the starts and ends of the sides of a closed polygon.

    Parameters
    ----------
    corners
        Shape (n, 3): x, y, z; the last is joined with the first.
    """
    around = triples(corners, "corners")
    return around, np.roll(around, -1, axis=0)


def _common(
    count: int, names: str | Sequence[str], diameter: "ArrayLike", instance_ids: "ArrayLike | None"
) -> list[Property]:
    properties = [Property("point_index", "uint32", np.arange(count, dtype=np.uint32))]
    if instance_ids is not None:
        found = np.asarray(instance_ids)
        is_whole = found.dtype.kind in "iu" and found.shape == (count,)
        if not is_whole or (count and (found.min() < 0 or found.max() >= 1 << 32)):
            raise InvalidRequestError(f"instance ids are {count} whole numbers of 32 bits")
        properties.append(Property("instance_id", "uint32", found.astype(np.uint32)))
    nanometers = numbers(diameter, count, "diameter") / 10
    properties.append(Property("diameter", "float32", nanometers, "nanometres"))
    labels: tuple[str, ...]
    if isinstance(names, str):
        labels, which = (names,), np.zeros(count, np.int64)
    else:
        unique, which = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
        labels = tuple(str(name) for name in unique)
    if len(which) != count or len(labels) > MOST_NAMES:
        raise InvalidRequestError(f"there are {count} points with {len(which)} names, of which {len(labels)} differ")
    properties.append(Property("name", "uint8" if len(labels) <= 256 else "uint16", which, labels=labels))
    return properties
