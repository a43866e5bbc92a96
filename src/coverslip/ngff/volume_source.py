"""A volume as it is written: one stack of planes, converted to the type of the result, and measured on the way."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import InvalidRequestError, ReadError, UnsupportedFormatError
from coverslip.model import CanRead, Region
from coverslip.model.regions import Span

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Voxels = NDArray[Any]

type Size = tuple[int, int, int]
"""Z, Y, X."""
type Box = tuple[Span, Span, Span]
"""Along Z, Y, X."""

TYPES = frozenset({"float32", "int8", "uint8", "int16", "uint16"})
"""Types that volumes are written in."""


class VolumeSource:
    """Reads boxes of a volume in another type.

    Bytes of an MRC file that were meant as unsigned, which its header shows by a maximum above 127, are read so that
    their order is right: the byte less 128, as the CryoET Data Portal has it. The header's field is optional, so some
    such files go unnoticed.

    Parameters
    ----------
    image
        One channel of real numbers with a Z axis, or with a T axis instead: a stack of images, which is what the header
        of a tilt series in MRC says.
    dtype
        Of what is returned: float32, int8, uint8, int16 or uint16.

    Raises
    ------
    ReadError
        The image is no single volume.
    UnsupportedFormatError
        Its numbers are complex.
    InvalidRequestError
        The type is another one.
    """

    def __init__(self, image: CanRead, dtype: "DTypeLike") -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        if self.dtype.name not in TYPES:
            raise InvalidRequestError(f"volumes are written as {', '.join(sorted(TYPES))}, not as {self.dtype.name}")
        meta = image.metadata
        self.name = meta.name
        self._image = image
        self._is_stack = meta.size_t > 1
        if meta.size_c > 1 or meta.samples > 1 or (self._is_stack and meta.size_z > 1):
            raise ReadError(f"{meta.name}: expected one volume, found {meta.shape} along {meta.axes}")
        given = np.dtype(meta.dtype)
        if given.kind not in "biuf":
            raise UnsupportedFormatError(f"{meta.name}: a volume of {given.name} cannot be written")
        self.size: Size = (meta.size_t if self._is_stack else meta.size_z, meta.size_y, meta.size_x)
        self._is_wrapped = given == np.int8 and meta.file_format == "MRC" and _brightest(meta.vendor) > 127
        self._is_safe = self.dtype.kind == "f" or np.can_cast(given, self.dtype, "safe")

    def read(self, box: Box) -> "Voxels":
        """Return the voxels of a box, shape Z, Y, X, in the type of the result.

        Raises
        ------
        ReadError
            The image does not give them, or the type cannot hold one of them.
        """
        z, y, x = box
        region = Region(t=z, c=(0, 1), z=(0, 1), y=y, x=x) if self._is_stack else Region((0, 1), (0, 1), z, y, x)
        pixels: Voxels = self._image.read(0, region)
        voxels = pixels.reshape(*(stop - start for start, stop in box))
        if self._is_wrapped:
            voxels = (voxels.view(np.uint8) ^ 128).view(np.int8)
        if voxels.dtype == self.dtype:
            return voxels
        with np.errstate(invalid="ignore", over="ignore"):
            converted = voxels.astype(self.dtype)
        if not self._is_safe and not (converted == voxels).all():
            raise ReadError(f"{self.name}: planes {z[0]} to {z[1] - 1} hold numbers that {self.dtype.name} has not")
        return converted


def _brightest(vendor: dict[str, Any]) -> float:
    """Return the maximum that the header of an MRC file states."""
    header = vendor.get("header")
    value = header.get("dmax") if isinstance(header, dict) else None
    return float(value) if isinstance(value, int | float) else math.nan


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the values of some voxels are like; NaN is left out."""

    count: int
    """Voxels that are numbers."""
    minimum: float
    maximum: float
    mean: float
    squares: float
    """Sum of the squared distances from the mean."""

    @property
    def rms(self) -> float:
        """The standard deviation, which MRC calls RMS."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan


NOTHING = Statistics(0, math.nan, math.nan, math.nan, 0.0)


def measured(voxels: "Voxels") -> Statistics:
    """Return the statistics of voxels, in double precision."""
    low, high = voxels.min(), voxels.max()
    values = voxels.astype(np.float64).reshape(-1)
    if np.isnan(low):
        values = values[~np.isnan(values)]
        if not values.size:
            return NOTHING
        low, high = values.min(), values.max()
    with np.errstate(invalid="ignore"):  # infinities
        mean = float(values.sum()) / values.size
        values -= mean
        return Statistics(values.size, float(low), float(high), mean, float(np.einsum("i,i->", values, values)))


def combined(parts: Iterable[Statistics]) -> Statistics:
    """Return the statistics of all parts together; in which order they come only matters to the last digit.

    Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """
    total = NOTHING
    for part in parts:
        if not part.count or not total.count:
            total = total if total.count else part
            continue
        count = total.count + part.count
        apart = part.mean - total.mean
        total = Statistics(
            count,
            min(total.minimum, part.minimum),
            max(total.maximum, part.maximum),
            total.mean + apart * part.count / count,
            total.squares + part.squares + apart * apart * total.count * part.count / count,
        )
    return total
