"""The description of one image in a DM file -> its pixels and which axis is which. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.errors import ReadError
from coverslip.model import PhysicalSize
from coverslip.readers.dm.tags import Stored, place_of
from coverslip.readers.units import length as physical_length
from coverslip.readers.units import seconds
from coverslip.readers.vendor_metadata import number, words

RawDict = Mapping[str, Any]
"""A group of tags, named as Gatan names them."""

PIXELS: Mapping[int, tuple[str, int, int]] = {
    1: ("int16", 1, 2),
    2: ("float32", 1, 4),
    3: ("complex64", 1, 8),
    6: ("uint8", 1, 1),
    7: ("int32", 1, 4),
    8: ("uint8", 3, 4),
    9: ("int8", 1, 1),
    10: ("uint16", 1, 2),
    11: ("uint32", 1, 4),
    12: ("float64", 1, 8),
    13: ("complex128", 1, 16),
    14: ("uint8", 1, 1),
    23: ("uint8", 3, 4),
    39: ("int64", 1, 8),
    40: ("uint64", 1, 8),
}
"""By DataType: NumPy type, colour samples, bytes of a pixel. Colours are stored blue, green, red and one that is not
used; packed Fourier transforms (5) and masks of single bits are not read."""
MAX_SIDE = 1 << 31
MAX_DIMENSIONS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension and what it measures."""

    length: int
    scale: float | None
    origin: float
    """In pixels."""
    units: str

    @property
    def is_energy(self) -> bool:
        """Whether the axis is an energy."""
        return self.units in ("eV", "keV", "meV")

    @property
    def is_reciprocal(self) -> bool:
        """Whether the axis is one of a diffraction pattern: 1/nm, or an angle."""
        return self.units.startswith("1/") or self.units.endswith(("-1", "⁻¹", "^-1")) or self.units in ("mrad", "rad")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pixels of an image are and how they lie."""

    pixels: Stored
    dtype: str
    samples: int
    pixel_bytes: int
    axes: tuple[Axis, ...]
    """X, Y and the further ones, the first running fastest."""
    roles: str
    """What each axis is: ``"XYC"``."""
    spectral: str
    """The role of the axis along which spectra lie; empty where there are none."""

    def size(self, role: str) -> int:
        """Return the length of T, C, Z, Y or X."""
        return math.prod(axis.length for axis, name in zip(self.axes, self.roles, strict=True) if name == role)

    def axis(self, role: str) -> Axis | None:
        """Return the axis of a role."""
        return next((axis for axis, name in zip(self.axes, self.roles, strict=True) if name == role), None)

    def plane(self, t: int, c: int, z: int) -> int:
        """Return the number of a plane in the file."""
        index, step = 0, 1
        for axis, role in zip(self.axes[2:], self.roles[2:], strict=True):
            index += {"T": t, "C": c, "Z": z}[role] * step
            step *= axis.length
        return index


def parse_layout(image: RawDict) -> Layout:
    """Return the layout of an image.

    Raises
    ------
    ReadError
        It is not described, contradicts itself, or is of a kind that is not read.
    """
    data = _group(image.get("ImageData"))
    place, kind = place_of(data.get("Data")), data.get("DataType")
    lengths = _list(data.get("Dimensions"))
    if place is None or not isinstance(kind, int) or not lengths:
        raise ReadError("an image has no pixels or no sizes: the file is damaged")
    if kind not in PIXELS:
        raise ReadError(f"pixels of the type {kind} are not read. Export the image as TIFF")
    dtype, samples, pixel_bytes = PIXELS[kind]
    if not all(isinstance(side, int) and 0 < side < MAX_SIDE for side in lengths) or len(lengths) > MAX_DIMENSIONS:
        raise ReadError(f"an image of {lengths} pixels is not read")
    if math.prod(lengths) * pixel_bytes != place.size:
        raise ReadError(f"an image of {lengths} pixels of {pixel_bytes} bytes, {place.size} bytes are stored for it")
    axes = _axes(lengths, _list(_group(data.get("Calibrations")).get("Dimension")))
    spectral, is_sequence = _spectral(axes, image), bool(_meta(image).get("IsSequence"))
    return Layout(place, dtype, samples, pixel_bytes, axes, _roles(axes, spectral, is_sequence=is_sequence), spectral)


def _axes(lengths: Sequence[int], calibrations: Sequence[Any]) -> tuple[Axis, ...]:
    axes = []
    for n, side in enumerate(lengths):
        raw = _group(calibrations[n]) if n < len(calibrations) else {}
        axes.append(
            Axis(side, number(raw.get("Scale")), number(raw.get("Origin")) or 0.0, words(raw.get("Units")) or "")
        )
    return (*axes, Axis(1, None, 0.0, "")) if len(axes) == 1 else tuple(axes)


def _spectral(axes: Sequence[Axis], image: RawDict) -> str:
    """Return where spectra lie: along X in a spectrum or a line of them, else along the third axis, the channels."""
    if not ("spectrum" in str(_meta(image).get("Format", "")).lower() or any(axis.is_energy for axis in axes)):
        return ""
    if len(axes) > 2 and axes[2].length > 1:
        return "C"
    return "X"


def _roles(axes: Sequence[Axis], spectral: str, *, is_sequence: bool) -> str:
    """Return what each axis is: times T, spectra C, the first other one Z, then T, then C."""
    roles = "XY"
    for n, axis in enumerate(axes[2:], start=2):
        likely = "C" if spectral == "C" and n == 2 else "T" if is_sequence or seconds(1.0, axis.units) else ""
        roles += next(role for role in f"{likely}ZTC" if role not in roles)
    return roles


def _meta(image: RawDict) -> RawDict:
    return _group(_group(image.get("ImageTags")).get("Meta Data"))


def spacing(axis: Axis | None, *, spectral: bool) -> tuple[PhysicalSize | None, str | None]:
    """Return the pixel size along an axis where it is a length in space, and what to say of it where it is not."""
    if axis is None or axis.scale is None or not axis.units:
        return None, None
    if spectral:
        return None, f"spectral, {axis.scale:g} {axis.units} per pixel"
    size = physical_length(abs(axis.scale), axis.units)
    if size is not None or seconds(1.0, axis.units):
        return size, None
    if axis.is_reciprocal:
        return None, f"reciprocal space, {abs(axis.scale):g} {axis.units} per pixel"
    return None, f"{axis.scale:g} {axis.units} per pixel"


def _group(value: object) -> RawDict:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else list(value.values()) if isinstance(value, Mapping) else []
