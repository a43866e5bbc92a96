"""Masks and label volumes -> precomputed volumes of ``compressed_segmentation``, with what is known of the segments.

The formats are described in ``volume.md`` and ``segment_properties.md`` in ``src/datasource/precomputed`` of
Neuroglancer.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import InvalidRequestError
from coverslip.model import CanRead, Region
from coverslip.model.regions import Span
from coverslip.neuroglancer.precomputed.compressed import SIDE as BLOCK
from coverslip.neuroglancer.precomputed.compressed import compress
from coverslip.neuroglancer.precomputed.sharding import SHARD, Sharding, morton, shard
from coverslip.neuroglancer.precomputed.values import Files, to_json, voxel_sizes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Labels = NDArray[np.uint32]

SIDE = 64
"""Voxels of a chunk along each axis."""
MOST_SCALES = 8
READ_VOXELS = 1 << 25
"""Voxels of the source that are read at a time: chunks of its file are not decompressed once for each plane."""
HELD_VOXELS = 1 << 26
"""Voxels that are held at a time, four bytes each: a row of chunks, or as many rows as that."""
NUMBERS = {"u1": "uint8", "i1": "int8", "u2": "uint16", "i2": "int16", "u4": "uint32", "i4": "int32"}


def segmentation(
    source: CanRead,
    *,
    voxel_size: "ArrayLike",
    scales: int = 1,
    properties: Files | None = None,
    meshes: Files | None = None,
) -> Files:
    """Return a mask or a label volume as a precomputed segmentation.

    It is read some rows of chunks at a time, once for each scale. Chunks without a label are left out: a client takes
    them for 0.

    Parameters
    ----------
    source
        One time point, one channel, whole numbers from 0 to 2**32 - 1.
    voxel_size
        Angstrom: one number, or x, y, z.
    scales
        How many resolutions; each has half as many voxels along each axis, every second one of the one before.
    properties
        What ``segment_properties`` made.
    meshes
        What ``meshes`` made, in the space of the volume: its first voxel lies between 0 and one voxel size.

    Raises
    ------
    InvalidRequestError
        The source holds no labels, or the sizes make no sense.
    ReadError
        The source does not give its voxels.
    """
    size = voxel_sizes(voxel_size) / 10
    check_labels(source)
    if not 1 <= scales <= MOST_SCALES:
        raise InvalidRequestError(f"a segmentation has 1 to {MOST_SCALES} scales, not {scales}")
    info: dict[str, Any] = {
        "@type": "neuroglancer_multiscale_volume",
        "type": "segmentation",
        "data_type": "uint32",
        "num_channels": 1,
        "scales": [],
    }
    files: Files = {}
    for scale in range(scales):
        step = 1 << scale
        shape = scaled(source, step)
        grid = tuple(-(-length // SIDE) for length in reversed(shape))
        sharding = Sharding.of(int(np.prod(grid)), "gzip")
        chunks = {code: sharding.encode(compress(chunk)) for code, chunk in _chunks(source, step, grid)}
        files[f"{scale}/{SHARD}"] = shard(chunks, sharding)
        info["scales"].append(
            {
                "key": str(scale),
                "size": list(reversed(shape)),
                "resolution": [float(f"{one:.12g}") for one in size * step],
                "voxel_offset": [0, 0, 0],
                "chunk_sizes": [[SIDE] * 3],
                "encoding": "compressed_segmentation",
                "compressed_segmentation_block_size": [BLOCK] * 3,
                "sharding": sharding.to_json(),
            }
        )
    for key, folder, members in (("mesh", "mesh", meshes), ("segment_properties", "segment_properties", properties)):
        if members:
            info[key] = folder
            files |= {f"{folder}/{name}": content for name, content in members.items()}
    return {"info": to_json(info), **files}


def segment_properties(
    ids: Sequence[int],
    *,
    labels: Sequence[str] = (),
    descriptions: Sequence[str] = (),
    colors: Sequence[str] = (),
    numbers: "Mapping[str, ArrayLike] | None" = None,
) -> Files:
    """Return what is known of segments, all in one ``info``.

    Parameters
    ----------
    ids
        Their labels in the volume.
    labels, descriptions, colors
        One text for each segment, or nothing. Colours are shown as text; what a layer paints is said by its state.
    numbers
        Columns of a table by name: one number for each segment. Whole numbers keep their type, others become float32.

    Raises
    ------
    InvalidRequestError
        A column has another length than there are segments, or holds what is no number.
    """
    texts = (("label", "label", labels), ("description", "description", descriptions), ("color", "string", colors))
    properties: list[dict[str, Any]] = [
        {"id": name, "type": kind, "values": [str(text) for text in values]} for name, kind, values in texts if values
    ]
    for name, column in (numbers or {}).items():
        values = np.asarray(column)
        if values.dtype.kind not in "biuf" or values.ndim != 1:
            raise InvalidRequestError(f"the column {name!r} holds something else than numbers")
        data_type = NUMBERS.get(_smallest(values), "float32")
        typed = values.astype(data_type)
        if data_type == "float32" and not np.isfinite(typed).all():
            raise InvalidRequestError(f"the column {name!r} holds a number that float32 has not")
        properties.append({"id": name, "type": "number", "data_type": data_type, "values": typed.tolist()})
    names = [one["id"] for one in properties]
    wrong = [one["id"] for one in properties if len(one["values"]) != len(ids)]
    if wrong or len(set(names)) < len(names):
        raise InvalidRequestError(f"{len(ids)} segments do not fit these columns: {', '.join(wrong or names)}")
    inline = {"ids": [str(int(number)) for number in ids], "properties": properties}
    return {"info": to_json({"@type": "neuroglancer_segment_properties", "inline": inline})}


def check_labels(source: CanRead) -> None:
    """Fail unless an image may be a volume of labels.

    Raises
    ------
    InvalidRequestError
        It has several channels or time points, or no whole numbers.
    """
    shape, dtype = source.metadata.shape, np.dtype(source.metadata.dtype)
    if shape[:2] != (1, 1) or len(shape) != 5:
        raise InvalidRequestError(f"labels have one time point and one channel; these have the shape {shape}")
    if dtype.kind not in "biu":
        raise InvalidRequestError(f"labels are whole numbers, not {dtype}")


def scaled(source: CanRead, step: int) -> tuple[int, int, int]:
    """Return how many voxels there are along z, y and x if every ``step``-th is taken."""
    z, y, x = (-(-length // step) for length in source.metadata.shape[2:5])
    return z, y, x


def read_slab(source: CanRead, step: int, planes: Span, rows: Span) -> "Labels":
    """Return a box of labels as wide as the volume, of which every ``step``-th voxel is taken along each axis.

    Parameters
    ----------
    source
        A volume of labels.
    step
        1 takes every voxel.
    planes, rows
        Half-open, among those that are taken.

    Returns
    -------
    numpy.ndarray
        Shape (z, y, x), uint32.

    Raises
    ------
    InvalidRequestError
        There is a voxel that is no label.
    ReadError
        The source does not give its voxels.
    """
    depth, height, width = source.metadata.shape[2:5]
    (first, last), (top, bottom) = planes, rows
    slab = np.empty((last - first, bottom - top, scaled(source, step)[2]), np.uint32)
    y = (top * step, min(bottom * step, height))
    many = max(1, READ_VOXELS // ((y[1] - y[0]) * width * step))
    for start in range(first, last, many):
        stop = min(start + many, last)
        region = Region(z=(start * step, min(stop * step, depth)), y=y)
        part = source.read(0, region)[0, 0, ::step, ::step, ::step]
        if part.dtype.kind == "i" or part.dtype.itemsize > 4:
            lowest, highest = int(part.min()), int(part.max())
            if lowest < 0 or highest >= 1 << 32:
                raise InvalidRequestError(f"labels are 0 to 2**32 - 1; from plane {start * step}: {lowest}, {highest}")
        slab[start - first : stop - first] = part
    return slab


def _chunks(source: CanRead, step: int, grid: tuple[int, ...]) -> "Iterator[tuple[int, Labels]]":
    """Yield the chunks that hold a label, with their numbers."""
    depth, height, width = scaled(source, step)
    high = max(1, HELD_VOXELS // (SIDE * SIDE * width))
    for z, first in itertools.product(range(grid[2]), range(0, grid[1], high)):
        planes = (z * SIDE, min((z + 1) * SIDE, depth))
        slab = read_slab(source, step, planes, (first * SIDE, min((first + high) * SIDE, height)))
        for y, x in itertools.product(range(min(high, grid[1] - first)), range(grid[0])):
            chunk = slab[:, y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE]
            if chunk.any():
                yield int(morton(np.array([[x, first + y, z]]), grid)[0]), chunk


def _smallest(values: "NDArray[Any]") -> str:
    """Return the kind and size of the smallest type that holds whole numbers; of others, their own."""
    if values.dtype.kind not in "biu" or not len(values):
        return values.dtype.str[1:]
    lowest, highest = int(values.min()), int(values.max())
    smallest: np.dtype[Any] = np.result_type(np.min_scalar_type(lowest), np.min_scalar_type(highest))
    return smallest.str[1:]
