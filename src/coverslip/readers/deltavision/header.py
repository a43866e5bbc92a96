"""The 1024-byte header of DeltaVision files and its extended header -> what we need of them. Pure.

A dialect of the first MRC format with its own meaning from byte 96 on. Format: the header description of the
Image Visualization Environment (IVE) and Priism; offsets in bytes.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coverslip.errors import ReadError
from coverslip.readers.vendor_metadata import positive

Order = Literal["<", ">"]

HEADER_BYTES = 1024
MAGIC = -16224
MAGIC_AT = 96
PIXELS: Mapping[int, str] = {0: "uint8", 1: "int16", 2: "float32", 4: "complex64", 6: "uint16", 7: "int32"}
"""NumPy type by mode. Mode 3, pairs of 16-bit integers, and 5, which is not defined alike everywhere, are not read."""
SEQUENCES = ("ZTW", "WZT", "ZWT")
"""Order of the sections, fastest first; W is the wavelength."""
MAX_SIDE = 1_000_000
MAX_WAVES = 5
TITLE_BYTES = 80
ELAPSED, EXPOSURE, EXCITATION, EMISSION = 1, 8, 10, 11
"""Which number of a section's extended header is what."""


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header."""

    order: Order
    nx: int
    ny: int
    size_z: int
    size_t: int
    size_w: int
    sequence: str
    dtype: str
    data_offset: int
    spacing_um: tuple[float | None, float | None, float | None]
    waves_nm: tuple[float | None, ...]
    integers: int
    """Numbers of a section in the extended header: integers, then floats, four bytes each."""
    floats: int
    fields: Mapping[str, Any]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        sizes = {"uint8": 1, "int16": 2, "uint16": 2, "float32": 4, "int32": 4, "complex64": 8}
        return self.nx * sizes[self.dtype]

    @property
    def end(self) -> int:
        """Bytes up to the last pixel."""
        return self.data_offset + self.row_bytes * self.ny * self.size_z * self.size_t * self.size_w

    def section(self, t: int, w: int, z: int) -> int:
        """Return which section of the file a plane is."""
        if self.sequence == "ZTW":
            return z + self.size_z * (t + self.size_t * w)
        if self.sequence == "WZT":
            return w + self.size_w * (z + self.size_z * t)
        return z + self.size_z * (w + self.size_w * t)


def byte_order(head: bytes) -> Order | None:
    """Return the byte order of a DeltaVision header, ``None`` for anything else."""
    if len(head) < MAGIC_AT + 2:
        return None
    orders: tuple[Order, Order] = ("<", ">")
    for order in orders:
        nx, ny, sections, mode = struct.unpack_from(f"{order}4i", head)
        (magic,) = struct.unpack_from(f"{order}h", head, MAGIC_AT)
        if magic == MAGIC and all(0 < side <= MAX_SIDE for side in (nx, ny)) and sections > 0 and 0 <= mode < 16:
            return order
    return None


def parse_header(raw: bytes) -> Header:
    """Return the parsed header.

    Raises
    ------
    ReadError
        It is cut off or contradicts itself.
    """
    order = byte_order(raw)
    if order is None or len(raw) < HEADER_BYTES:
        raise ReadError("the file ends within its header, or the header is damaged. Copy it again from its source")

    def get(kind: str, place: int) -> tuple[Any, ...]:
        return struct.unpack_from(order + kind, raw, place)

    nx, ny, sections, mode = get("4i", 0)
    if mode not in PIXELS:
        raise ReadError(f"pixels of mode {mode} are not read")
    (extended,) = get("i", 92)
    integers, floats = get("2h", 128)
    size_t, sequence = get("2h", 180)
    (size_w,) = get("h", 196)
    size_t, size_w = max(1, size_t), max(1, size_w)
    if extended < 0 or not 0 <= sequence < len(SEQUENCES) or size_w > MAX_WAVES or sections % (size_t * size_w):
        raise ReadError(
            f"the header contradicts itself: {sections} sections of {size_t} time points and {size_w} wavelengths "
            f"in order {sequence}, behind {extended} bytes"
        )
    spacing, origin = get("3f", 40), get("3f", 208)
    minimum, maximum, mean = get("3f", 76)
    return Header(
        order=order,
        nx=nx,
        ny=ny,
        size_z=sections // (size_t * size_w),
        size_t=size_t,
        size_w=size_w,
        sequence=SEQUENCES[sequence],
        dtype=PIXELS[mode],
        data_offset=HEADER_BYTES + extended,
        spacing_um=(positive(spacing[0]), positive(spacing[1]), positive(spacing[2])),
        waves_nm=tuple(positive(wave) for wave in get("5h", 198)[:size_w]),
        integers=max(0, integers),
        floats=max(0, floats),
        fields={
            "mode": mode,
            "sequence": SEQUENCES[sequence],
            "pixel_spacing_um": spacing,
            "origin_um": origin,
            "minimum": minimum,
            "maximum": maximum,
            "mean": mean,
            "image_type": get("h", 160)[0],
            "lens": get("h", 162)[0],
            "tilt_angles": get("3f", 184),
            "wavelengths_nm": get("5h", 198),
            "titles": _titles(raw, get("i", 220)[0]),
        },
    )


@dataclass(frozen=True, slots=True)
class Section:
    """What the extended header says of one section; unknown is ``None``."""

    elapsed_s: float | None = None
    exposure_s: float | None = None
    excitation_nm: float | None = None
    emission_nm: float | None = None


def parse_section(header: Header, extended: bytes, index: int) -> Section:
    """Return what the extended header says of a section, if it is there and says anything."""
    start = index * 4 * (header.integers + header.floats) + 4 * header.integers
    if header.floats <= EMISSION or start + 4 * header.floats > len(extended):
        return Section()
    floats = struct.unpack_from(f"{header.order}{header.floats}f", extended, start)
    elapsed = floats[ELAPSED]
    return Section(
        elapsed_s=elapsed if math.isfinite(elapsed) else None,
        exposure_s=positive(floats[EXPOSURE]),
        excitation_nm=positive(floats[EXCITATION]),
        emission_nm=positive(floats[EMISSION]),
    )


def _titles(raw: bytes, count: int) -> list[str]:
    titles = (raw[224 + TITLE_BYTES * i : 224 + TITLE_BYTES * (i + 1)] for i in range(max(0, min(count, 10))))
    return [title.split(b"\0", 1)[0].decode("latin-1").strip() for title in titles]
