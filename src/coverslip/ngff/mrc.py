"""Writing volumes and tilt series as MRC.

Format: https://www.ccpem.ac.uk/mrc_format/mrc2014.php
"""

import struct
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from coverslip.errors import InvalidRequestError
from coverslip.model import CanRead
from coverslip.ngff.volume_source import Box, Size, Statistics, VolumeSource, combined, measured

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

HEADER_BYTES = 1024
LABEL_BYTES = 80
MODES = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6}
VERSION = 20141
LITTLE_ENDIAN = b"\x44\x44\x00\x00"
UNKNOWN = (0.0, -1.0, -2.0, -1.0)
"""Minimum, maximum, mean and RMS of a volume without a number in it: the format's words for *not determined*."""
STEP_BYTES = 8 << 20


class MrcWriter:
    """Writes the boxes of a volume into an MRC file, in any order, and its header at the end.

    Parameters
    ----------
    out
        Open for writing, seekable, empty.
    size
        Z, Y, X.
    voxel_size
        Z, Y, X in angstrom.
    dtype
        float32, int8, int16 or uint16.
    is_stack
        Whether the planes are images of their own, as in a tilt series, and not a volume.
    label
        A line of text, cut to 80 bytes; what is not ASCII becomes a question mark.

    Raises
    ------
    InvalidRequestError
        MRC has no such type.
    """

    def __init__(
        self,
        out: BinaryIO,
        size: Size,
        *,
        voxel_size: Sequence[float],
        dtype: "DTypeLike",
        is_stack: bool = False,
        label: str = "",
    ) -> None:
        name = np.dtype(dtype).name
        if name not in MODES:
            raise InvalidRequestError(f"MRC has {', '.join(MODES)}, not {name}")
        self._out, self._size, self._mode = out, size, MODES[name]
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._voxel_size, self._is_stack, self._label = voxel_size, is_stack, label
        self._lock = threading.Lock()

    def put(self, box: Box, voxels: "NDArray[Any]") -> None:
        """Write a box; safe to call from several threads.

        Parameters
        ----------
        box
            Where it is.
        voxels
            Shape Z, Y, X.
        """
        (z0, _), (y0, _), (x0, x1) = box
        _, ny, nx = self._size
        stored = np.ascontiguousarray(voxels, self._dtype)
        with self._lock:
            for z, plane in enumerate(stored, z0):
                first = (z * ny + y0) * nx + x0
                if x1 - x0 == nx:
                    self._write(first, plane)
                else:
                    for y, row in enumerate(plane):
                        self._write(first + y * nx, row)

    def finish(self, statistics: Statistics) -> None:
        """Write the header. Every box was put before."""
        self._out.seek(0)
        self._out.write(self._header(statistics))

    def _write(self, voxel: int, pixels: "NDArray[Any]") -> None:
        self._out.seek(HEADER_BYTES + voxel * self._dtype.itemsize)
        self._out.write(pixels.data)

    def _header(self, known: Statistics) -> bytes:
        nz, ny, nx = self._size
        mz = 1 if self._is_stack else nz
        cell = (size * count for size, count in zip(reversed(self._voxel_size), (nx, ny, mz), strict=True))
        low, high, mean, rms = (known.minimum, known.maximum, known.mean, known.rms) if known.count else UNKNOWN
        label = self._label.encode("ascii", "replace")[:LABEL_BYTES]
        return b"".join(
            (
                struct.pack("<10i", nx, ny, nz, self._mode, 0, 0, 0, nx, ny, mz),
                struct.pack("<6f3i", *cell, 90, 90, 90, 1, 2, 3),
                struct.pack("<3f2i", low, high, mean, 0 if self._is_stack else 1, 0),
                struct.pack("<8x4xi84x3f", VERSION, 0, 0, 0),
                struct.pack("<4s4sfi", b"MAP ", LITTLE_ENDIAN, rms, 1 if label else 0),
                label.ljust(LABEL_BYTES).ljust(10 * LABEL_BYTES, b"\0") if label else bytes(10 * LABEL_BYTES),
            )
        )


def write_mrc(
    source: CanRead,
    out: BinaryIO,
    *,
    voxel_size: Sequence[float],
    dtype: "DTypeLike",
    is_stack: bool = False,
    label: str = "",
) -> Statistics:
    """Write a volume or a tilt series as MRC, a few planes at a time, and return its statistics.

    What is also written as OME-Zarr is read once where ``write_volume`` is given the ``put`` of an ``MrcWriter``.

    Parameters
    ----------
    source
        As in ``VolumeSource``.
    out, voxel_size, dtype, is_stack, label
        As in ``MrcWriter``.

    Raises
    ------
    ReadError
        The source is no single volume, or does not give its voxels.
    UnsupportedFormatError
        Its numbers are complex.
    InvalidRequestError
        MRC has no such type.
    """
    volume = VolumeSource(source, dtype)
    writer = MrcWriter(out, volume.size, voxel_size=voxel_size, dtype=dtype, is_stack=is_stack, label=label)
    nz, ny, nx = volume.size
    rows = max(1, min(ny, STEP_BYTES // (nx * volume.dtype.itemsize)))
    planes = max(1, STEP_BYTES // (rows * nx * volume.dtype.itemsize))
    parts = []
    for z in range(0, nz, planes):
        for y in range(0, ny, rows):
            box = (z, min(z + planes, nz)), (y, min(y + rows, ny)), (0, nx)
            voxels = volume.read(box)
            writer.put(box, voxels)
            parts.append(measured(voxels))
    found = combined(parts)
    writer.finish(found)
    return found
