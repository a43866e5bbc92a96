"""How the modes of MRC store a pixel: bytes -> arrays. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


Order = Literal["<", ">"]


@dataclass(frozen=True, slots=True)
class PixelType:
    """One mode of MRC."""

    stored: str
    """NumPy type of one stored number, without byte order."""
    dtype: str
    """NumPy name of one pixel as read."""
    numbers: int = 1
    """Stored numbers per pixel."""
    packed: bool = False
    """Two pixels share one byte; rows are filled up to whole bytes."""
    samples: int = 1
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether a stored number is a pixel."""
        return self.numbers == 1 and not self.packed and self.stored == np.dtype(self.dtype).str[1:]

    def row_bytes(self, nx: int) -> int:
        """Return the bytes of one row of ``nx`` pixels."""
        return (nx + 1) // 2 if self.packed else nx * self.numbers * np.dtype(self.stored).itemsize

    def unpack(self, rows: "NDArray[np.uint8]", nx: int, order: Order) -> "NDArray[Any]":
        """Return rows of pixels.

        Parameters
        ----------
        rows
            The bytes of whole rows, one after the other.
        nx
            Pixels per row.
        order
            ``"<"`` or ``">"``.

        Returns
        -------
        numpy.ndarray
            Shape Y, X (and S), in the byte order of the file.
        """
        numbers = rows.view(np.dtype(self.stored).newbyteorder(order))
        if self.packed:
            pairs = numbers.reshape(-1, self.row_bytes(nx), 1) >> np.array([0, 4], np.uint8) & 15
            return pairs.reshape(len(pairs), -1)[:, :nx]
        pixels = numbers.reshape((-1, nx) if self.numbers == 1 else (-1, nx, self.numbers))
        if self.dtype == "complex64" and self.numbers == 2:
            return pixels.astype(np.float32).view(np.complex64)[..., 0]
        return pixels


PIXELS: Mapping[int, PixelType] = {
    0: PixelType("i1", "int8"),
    1: PixelType("i2", "int16"),
    2: PixelType("f4", "float32"),
    3: PixelType("i2", "complex64", numbers=2, notes=("complex numbers of 16-bit integers, read as complex64",)),
    4: PixelType("c8", "complex64"),
    6: PixelType("u2", "uint16"),
    12: PixelType("f2", "float16"),
    16: PixelType("u1", "uint8", numbers=3, samples=3),
    101: PixelType("u1", "uint8", packed=True, notes=("4-bit pixels, read as uint8",)),
}
"""The modes by number. 16 and 101 are IMOD's; mode 0 is signed unless IMOD's flag says otherwise."""
