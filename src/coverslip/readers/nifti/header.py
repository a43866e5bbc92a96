"""The headers of NIfTI-1 and NIfTI-2 -> what we need of them. Pure.

Format: nifti1.h and nifti2.h of the NIfTI Data Format Working Group; offsets in bytes.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coverslip.errors import ReadError
from coverslip.model import PhysicalSize
from coverslip.model.metadata import Unit
from coverslip.readers.vendor_metadata import positive

Order = Literal["<", ">"]

SIZES: Mapping[int, tuple[int, bytes]] = {348: (344, b"n+1\0"), 540: (4, b"n+2\0\r\n\x1a\n")}
"""By header size: where the mark of a single-file NIfTI stands, and what it is."""
MAX_HEADER = 544
PIXELS: Mapping[int, tuple[str, int]] = {
    2: ("uint8", 1),
    4: ("int16", 1),
    8: ("int32", 1),
    16: ("float32", 1),
    32: ("complex64", 1),
    64: ("float64", 1),
    128: ("uint8", 3),
    256: ("int8", 1),
    512: ("uint16", 1),
    768: ("uint32", 1),
    1024: ("int64", 1),
    1280: ("uint64", 1),
    1792: ("complex128", 1),
    2304: ("uint8", 4),
}
"""NumPy type and colour samples by datatype code; 128-bit floats are not read."""
BYTES = {"uint8": 1, "int8": 1, "complex64": 8, "complex128": 16}
LENGTHS: Mapping[int, Unit] = {1: "m", 2: "mm", 3: "um"}
SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header."""

    order: Order
    version: int
    lengths: tuple[int, int, int, int, int]
    """X, Y, Z, T and all further axes together, which become channels; the first runs fastest."""
    dimensions: int
    dtype: str
    samples: int
    offset: int
    sizes: tuple[PhysicalSize | None, PhysicalSize | None, PhysicalSize | None]
    time_increment_s: float | None
    slope: float
    intercept: float
    fields: Mapping[str, Any]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        bits = BYTES.get(self.dtype) or int("".join(ch for ch in self.dtype if ch.isdigit())) // 8
        return self.lengths[0] * self.samples * bits

    @property
    def end(self) -> int:
        """Bytes up to the last pixel."""
        return self.offset + self.row_bytes * math.prod(self.lengths[1:])


def header_order(head: bytes) -> tuple[Order, int] | None:
    """Return byte order and header size of a NIfTI, ``None`` for anything else."""
    orders: tuple[Order, Order] = ("<", ">")
    for order in orders:
        for size, (place, mark) in SIZES.items():
            if head[:4] == struct.pack(f"{order}i", size) and head[place : place + len(mark)] == mark:
                return order, size
    return None


def parse_header(head: bytes) -> Header:
    """Return the parsed header.

    Raises
    ------
    ReadError
        It is cut off or makes no sense.
    """
    found = header_order(head)
    if found is None or len(head) < found[1]:
        raise ReadError("the file ends within its header, or the header is damaged. Copy it again from its source")
    order, size = found
    first = size == 348

    def get(kind: str, place: int) -> tuple[Any, ...]:
        return struct.unpack_from(order + kind, head, place)

    dim = get("8h", 40) if first else get("8q", 16)
    pixdim = get("8f", 76) if first else get("8d", 104)
    code = get("h", 70 if first else 12)[0]
    offset = int(_finite(get("f", 108)[0] if first else get("q", 168)[0]))
    slope, intercept = get("2f", 112) if first else get("2d", 176)
    units = get("B", 123)[0] if first else get("i", 500)[0]
    count = dim[0]
    if not 1 <= count <= 7 or any(not 0 < length < 1 << 40 for length in dim[1 : count + 1]):
        raise ReadError(f"the header describes no image: its axes are {list(dim)}")
    if code not in PIXELS:
        raise ReadError(f"pixels of datatype {code} are not read")
    if offset < size:
        raise ReadError(f"the pixels are said to begin at byte {offset}, within the header")
    lengths = [*dim[1 : count + 1], *[1] * (7 - count)]
    unit = LENGTHS.get(units & 7)
    spacing = [PhysicalSize.known(_finite(value), unit) if unit else None for value in pixdim[1:4]]
    seconds = SECONDS.get(units & 0x38)
    return Header(
        order=order,
        version=1 if first else 2,
        lengths=(lengths[0], lengths[1], lengths[2], lengths[3], math.prod(lengths[4:])),
        dimensions=count,
        dtype=PIXELS[code][0],
        samples=PIXELS[code][1],
        offset=offset,
        sizes=(spacing[0], spacing[1], spacing[2]),
        time_increment_s=positive(_finite(pixdim[4]), seconds) if seconds and lengths[3] > 1 else None,
        slope=_finite(slope),
        intercept=_finite(intercept),
        fields={
            "dim": dim,
            "pixdim": pixdim,
            "datatype": code,
            "scl_slope": slope,
            "scl_inter": intercept,
            "xyzt_units": units,
            "description": _text(head[148:228] if first else head[240:320]),
            "qform_code": get("h", 252)[0] if first else get("i", 344)[0],
            "sform_code": get("h", 254)[0] if first else get("i", 348)[0],
            "sform": [get("4f", 280 + 16 * row) if first else get("4d", 400 + 32 * row) for row in range(3)],
        },
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("latin-1").strip()
