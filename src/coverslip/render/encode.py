"""Pictures become bytes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError
from coverslip.model.render import MediaType

MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)

ENDINGS: Mapping[str, MediaType] = MappingProxyType(
    {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
)
"""Which kind of picture the ending of a file name asks for."""

_ENCODERS: Mapping[str, tuple[str, Sequence[int]]] = {
    "image/png": (".png", (cv2.IMWRITE_PNG_COMPRESSION, 4)),
    "image/webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
    "image/jpeg": (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 88)),
}


def encode(rgb: NDArray[np.uint8], media_type: str) -> bytes:
    """Return the picture as a PNG (lossless), WebP or JPEG file; the same picture always gives the same bytes.

    Parameters
    ----------
    rgb
        Shape Y, X, 3; red, green, blue.
    media_type
        ``"image/png"``, ``"image/webp"`` or ``"image/jpeg"``.

    Raises
    ------
    InvalidRequestError
        Another media type, or an array that is no such picture.
    """
    if media_type not in _ENCODERS:
        raise InvalidRequestError(f"no encoder for {media_type!r}; there are {', '.join(MEDIA_TYPES)}")
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise InvalidRequestError(f"a picture is uint8 of shape Y, X, 3; this is {rgb.dtype} of shape {rgb.shape}")
    ending, options = _ENCODERS[media_type]
    done, data = cv2.imencode(ending, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise InvalidRequestError(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels does not fit into {media_type}")
    return data.tobytes()
