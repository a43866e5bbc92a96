"""NIfTI volumes: x, y, z, t become X, Y, Z, T; axes beyond the fourth become channels.

Pixels are the stored values in the stored order: scale and orientation are noted and not applied. A compressed file is
unpacked once, into an anonymous temporary file, when its first pixel is asked for.
"""

import gzip
import tempfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Probe, Region
from coverslip.readers.nifti.header import MAX_HEADER, Header, header_order, parse_header
from coverslip.readers.planes import MAX_CHANNELS, check_promise
from coverslip.readers.vendor_metadata import bounded, json_document

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

GZIP = b"\x1f\x8b"
GZIP_RATIO = 1040
"""Deflate makes at most 1032 bytes out of one."""
BLOCK = 1 << 20


class _Reader:
    """Opens NIfTI files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the content, unpacked if need be, begins with a NIfTI header."""
        return header_order(_start(probe.head)) is not None

    def open(self, path: Path) -> "_Opened":
        """Read the header.

        Raises
        ------
        ReadError
            It is damaged, or promises more than the file holds.
        """
        with path.open("rb") as stream:
            packed = stream.read(2) == GZIP
        content = _open_stream(path, packed=packed)
        try:
            return _Opened(path, content, packed=packed)
        except BaseException:
            content.close()
            raise


class _Opened:
    """An open file, which is its own one image."""

    def __init__(self, path: Path, stream: IO[bytes], *, packed: bool) -> None:
        self.files = (path,)
        self._path = path
        self._stream = stream
        self._packed = packed
        self.header = parse_header(stream.read(MAX_HEADER))
        check_promise(path, self.header.end, path.stat().st_size * (GZIP_RATIO if packed else 1))
        if self.header.lengths[4] > MAX_CHANNELS:
            raise ReadError(f"{path}: {self.header.lengths[4]} channels are too many")
        self.metadata = _metadata(path, self.header)
        self.images = (self,)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        (t0, t1), (c0, c1), (z0, z1), (y0, y1), (x0, x1) = region.spans
        header, meta = self.header, self.metadata
        if self._packed:
            self._stream, self._packed = _unpack(self._path, self._stream, header.end), False
        samples = (header.samples,) if header.samples > 1 else ()
        out: Array = np.empty((*region.shape, *samples), meta.dtype)
        stored = np.dtype(header.dtype).newbyteorder(header.order)
        for t in range(t0, t1):
            for c in range(c0, c1):
                for z in range(z0, z1):
                    row = ((c * meta.size_t + t) * meta.size_z + z) * meta.size_y + y0
                    rows = self._rows(row, y1 - y0)
                    pixels = np.frombuffer(rows, stored).reshape(y1 - y0, meta.size_x, *samples)
                    out[t - t0, c - c0, z - z0] = pixels[:, x0:x1]
        return out

    def _rows(self, start: int, count: int) -> bytes:
        length = count * self.header.row_bytes
        self._stream.seek(self.header.offset + start * self.header.row_bytes)
        rows = self._stream.read(length)
        if len(rows) < length:
            raise ReadError(f"{self._path}: the file ends in the middle of its pixels; was it cut short meanwhile?")
        return rows

    def close(self) -> None:
        """Release the file and, where there is one, its unpacked copy."""
        self._stream.close()


reader = _Reader()


def _open_stream(path: Path, *, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _start(head: bytes) -> bytes:
    """Return the first bytes behind the compression, or nothing."""
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, MAX_HEADER)
    except zlib.error:
        return b""


def _unpack(path: Path, stream: IO[bytes], promised: int) -> IO[bytes]:
    """Return an anonymous temporary file with the unpacked content.

    What lies behind the pixels is unpacked too, and thrown away, so that the checksum at the end is compared.

    Raises
    ------
    ReadError
        There is less in it than the header promises.
    """
    unpacked = tempfile.TemporaryFile(prefix="coverslip-")  # noqa: SIM115  # handed over to the open file
    try:
        stream.seek(0)
        while block := stream.read(BLOCK):
            unpacked.write(block[: max(0, promised - unpacked.tell())])
        if unpacked.tell() < promised:
            raise ReadError(
                f"{path}: the header promises {promised} bytes, there are {unpacked.tell()}: the file is truncated. "
                "Copy it again from its source"
            )
    except BaseException:
        unpacked.close()
        raise
    stream.close()
    return unpacked


def _metadata(path: Path, header: Header) -> ImageMetadata:
    nx, ny, nz, nt, nc = header.lengths
    x, y, z = header.sizes
    notes = []
    if header.slope not in (0.0, 1.0) or (header.slope and header.intercept):
        notes.append(f"stored values; real ones are {header.slope:g} x value + {header.intercept:g}")
    if header.sizes == (None, None, None):
        notes.append("the file does not say in which unit its pixel size is")
    if header.dimensions > 4 and nc > 1:
        notes.append(f"the axes beyond the fourth are read as {nc} channels")
    return ImageMetadata(
        name=path.name,
        file_format="NIfTI",
        format_variant=f"NIfTI-{header.version}",
        size_t=nt,
        size_c=nc,
        size_z=nz,
        size_y=ny,
        size_x=nx,
        samples=header.samples,
        dtype=header.dtype,
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=z if nz > 1 else None,
        time_increment_s=header.time_increment_s,
        source_axes="CTZYX"[5 - min(5, header.dimensions) :] + ("S" if header.samples > 1 else ""),
        note="; ".join(notes) or None,
        vendor=bounded(json_document(header.fields)),
    )
