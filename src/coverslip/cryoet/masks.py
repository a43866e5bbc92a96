"""Volumes of labels or probabilities -> masks: 1 where an object is, or one number per object.

A mask is an image itself and is computed when it is read, a plane at a time: what it costs does not depend on how many
planes there are. Whoever opened the volume (MRC, OME-Zarr or any other format) hands it in as something that can be
read.

Where the size changes, voxels keep their share of the volume: a voxel of the result is made of the voxels that it
overlaps. A label is there where any of it is; a probability is the mean, by volume, before it is compared with the
threshold; of instances the one at the centre counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import InvalidRequestError, ReadError, RegionError
from coverslip.model import CanRead, ImageMetadata, Level, PhysicalSize, Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[Any]

MOST_LABEL = 65_535
"""The largest number of an instance: masks of instances are uint16, which MRC can hold."""
MOST_SIDE = 1 << 17
Size = tuple[int, int, int]
"""Z, Y, X."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A mask that can be read; only level 0 is there."""

    metadata: ImageMetadata
    """``int8`` for a mask of one object, ``uint16`` for one of instances; the voxel size follows the size."""
    _source: CanRead
    _plane: "Callable[[CanRead, Region], Plane]"

    def read(self, level: int, region: Region) -> "Plane":
        """Return a box: shape 1, 1, Z, Y, X.

        Raises
        ------
        RegionError
            It lies outside the mask.
        ReadError
            The volume does not give its voxels, or they are no labels.
        """
        if level:
            raise RegionError(f"a mask has level 0 only, not {level}")
        box = region.resolve(self.metadata.shape)
        out: Plane = np.empty(box.shape, self.metadata.dtype)
        for n, z in enumerate(range(*box.spans[2])):
            out[0, 0, n] = self._plane(self._source, Region(z=(z, z + 1), y=box.spans[3], x=box.spans[4]))
        return out


def semantic_mask(
    source: CanRead, *, mask_label: int = 1, threshold: float | None = None, size: Size | None = None
) -> Mask:
    """Return the mask of one object: 1 where it is, 0 elsewhere, int8.

    Parameters
    ----------
    source
        A volume with one time point and one channel.
    mask_label
        The number that the object has in the volume.
    threshold
        Instead: the object is where the volume is this or more.
    size
        Z, Y, X of the mask; that of the volume where it is left away.

    Raises
    ------
    InvalidRequestError
        Label and threshold contradict each other, or the size makes no sense.
    ReadError
        The source is no single volume of numbers.
    """
    if threshold is not None and (mask_label != 1 or not np.isfinite(threshold)):
        raise InvalidRequestError("a mask is made with a label or with a threshold, which is a finite number")
    shape, wanted = _sizes(source, size)

    def plane(volume: CanRead, box: Region) -> "Plane":
        # overlaps are whole numbers here: a mean is compared exactly, and 'any' is 'more than nothing'
        spans = _spans(box)
        weights = [_overlaps(span, n, m) for span, n, m in zip(spans, shape, wanted, strict=True)]
        total: Plane = np.zeros((len(weights[1][0]), len(weights[2][0])))
        for step in range(weights[0][0].shape[1]):
            index, share = int(weights[0][0][0, step]), float(weights[0][1][0, step])
            if share:
                values = _values(volume, index, weights[1:], mask_label, threshold)
                total = total + share * values
        least = float(shape[0]) * shape[1] * shape[2]
        reached: Plane = total >= (1 if threshold is None else threshold * least)
        return reached.astype(np.int8)

    return Mask(_described(source, shape, wanted, "int8"), source, plane)


def instance_mask(source: CanRead, *, size: Size | None = None) -> Mask:
    """Return the numbers of objects, 0 where there is none, uint16.

    Parameters
    ----------
    source
        A volume with one time point and one channel, of whole numbers up to 65,535.
    size
        Z, Y, X of the mask; that of the volume where it is left away.

    Raises
    ------
    InvalidRequestError
        The size makes no sense.
    ReadError
        The source is no single volume of numbers.
    """
    shape, wanted = _sizes(source, size)

    def plane(volume: CanRead, box: Region) -> "Plane":
        places = [
            (2 * np.arange(*span) + 1) * n // (2 * m) for span, n, m in zip(_spans(box), shape, wanted, strict=True)
        ]
        spans = [(int(place[0]), int(place[-1]) + 1) for place in places]
        values = _read(volume, Region(z=spans[0], y=spans[1], x=spans[2]))
        return _labels(values)[np.ix_(places[1] - spans[1][0], places[2] - spans[2][0])]

    return Mask(_described(source, shape, wanted, "uint16"), source, plane)


def planes(mask: CanRead) -> "Iterator[Plane]":
    """Yield the planes of a mask or a volume, shape Y, X, from the first."""
    for z in range(mask.metadata.size_z):
        yield mask.read(0, Region.at_plane(z=z))[0, 0, 0]


def is_empty(mask: CanRead) -> bool:
    """Return whether no voxel of a mask is set; stops at the first plane that has one."""
    return not any(plane.any() for plane in planes(mask))


def labels_of(mask: CanRead) -> tuple[int, ...]:
    """Return the numbers of the objects in a mask of instances, smallest first, without 0."""
    there = np.zeros(MOST_LABEL + 1, bool)
    for plane in planes(mask):
        there[plane] = True
    return tuple(int(number) for number in np.flatnonzero(there) if number)


def _sizes(source: CanRead, size: Size | None) -> tuple[Size, Size]:
    """Return Z, Y, X of the volume and of the mask."""
    meta = source.metadata
    if meta.size_t != 1 or meta.size_c != 1 or meta.samples != 1 or np.dtype(meta.dtype).kind not in "biuf":
        raise ReadError(f"{meta.name}: a mask is made of one volume of numbers, not of {meta.shape} {meta.dtype}")
    shape = (meta.size_z, meta.size_y, meta.size_x)
    if size is not None and not all(type(length) is int and 0 < length <= MOST_SIDE for length in size):
        raise InvalidRequestError(f"size: expected Z, Y, X from 1 to {MOST_SIDE:,}, found {size!r}")
    return shape, shape if size is None else size


def _described(source: CanRead, shape: Size, wanted: Size, dtype: str) -> ImageMetadata:
    meta = source.metadata
    known = (meta.pixel_size_z, meta.pixel_size_y, meta.pixel_size_x)
    z, y, x = (
        None if each is None else PhysicalSize(value=each.value * n / m, unit=each.unit)
        for each, n, m in zip(known, shape, wanted, strict=True)
    )
    return ImageMetadata(
        name=meta.name,
        file_format=meta.file_format,
        size_z=wanted[0],
        size_y=wanted[1],
        size_x=wanted[2],
        dtype=dtype,
        levels=(Level(size_z=wanted[0], size_y=wanted[1], size_x=wanted[2]),),
        pixel_size_z=z,
        pixel_size_y=y,
        pixel_size_x=x,
    )


def _spans(box: Region) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    assert box.z is not None
    assert box.y is not None
    assert box.x is not None
    return box.z, box.y, box.x


def _overlaps(span: tuple[int, int], n: int, m: int) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
    """Return which of n voxels each of a span of m voxels overlaps, and by how much.

    With ``1 / (n m)`` of the length as unit, the first are m long and the second n, so all overlaps are whole numbers.

    Returns
    -------
    tuple
        Indices and overlaps, both of shape (voxels of the span, most that one overlaps); an overlap may be 0. The
        overlaps of a voxel add up to n.
    """
    starts = np.arange(*span, dtype=np.int64) * n
    first = starts // m
    steps = np.arange((n + m - 2) // m + 1 if n % m else n // m)
    index = first[:, None] + steps
    overlap = np.minimum(starts[:, None] + n, (index + 1) * m) - np.maximum(starts[:, None], index * m)
    return np.minimum(index, n - 1), np.clip(overlap, 0, None).astype(np.float64)


def _values(
    volume: CanRead,
    z: int,
    weights: "list[tuple[NDArray[np.int64], NDArray[np.float64]]]",
    label: int,
    threshold: float | None,
) -> "NDArray[np.float64]":
    """Return one plane of the volume in the size of the mask, each voxel the sum of what it overlaps."""
    (rows, heights), (columns, widths) = weights
    top, left = int(rows.min()), int(columns.min())
    box = Region(z=(z, z + 1), y=(top, int(rows.max()) + 1), x=(left, int(columns.max()) + 1))
    values = _read(volume, box)
    values = _is_label(values, label) if threshold is None else values.astype(np.float64)
    tall = sum(heights[:, n, None] * values[rows[:, n] - top] for n in range(rows.shape[1]))
    wide = sum(widths[:, n] * np.asarray(tall)[:, columns[:, n] - left] for n in range(columns.shape[1]))
    return np.asarray(wide)


def _read(volume: CanRead, box: Region) -> "Plane":
    """Return one plane of finite numbers, shape Y, X."""
    values: Plane = volume.read(0, box.resolve(volume.metadata.shape))[0, 0, 0]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ReadError(f"{volume.metadata.name}: plane {box.z} holds what is no finite number")
    return values


def _is_label(values: "Plane", label: int) -> "NDArray[np.float64]":
    """Return 1.0 where a label is; labels above 127 in an 8-bit MRC are stored as negative numbers."""
    if values.dtype == np.int8 and 127 < label < 256:
        label -= 256
    there: Plane = values == label
    return there.astype(np.float64)


def _labels(values: "Plane") -> "NDArray[np.uint16]":
    """Return labels as uint16.

    Raises
    ------
    ReadError
        One is no whole number from 0 to 65,535.
    """
    if values.dtype == np.int8:
        values = values.view(np.uint8)
    if values.dtype.kind == "b":
        return values.astype(np.uint16)
    if values.min() < 0 or values.max() > MOST_LABEL or (values.dtype.kind == "f" and (values % 1).any()):
        raise ReadError(f"a mask of instances holds whole numbers from 0 to {MOST_LABEL:,}; this one has others")
    return values.astype(np.uint16)
