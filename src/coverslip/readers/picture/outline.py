"""What a picture says of itself before its pixels are decoded."""

from dataclasses import dataclass, field
from typing import Any

from coverslip.model import PhysicalSize

FINEST_PRINT_UM = 10.0
"""Pixels coarser than this (2540 dots per inch) are how large to print a picture, not how large a specimen was."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Size and type of a picture, and what else it says."""

    file_format: str
    width: int
    height: int
    samples: int
    """As read: 1 for grey, 3 for R, G, B, 4 for R, G, B, A."""
    dtype: str
    source_axes: str
    vendor: dict[str, Any]
    notes: tuple[str, ...] = ()
    pixel_size_um: tuple[float | None, float | None] = field(default=(None, None))
    """X, Y; ``None`` where unknown or only meant for printing."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the decoded pixels."""
        return self.width * self.height * self.samples * (2 if self.dtype == "uint16" else 1)

    @property
    def sizes(self) -> tuple[PhysicalSize | None, PhysicalSize | None]:
        """The pixel sizes X, Y."""
        x, y = (PhysicalSize.known(value) for value in self.pixel_size_um)
        return x, y


def microscopic(per_meter: float) -> float | None:
    """Return the pixel size in micrometres, ``None`` where the density can only be meant for a printer."""
    size = 1e6 / per_meter if per_meter > 0 else None
    return size if size is not None and size <= FINEST_PRINT_UM else None
