"""Arrays that somebody has already, as images."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import InvalidRequestError
from coverslip.model import ImageMetadata, Level, Region

if TYPE_CHECKING:
    import dask.array

    type Pixels = NDArray[Any] | dask.array.Array


def check_array(data: object) -> None:
    """Refuse what is no array.

    Raises
    ------
    InvalidRequestError
        It has no axes or no type of pixels.
    """
    if isinstance(data, type) or not all(hasattr(data, name) for name in ("ndim", "shape", "dtype")):
        raise InvalidRequestError(f"expected a NumPy or dask array, this is {type(data).__name__}")


class HeldImage:
    """An array in memory, or a lazy one, as an image of one time point that can be read and drawn.

    Parameters
    ----------
    data
        Shape C, Z, Y, X (and S), or Z, Y, X, or Y, X.
    metadata
        Of the image the array is one time point of; ``None`` where nothing is known.

    Raises
    ------
    InvalidRequestError
        The array has other axes or no numbers, or is not what the metadata describes.
    """

    def __init__(self, data: "Pixels", metadata: ImageMetadata | None) -> None:
        check_array(data)
        if not 2 <= data.ndim <= 5 or (data.ndim == 5 and data.shape[4] > 4):
            raise InvalidRequestError(f"expected an array C, Z, Y, X (and S), Z, Y, X or Y, X; this is {data.shape}")
        if 0 in data.shape or data.dtype.kind not in "buifc":
            raise InvalidRequestError(f"no picture can be made of {data.dtype} of shape {data.shape}")
        self._data = data[(np.newaxis,) * max(0, 4 - data.ndim)]
        c, z, y, x, *rest = self._data.shape
        samples = rest[0] if rest else 1
        if metadata is None:
            sizes = {"size_c": c, "size_z": z, "size_y": y, "size_x": x, "samples": samples}
            self.metadata = ImageMetadata(name="array", file_format="array", dtype=data.dtype.name, **sizes)
            return
        described = metadata.shape[1:5] if metadata.samples == 1 else metadata.shape[1:]
        if described != tuple(self._data.shape):
            raise InvalidRequestError(f"the metadata describe {described}, the array is {tuple(self._data.shape)}")
        only = {"size_t": 1, "levels": (Level(size_z=z, size_y=y, size_x=x),), "dtype": data.dtype.name}
        self.metadata = metadata.model_copy(update=only)

    def read(self, level: int, region: Region) -> NDArray[Any]:
        """Return pixels of the one level there is, T, C, Z, Y, X (and S)."""
        box = region.resolve(self.metadata.level_shape(level))
        return np.asarray(self._data[box.slices[1:]])[np.newaxis]
