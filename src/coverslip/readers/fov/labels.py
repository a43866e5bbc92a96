"""Masks as label images: whole numbers, 0 where there is nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, LabelsInfo, Region
from coverslip.readers.fov.folders import Plane
from coverslip.readers.image import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coverslip.model.protocols import Array

WHOLE = np.dtype(np.int32)
"""Type of labels that the file does not hold as whole numbers."""


class Labels:
    """A mask of a field of view.

    Parameters
    ----------
    mask
        Its name and file.
    stored
        Metadata of the image in the file.
    field
        Metadata of the field of view.
    image
        Gives the open image of the file.

    Raises
    ------
    ValueError
        It is no mask of this field; the message says why.
    """

    def __init__(self, mask: Plane, stored: ImageMetadata, field: ImageMetadata, image: Callable[[], Image]) -> None:
        if stored.shape != (1, 1, 1, field.size_y, field.size_x):
            raise ValueError(f"is {stored.shape}, the field of view is {field.size_y} by {field.size_x}")
        kind = np.dtype(stored.dtype).kind
        if kind not in "biuf":
            raise ValueError(f"has pixels of the type {stored.dtype}")
        self._image = image
        self._kind = kind
        self._whole: NDArray[np.int32] | None = None
        self.info = LabelsInfo(
            name=mask.name,
            dtype=WHOLE.name if kind in "bf" else stored.dtype,
            path=str(mask.path),
            note={
                "b": "a mask of true and false: pixels that touch, also at a corner, are one object, numbered by rows",
                "f": f"stored as {stored.dtype}, read as whole numbers",
            }.get(kind),
        )
        self.metadata = ImageMetadata(
            name=mask.name,
            file_format=stored.file_format,
            size_y=stored.size_y,
            size_x=stored.size_x,
            dtype=self.info.dtype,
            pixel_size_x=field.pixel_size_x,
            pixel_size_y=field.pixel_size_y,
            source_axes=stored.source_axes,
            note=self.info.note,
        )

    def read(self, level: int, region: Region) -> "Array":
        """Return the labels of a resolved region; there is only level 0."""
        if self._kind == "b":
            if self._whole is None:
                self._whole = numbered(self._image().plane())
            part: Array = self._whole[None, None, None][region.slices]
            return part
        pixels = self._image().read(level, region)
        return _whole_numbers(pixels) if self._kind == "f" else pixels


def numbered(mask: "NDArray[Any]") -> "NDArray[np.int32]":
    """Return the connected parts of a mask, numbered from 1 in the order of their first pixels, row by row.

    Parameters
    ----------
    mask
        Shape Y, X; true where something is. Pixels that touch at a corner are connected.

    Returns
    -------
    numpy.ndarray
        Shape Y, X; 0 where the mask is false.
    """
    import cv2  # noqa: PLC0415  # loaded on use, like every heavy library of a reader

    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    flat = labels.ravel()
    first = np.zeros(count, np.int64)
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)  # of equal places the last one stays: the first pixel
    first[0] = -1
    order = np.empty(count, np.int32)
    order[np.argsort(first)] = np.arange(count, dtype=np.int32)
    renamed: NDArray[np.int32] = order[labels]
    return renamed


def _whole_numbers(pixels: "NDArray[Any]") -> "NDArray[np.int32]":
    limits = np.iinfo(WHOLE)
    if not np.isfinite(pixels).all() or (pixels != np.round(pixels)).any() or np.abs(pixels).max() > limits.max:
        raise ReadError("the mask holds numbers that are not whole: they are no labels")
    return pixels.astype(WHOLE)
