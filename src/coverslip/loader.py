"""The async names that users of an image loader expect: a thin facade over opening and drawing.

``ImageLoader`` gives arrays of one image at one time point, of shape C, Z, Y, X (and S for colour samples);
``ThumbnailGenerator`` draws such arrays. Everything is done in a thread, so that an event loop is never blocked.
"""

import asyncio
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from coverslip import render
from coverslip.errors import InvalidRequestError, RegionError, StorageError
from coverslip.model import ImageMetadata, Region, RenderSpec
from coverslip.model.render import Axis, Contrast, MediaType
from coverslip.readers import Image, ImageFile, open_image
from coverslip.render.held import HeldImage, check_array

if TYPE_CHECKING:
    from coverslip.render.held import Pixels

ENDINGS: dict[str, MediaType] = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}


class ImageLoader:
    """Opens any supported file. Holds nothing, so one is enough for a whole program.

    Examples
    --------
    >>> data, metadata = await ImageLoader().load_image("sample.tif", lazy=True)  # doctest: +SKIP
    """

    async def get_metadata(self, file_path: str | os.PathLike[str], position: int = 0) -> ImageMetadata:
        """Return what is known about one image of a file, without reading pixels.

        Raises
        ------
        UnsupportedFormatError
            No reader knows the content, or there is no such file and nobody knows its ending either.
        MissingDependencyError
            The format is known, its package is not installed.
        ReadError
            The file is missing, empty or damaged.
        RegionError
            The file has no image of this position.
        """
        return await asyncio.to_thread(_metadata, file_path, position)

    async def load_image(
        self, file_path: str | os.PathLike[str], lazy: bool | None = None, position: int = 0, timepoint: int = 0
    ) -> "tuple[Pixels, ImageMetadata]":
        """Return one time point of one image of a file at full resolution, and what is known about the image.

        Parameters
        ----------
        file_path
            A local file, or an OME-Zarr folder.
        lazy
            True: a dask array that reads when it is computed, at any time later. False: a NumPy array. ``None``: lazy
            when the image, all time points together, is above 1 GiB.
        position
            Which image of the file: the scene, stage position or series, counted from 0.
        timepoint
            Counted from 0.

        Returns
        -------
        tuple
            The pixels, shape C, Z, Y, X (and S), dtype ``metadata.dtype``; and the metadata of the whole image.

        Raises
        ------
        UnsupportedFormatError, MissingDependencyError, ReadError
            As ``get_metadata`` does; also when dask is wanted and not installed.
        RegionError
            The file has no such position or time point.
        """
        return await asyncio.to_thread(_load, file_path, lazy, position, timepoint)


class ThumbnailGenerator:
    """Draws arrays as ``ImageLoader`` gives them: C, Z, Y, X (and S); also Z, Y, X, or a single plane Y, X.

    Every method takes the ``metadata`` of the image too: with it channels have their own colours and slices their
    true distance. Without it colours come from a fixed palette and voxels are taken for cubes.
    """

    async def generate_thumbnail(
        self,
        image_data: "Pixels",
        size: tuple[int, int] = (256, 256),
        z_slice: int | None = None,
        channels: Sequence[int] | None = None,
        normalize: bool = True,
        *,
        metadata: ImageMetadata | None = None,
    ) -> "Picture":
        """Return a picture of one slice or of the maximum projection.

        Parameters
        ----------
        image_data
            NumPy or dask.
        size
            Largest width and height; the aspect ratio is kept, small images are not enlarged.
        z_slice
            ``None`` is the maximum projection; where the metadata tells of transmitted light or electrons, whose
            structures are dark, the middle slice.
        channels
            ``None`` is all of them, or the first four of more than seven.
        normalize
            True: each channel from its 1st to its 99th percentile. False: the whole range of the pixel type, 0 to 1
            for floating point.

        Raises
        ------
        RegionError
            There is no such slice or channel.
        InvalidRequestError
            It is no array, the array has other axes, or is not what the metadata describes.
        ReadError
            A lazy array cannot read its file.
        """
        spec = _spec(size, channels, z=z_slice, contrast=() if normalize else (_whole_range(image_data),))
        return await asyncio.to_thread(_draw, image_data, metadata, spec)

    async def generate_mip_thumbnail(
        self,
        image_data: "Pixels",
        size: tuple[int, int] = (512, 512),
        channels: Sequence[int] | None = None,
        axis: int = 0,
        *,
        metadata: ImageMetadata | None = None,
    ) -> "Picture":
        """Return the maximum projection along Z (axis 0), Y (1) or X (2); see ``generate_thumbnail``."""
        if axis not in {0, 1, 2}:
            raise InvalidRequestError(f"axis {axis}: expected 0 (along Z), 1 (along Y) or 2 (along X)")
        spec = _spec(size, channels, projection="max", axis=cast("Axis", axis))
        return await asyncio.to_thread(_draw, image_data, metadata, spec)

    async def generate_multi_view_thumbnail(
        self,
        image_data: "Pixels",
        size: tuple[int, int] = (768, 256),
        channels: Sequence[int] | None = None,
        *,
        metadata: ImageMetadata | None = None,
    ) -> "Picture":
        """Return the maximum projections XY, XZ and YZ side by side on one scale; see ``generate_thumbnail``."""
        spec = _spec(size, channels, projection="max", layout="multiview")
        return await asyncio.to_thread(_draw, image_data, metadata, spec)

    async def save_thumbnail(self, thumbnail: "Picture", path: str | os.PathLike[str]) -> Path:
        """Write a picture and return where; see ``Picture.save``."""
        return await asyncio.to_thread(thumbnail.save, path)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A colour picture in memory. Notebooks show it; ``PIL.Image.fromarray(np.asarray(picture))`` makes it Pillow's."""

    pixels: NDArray[np.uint8]
    """Shape Y, X, 3: red, green, blue."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def to_numpy(self) -> NDArray[np.uint8]:
        """Return a copy of the pixels, shape Y, X, 3: red, green, blue."""
        return self.pixels.copy()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a PNG, WebP or JPEG file, as the ending says, whole or not at all, and return its path.

        Raises
        ------
        InvalidRequestError
            Another ending.
        StorageError
            It cannot be written.
        """
        target = Path(path)
        media_type = ENDINGS.get(target.suffix.lower())
        if media_type is None:
            raise InvalidRequestError(f"{target}: pictures end in {', '.join(ENDINGS)}")
        data = render.encode(self.pixels, media_type)
        try:
            _publish(data, target)
        except OSError as error:
            raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error
        return target

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.pixels, dtype=dtype, copy=copy)

    def _repr_png_(self) -> bytes:
        return render.encode(self.pixels, "image/png")


def _metadata(path: str | os.PathLike[str], position: int) -> ImageMetadata:
    with open_image(path) as file:
        return _image(file, position).metadata


def _load(
    path: str | os.PathLike[str], lazy: bool | None, position: int, timepoint: int
) -> "tuple[Pixels, ImageMetadata]":
    with open_image(path) as file:
        image = _image(file, position)
        meta = image.metadata
        if not 0 <= timepoint < meta.size_t:
            raise RegionError(f"{path}: time point {timepoint} does not exist; there are {meta.size_t}")
        if meta.should_use_lazy_loading() if lazy is None else lazy:
            return image.to_dask()[timepoint], meta
        return image.read(0, Region(t=(timepoint, timepoint + 1)))[0], meta


def _image(file: ImageFile, position: int) -> Image:
    if not 0 <= position < len(file.images):
        raise RegionError(f"{file.path}: position {position} does not exist; there are {len(file.images)}")
    return file.images[position]


def _spec(
    size: tuple[int, int],
    channels: Sequence[int] | None,
    *,
    z: int | None = None,
    projection: Literal["auto", "max"] = "auto",
    axis: Axis = 0,
    contrast: tuple[Contrast, ...] = (),
    layout: Literal["single", "multiview"] = "single",
) -> RenderSpec:
    width, height = size
    if not (1 <= width <= 8192 and 1 <= height <= 8192):
        raise InvalidRequestError(f"size {width} x {height}: expected 1 to 8192")
    chosen = None if channels is None else tuple(channels)
    for name, numbers in (("slice", () if z is None else (z,)), ("channel", chosen or ())):
        if any(number < 0 for number in numbers):
            raise RegionError(f"{name} {min(numbers)} does not exist; they are counted from 0")
    return RenderSpec(
        width=width,
        height=height,
        z=z,
        channels=chosen,
        projection=projection,
        axis=axis,
        contrast=contrast,
        layout=layout,
    )


def _draw(data: "Pixels", metadata: ImageMetadata | None, spec: RenderSpec) -> Picture:
    return Picture(render.draw(HeldImage(data, metadata), spec))


def _whole_range(data: "Pixels") -> Contrast:
    check_array(data)
    dtype = data.dtype
    if dtype.kind in "iu":
        return Contrast(low=float(np.iinfo(dtype).min), high=float(np.iinfo(dtype).max))
    return Contrast(low=0.0, high=1.0)


def _publish(data: bytes, target: Path) -> None:
    """Write a file under a temporary name next to its place, then put it there."""
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
