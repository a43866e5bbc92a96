"""Pixels as the file has them, for programs."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import RegionError, TooLargeError
from coverslip.model import CanRead, Region
from coverslip.model.render import Crop
from coverslip.render.views import time_point

PixelFormat = Literal["npy", "tiff"]


def cut(
    image: CanRead,
    crop: Crop,
    *,
    t: int | None = None,
    z: int | None = None,
    channels: Sequence[int] | None = None,
    limit: int,
) -> NDArray[Any]:
    """Return the pixels of a rectangle: shape C, Z, Y, X (and S), in the image's own dtype.

    Parameters
    ----------
    image
        Anything that can be read.
    crop
        The rectangle and its level.
    t
        Time point; ``None`` is the middle one.
    z
        Slice of level 0; ``None`` is all slices.
    channels
        In this order; ``None`` is all of them.
    limit
        Most bytes that may come out.

    Raises
    ------
    RegionError
        There is no such level, rectangle, time point, slice or channel.
    TooLargeError
        It would be more than the limit.
    ReadError
        The file does not give the pixels.
    """
    meta = image.metadata
    t = time_point(meta, t)
    if crop.level >= len(meta.levels):
        raise RegionError(f"level {crop.level} does not exist; there are {len(meta.levels)}")
    if z is not None and z >= meta.size_z:
        raise RegionError(f"slice {z} does not exist; there are {meta.size_z}")
    chosen = range(meta.size_c) if channels is None else channels
    shape = meta.level_shape(crop.level)
    at = None if z is None else int((z + 0.5) * shape[2] / meta.size_z)
    boxes = [
        Region(
            t=(t, t + 1),
            c=(c, c + 1),
            z=None if at is None else (at, at + 1),
            y=(crop.y, crop.y + crop.height),
            x=(crop.x, crop.x + crop.width),
        ).resolve(shape)
        for c in chosen
    ]
    size = sum(math.prod(box.shape) for box in boxes) * meta.samples * meta.bytes_per_sample
    if size > limit:
        raise TooLargeError(f"these pixels are {size:,} bytes, more than the {limit:,} that are sent at once")
    return np.concatenate([image.read(crop.level, box)[0] for box in boxes])


def pack(pixels: NDArray[Any], form: PixelFormat) -> bytes:
    """Return pixels C, Z, Y, X (and S) as a file.

    Parameters
    ----------
    pixels
        As ``cut`` gives them.
    form
        ``npy`` keeps every dtype; ``tiff`` (axes ``CZYX`` in its description) makes bool uint8.
    """
    return _PACKERS[form](pixels)


def _npy(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, pixels, allow_pickle=False)
    return stream.getvalue()


def _tiff(pixels: NDArray[Any]) -> bytes:
    from tifffile import imwrite  # noqa: PLC0415  0.2 s that no other picture should wait for

    stream = io.BytesIO()
    is_color = pixels.ndim == 5 and pixels.shape[-1] >= 3
    imwrite(
        stream,
        pixels.astype(np.uint8) if pixels.dtype.kind == "b" else pixels,
        photometric="rgb" if is_color else "minisblack",
        metadata={"axes": "CZYXS"[: pixels.ndim]},
    )
    return stream.getvalue()


_PACKERS: Mapping[PixelFormat, Callable[[NDArray[Any]], bytes]] = {"npy": _npy, "tiff": _tiff}
