"""What is known about an image without touching its pixels."""

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, computed_field, model_validator

Unit = Literal["pm", "angstrom", "nm", "um", "mm", "cm", "m", "km", "in"]

MICROMETERS: dict[str, float] = {
    "pm": 1e-6,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "um": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "km": 1e9,
    "in": 25_400.0,
}
"""How many micrometres one of each unit is."""

LAZY_ABOVE_BYTES = 1 << 30
"""Images larger than this (1 GiB uncompressed) are better opened lazily."""

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Frozen(BaseModel):
    """A value: immutable, no unknown fields, compared by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class PhysicalSize(Frozen):
    """A positive length with its unit, as the file states it."""

    value: Annotated[PositiveFloat, Field(allow_inf_nan=False)]
    unit: Unit = "um"

    @property
    def micrometers(self) -> float:
        """The length in micrometres."""
        return self.value * MICROMETERS[self.unit]

    @classmethod
    def known(cls, value: object, unit: Unit = "um") -> "PhysicalSize | None":
        """Return a size, or ``None`` where the file says nothing usable (missing, zero, negative, NaN)."""
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            return None
        return cls(value=float(value), unit=unit)


class ChannelInfo(Frozen):
    """One channel. Unknown is ``None``, never a made-up value."""

    index: Annotated[int, Field(ge=0)]
    name: str
    color: Annotated[str, Field(pattern="^#[0-9a-f]{6}$")] | None = None
    """Display colour ``#rrggbb`` where the file states one."""
    excitation_wavelength_nm: Finite | None = None
    emission_wavelength_nm: Finite | None = None
    exposure_time_s: Finite | None = None
    gain: Finite | None = None
    dye: str | None = None
    contrast_method: str | None = None


class ObjectiveInfo(Frozen):
    """The objective lens."""

    name: str | None = None
    magnification: Finite | None = None
    numerical_aperture: Finite | None = None
    immersion: str | None = None
    working_distance_um: Finite | None = None
    correction: str | None = None


class MicroscopeInfo(Frozen):
    """The instrument."""

    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None
    type: str | None = None


class LabelsInfo(Frozen):
    """One label image of an image: a whole number per pixel, 0 where there is nothing."""

    name: str
    dtype: str
    """NumPy name of the pixel type: a whole number."""
    path: str
    """The file it is in."""
    note: str | None = None
    """What was made of it, where it is not what the file holds."""


class TableInfo(Frozen):
    """The cell table of an image: rows of measurements, one per object."""

    path: str
    """The file it is in, which may hold rows of other images too."""
    columns: tuple[str, ...]
    row_count: Annotated[int, Field(ge=0)]
    """Rows of this image."""


class Level(Frozen):
    """One pyramid level. Level 0 is full resolution; T, C and S never shrink."""

    size_z: PositiveInt
    size_y: PositiveInt
    size_x: PositiveInt


class ImageMetadata(Frozen):
    """Everything known about one image without touching its pixels.

    Arrays of the image always have the axes T, C, Z, Y, X, and S for interleaved colour samples (R, G, B or
    R, G, B, A, in this order) when ``samples > 1``. Axes a file does not have are of length 1.
    """

    name: str
    """Name of the image inside its file, or the file's own name."""
    file_format: str
    """Format family: ``"TIFF"``, ``"CZI"``, ``"OIB"``, ``"DICOM"``, ``"PNG"``, ``"MP4"``, ``"OME-Zarr"`` ..."""
    format_variant: str | None = None
    """Dialect of the family where there is one: ``"OME-TIFF"``, ``"ImageJ"``, ``"0.5"`` ..."""
    size_t: PositiveInt = 1
    size_c: PositiveInt = 1
    size_z: PositiveInt = 1
    size_y: PositiveInt
    size_x: PositiveInt
    samples: PositiveInt = 1
    """Interleaved colour samples per pixel; 1 for ordinary images."""
    dtype: str
    """NumPy name of the pixel type, such as ``"uint16"``; always native byte order."""
    levels: tuple[Level, ...] = ()
    """Pyramid levels, finest first; filled with level 0 when left empty."""
    pixel_size_x: PhysicalSize | None = None
    pixel_size_y: PhysicalSize | None = None
    pixel_size_z: PhysicalSize | None = None
    time_increment_s: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | None = None
    stage_position_um: tuple[Finite, Finite] | None = None
    """Where the stage stood, X and Y in micrometres, as the instrument wrote it."""
    channels: tuple[ChannelInfo, ...] = ()
    """One entry per channel; filled with ``Channel 0`` ... when left empty."""
    objective: ObjectiveInfo | None = None
    microscope: MicroscopeInfo | None = None
    acquired_at: datetime | None = None
    source_axes: str = ""
    """The axes as the file has them, such as ``"TZCYX"`` or ``"IYX"``."""
    note: str | None = None
    """How exotic axes were mapped, or what is not quite as it should be."""
    labels: tuple[LabelsInfo, ...] = ()
    """The label images that belong to it, see ``readers.Image.labels``."""
    table: TableInfo | None = None
    """The cell table that has rows of it, see ``readers.Image.rows``."""
    vendor: dict[str, Any] = Field(default_factory=dict)
    """The vendor's own metadata as a JSON document."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        filled = {key: value for key, value in data.items() if key not in cls.model_computed_fields}
        if not filled.get("levels"):
            filled["levels"] = ({axis: filled.get(axis, 1) for axis in ("size_z", "size_y", "size_x")},)
        if not filled.get("channels"):
            filled["channels"] = tuple(
                {"index": c, "name": f"Channel {c}"} for c in range(int(filled.get("size_c", 1)))
            )
        return filled

    @model_validator(mode="after")
    def _check(self) -> "ImageMetadata":
        if len(self.channels) != self.size_c:
            raise ValueError(f"{len(self.channels)} channels described, but size_c is {self.size_c}")
        first = self.levels[0]
        if (first.size_z, first.size_y, first.size_x) != (self.size_z, self.size_y, self.size_x):
            raise ValueError("level 0 must have the size of the image")
        return self

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order; mypy does not know it
    @property
    def bit_depth(self) -> int:
        """Bits per sample as stored in memory."""
        return self.bytes_per_sample * 8

    @property
    def bytes_per_sample(self) -> int:
        """Bytes per sample as stored in memory."""
        digits = "".join(ch for ch in self.dtype if ch.isdigit())
        return int(digits) // 8 if digits else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape T, C, Z, Y, X, and S when the image has colour samples."""
        return self.level_shape(0)

    @property
    def axes(self) -> str:
        """``"TCZYX"`` or ``"TCZYXS"``."""
        return "TCZYXS" if self.samples > 1 else "TCZYX"

    def level_shape(self, level: int) -> tuple[int, ...]:
        """Shape T, C, Z, Y, X (and S) of one pyramid level."""
        size = self.levels[level]
        shape = (self.size_t, self.size_c, size.size_z, size.size_y, size.size_x)
        return (*shape, self.samples) if self.samples > 1 else shape

    def get_voxel_size_micrometers(self) -> tuple[float | None, float | None, float | None]:
        """Return the voxel size X, Y, Z in micrometres; ``None`` where unknown."""
        x, y, z = (
            None if size is None else size.micrometers
            for size in (self.pixel_size_x, self.pixel_size_y, self.pixel_size_z)
        )
        return x, y, z

    def get_memory_size_bytes(self) -> int:
        """Return the size of all level-0 pixels in memory, in bytes."""
        return math.prod(self.shape) * self.bytes_per_sample

    def get_memory_size_mb(self) -> float:
        """Return the size of all level-0 pixels in memory, in MiB."""
        return self.get_memory_size_bytes() / (1 << 20)

    def should_use_lazy_loading(self) -> bool:
        """Return whether the image is larger than 1 GiB in memory."""
        return self.get_memory_size_bytes() > LAZY_ABOVE_BYTES
