"""Images as arrays that read themselves: for dask and xarray."""

import importlib
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import MissingDependencyError, ReadError, RegionError
from coverslip.model import ImageMetadata, Region

if TYPE_CHECKING:
    import dask.array
    import xarray

    from coverslip.model.protocols import Array
    from coverslip.readers.image import Image, ImageFile

WHOLE_PLANE = 16 << 20
"""Planes up to this many pixels are one chunk."""

TILE = 2048
"""Chunks of larger planes are squares of this side."""

EXTRA = "coverslip[dask]"


class LazyPixels:
    """One level of one image, of shape T, C, Z, Y, X (and S), that opens the file when pixels are first asked for.

    It has a handle of its own, closed when nobody refers to it any more, so it does not matter whether the file it was
    made from is still open. Safe from any number of threads, and can be sent to other processes.
    """

    def __init__(
        self,
        reopen: "Callable[[Path], ImageFile]",
        path: Path,
        index: int,
        level: int,
        metadata: ImageMetadata,
        *,
        label: int | None = None,
    ) -> None:
        if not 0 <= level < len(metadata.levels):
            raise RegionError(f"{path}: level {level} does not exist; there are {len(metadata.levels)}")
        self._recipe = reopen, path, index, level, metadata
        self._label = label
        self._lock = threading.Lock()
        self._image: Image | None = None
        self.shape = metadata.level_shape(level)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(metadata.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), label=self._label), self._recipe

    def __getitem__(self, key: Any) -> "Array":
        """Return pixels for integers and slices, as NumPy does; only what they enclose is read.

        Raises
        ------
        ReadError
            The file does not give these pixels, or is another one by now.
        """
        keys = _spelled_out(key, self.ndim)
        spans, rest = [], []
        for one, length in zip(keys, self.shape, strict=True):
            span, inside = _enclosed(one, length)
            spans.append(span)
            rest.append(inside)
        if any(start >= stop for start, stop in spans[:5]):
            nothing: Array = np.empty([stop - start for start, stop in spans], self.dtype)
            return nothing[(*rest, ...)]
        # colour samples are never cut while reading
        box = Region(*spans[:5])
        pixels: Array = self.opened().read(self._recipe[3], box)[(*rest[:5], *keys[5:])]
        return pixels

    def opened(self) -> "Image":
        """Return the image, opening its file the first time.

        Raises
        ------
        ReadError
            The file cannot be opened, or is another one by now.
        """
        with self._lock:
            if self._image is None:
                reopen, path, index, _, metadata = self._recipe
                file = reopen(path)
                images = file.images[index : index + 1]
                if self._label is not None:
                    images = images[0].labels[self._label : self._label + 1] if images else ()
                found = images[0].metadata if images else None
                if found is None or (found.shape, found.dtype) != (metadata.shape, metadata.dtype):
                    file.close()
                    raise ReadError(f"{path}: the file has changed since it was opened. Open it again")
                weakref.finalize(self, file.close)
                self._image = images[0]
            return self._image


class LazyImage:
    """An image that opens its file when pixels are first asked for, and reads every level and region of it."""

    def __init__(self, pixels: LazyPixels, metadata: ImageMetadata) -> None:
        self._pixels = pixels
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a region: shape T, C, Z, Y, X (and S).

        Raises
        ------
        ReadError
            The file does not give these pixels, or is another one by now.
        """
        return self._pixels.opened().read(level, region)


def to_dask(pixels: LazyPixels) -> "dask.array.Array":
    """Return a lazy array of the same shape: a plane is a chunk, a large one many.

    Raises
    ------
    MissingDependencyError
        dask is not installed.
    """
    array = _needed("dask.array")
    planes = pixels.shape[3:5]
    sides = planes if planes[0] * planes[1] <= WHOLE_PLANE else tuple(min(TILE, length) for length in planes)
    chunks = (1, 1, 1, *sides, *pixels.shape[5:])
    meta = np.empty((0,) * pixels.ndim, pixels.dtype)
    lazy: dask.array.Array = array.from_array(
        pixels, chunks=chunks, name=False, asarray=False, fancy=False, meta=meta, lock=False
    )
    return lazy


def to_xarray(pixels: LazyPixels, metadata: ImageMetadata, level: int) -> "xarray.DataArray":
    """Return a lazy array with named axes; the coordinates are those of pixel centres, 0 at the first one of level 0.

    Raises
    ------
    MissingDependencyError
        dask or xarray is not installed.
    """
    data = to_dask(pixels)
    axes = metadata.axes
    coords: dict[str, Any] = {"C": ("C", [channel.name for channel in metadata.channels])}
    if metadata.time_increment_s is not None:
        coords["T"] = ("T", np.arange(metadata.size_t) * metadata.time_increment_s, {"units": "s"})
    for axis, size in zip("XYZ", metadata.get_voxel_size_micrometers(), strict=True):
        if size is not None:
            place = axes.index(axis)
            step = metadata.shape[place] / pixels.shape[place]
            centres = ((np.arange(pixels.shape[place]) + 0.5) * step - 0.5) * size
            coords[axis] = (axis, centres, {"units": "um"})
    if metadata.samples in {3, 4}:
        coords["S"] = ("S", list("RGBA"[: metadata.samples]))
    attrs = {"file_format": metadata.file_format, "level": level}
    labelled: xarray.DataArray = _needed("xarray").DataArray(
        data, dims=tuple(axes), coords=coords, name=metadata.name, attrs=attrs
    )
    return labelled


def _needed(module: str) -> ModuleType:
    """Import an optional package.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f'lazy arrays need the package {package!r}. Install it: pip install "{EXTRA}"', EXTRA
        ) from error


def _spelled_out(key: Any, ndim: int) -> list[Any]:
    """Return one integer or slice for each axis."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if ... in keys:
        at = keys.index(...)
        keys[at : at + 1] = [slice(None)] * (ndim - len(keys) + 1)
    return keys + [slice(None)] * (ndim - len(keys))


def _enclosed(key: Any, length: int) -> tuple[tuple[int, int], Any]:
    """Return the span that an integer or slice lies in, and the same within that span."""
    if not isinstance(key, slice):
        at = range(length)[key]
        return (at, at + 1), 0
    chosen = range(length)[key]
    if not chosen:
        return (0, 0), slice(0, 0)
    first, last = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return (first, last + 1), slice(None, None, chosen.step)
