"""MRC, CCP4 and IMOD files: ``.mrc .rec .map .st .ali .mrcs .ccp4``, plain or in gzip or bzip2.

Pixels are read section by section with ordinary reads, not through a memory map: a file that is cut short while it is
mapped ends the whole process with a bus error, a short read is an error one can report. A compressed file is unpacked
once, into an anonymous temporary file, when its first pixel is asked for.
"""

import bz2
import gzip
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, MicroscopeInfo, Probe, Region
from coverslip.readers.mrc.header import HEADER_BYTES, Header, is_mrc, parse_header, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
ENDINGS = (".mrcs", ".ccp4", ".mrc", ".rec", ".map", ".ali", ".st")
PACKED_ENDINGS = (".gz", ".bz2")
EXTENDED_BYTES = 4096
"""How much of an extended header is looked at: the first section's part."""


class _MrcFile:
    """An open MRC file with its one image."""

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        self._path = path
        self._stream, self._packed = _open(path)
        try:
            self.header = _header(path, self._stream.read(HEADER_BYTES))
            extended = self._stream.read(min(self.header.data_offset - HEADER_BYTES, EXTENDED_BYTES))
            notes = () if self._packed else _size_note(path, self.header.end)
            self.images = (_MrcImage(self, _metadata(path, self.header, extended, notes)),)
        except BaseException:
            self.close()
            raise

    def rows(self, start: int, count: int) -> bytearray:
        """Return whole rows of pixels, counted over all sections.

        Raises
        ------
        ReadError
            The file ends before them.
        """
        if self._packed:
            self._stream, self._packed = _unpack(self._path, self._stream, self.header.end), False
        rows = bytearray(count * self.header.row_bytes)
        self._stream.seek(self.header.data_offset + start * self.header.row_bytes)
        view, filled = memoryview(rows), 0
        while filled < len(rows):
            got = self._stream.readinto(view[filled:])  # type: ignore[attr-defined]  # both streams have it
            if not got:
                raise ReadError(f"{self._path}: the file ends in the middle of its pixels; was it cut short meanwhile?")
            filled += got
        return rows

    def close(self) -> None:
        """Release the file and, where there is one, its unpacked copy."""
        self._stream.close()


class _MrcImage:
    """The image of an MRC file."""

    def __init__(self, file: _MrcFile, metadata: ImageMetadata) -> None:
        self._file = file
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "NDArray[Any]":
        """Return the pixels of a resolved region; there is only level 0."""
        (t0, t1), _, (z0, z1), (y0, y1), (x0, x1) = region.spans
        header, meta = self._file.header, self.metadata
        shape = (*region.shape, meta.samples) if meta.samples > 1 else region.shape
        pixels = np.empty(shape, meta.dtype)
        for t in range(t0, t1):
            for z in range(z0, z1):
                section = t * meta.size_z + z
                rows = self._file.rows(section * header.ny + y0, y1 - y0)
                pixels[t - t0, 0, z - z0] = header.pixels.unpack(rows, header.nx, header.order)[:, x0:x1]
        return pixels


class _MrcReader:
    """Opens MRC files."""

    name = "mrc"
    title = "MRC"
    extensions = (
        *sorted((f"{ending}{packed}" for packed in ("", *PACKED_ENDINGS) for ending in ENDINGS), key=len, reverse=True),
    )
    package = "mrcfile"
    module = "mrcfile"

    def recognises(self, probe: Probe) -> bool:
        """Return whether the content, unpacked if need be, begins with an MRC header."""
        if probe.is_folder:
            return False
        if is_mrc(probe.head, probe.size):
            return True
        return is_mrc(_unpacked_head(probe), None)

    def open(self, path: Path) -> _MrcFile:
        """Open the file and read its header.

        Raises
        ------
        ReadError
            The header is damaged or promises more than the file holds.
        """
        return _MrcFile(path)


reader = _MrcReader()


def _open(path: Path) -> tuple[IO[bytes], bool]:
    """Return the file as a stream, unpacked on the fly where its first bytes say so, and whether they do."""
    stream = path.open("rb")
    start = stream.read(HEADER_BYTES)
    stream.seek(0)
    if is_mrc(start, path.stat().st_size) or not start.startswith((GZIP, BZIP2)):
        return stream, False
    stream.close()
    unpack = gzip.open if start.startswith(GZIP) else bz2.open
    return cast("IO[bytes]", unpack(path)), True


def _unpacked_head(probe: Probe) -> bytes:
    """Return the first bytes behind the compression, or nothing."""
    try:
        if probe.head.startswith(GZIP):
            return zlib.decompressobj(wbits=31).decompress(probe.head, HEADER_BYTES)
        if probe.head.startswith(BZIP2):
            with bz2.open(probe.path) as stream:
                return stream.read(HEADER_BYTES)
    except (OSError, EOFError, ValueError, zlib.error):
        return b""
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
        while block := stream.read(1 << 20):
            unpacked.write(block[: max(0, promised - unpacked.tell())])
        if unpacked.tell() < promised:
            raise ReadError(_too_short(path, promised, unpacked.tell()))
    except BaseException:
        unpacked.close()
        raise
    stream.close()
    return unpacked


def _header(path: Path, raw: bytes) -> Header:
    """Return the parsed header; a complaint about it names the file."""
    name = path.name.lower()
    for ending in PACKED_ENDINGS:
        name = name.removesuffix(ending)
    try:
        return parse_header(raw, name)
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from error


def _size_note(path: Path, promised: int) -> tuple[str, ...]:
    """Return a remark when the file is longer than promised; complain when it is shorter."""
    size = path.stat().st_size
    if size < promised:
        raise ReadError(_too_short(path, promised, size))
    return (f"the file is {size - promised} bytes longer than its header says",) if size > promised else ()


def _too_short(path: Path, promised: int, size: int) -> str:
    return (
        f"{path}: the header promises {promised} bytes, there are {size}: the file is truncated. "
        "Copy it again from its source"
    )


def _metadata(path: Path, header: Header, extended: bytes, more_notes: Sequence[str]) -> ImageMetadata:
    x, y, z = header.voxel_size
    section = _first_section(header, extended)
    return ImageMetadata(
        name=path.name,
        file_format="MRC",
        size_t=header.size_t,
        size_z=header.size_z,
        size_y=header.ny,
        size_x=header.nx,
        samples=header.pixels.samples,
        dtype=header.pixels.dtype,
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=z,
        microscope=_microscope(section),
        source_axes=header.source_axes,
        note="; ".join((*header.notes, *more_notes)) or None,
        vendor={**header.fields, **({"extended_header": {"first_section": section}} if section else {})},
    )


def _first_section(header: Header, extended: bytes) -> dict[str, Any]:
    """Return what a Thermo Fisher extended header says of the first section; others are not spelled out."""
    from mrcfile.dtypes import get_ext_header_dtype  # noqa: PLC0415  # loaded on use, like every format library

    kind = str(header.fields["header"]["exttyp"])
    layout = get_ext_header_dtype(kind.encode("latin-1"), header.order)
    if layout is None or len(extended) < layout.itemsize:
        return {}
    record = np.frombuffer(extended, layout, count=1)[0]
    return plain(record) if int(record["Metadata size"]) == layout.itemsize else {}


def _microscope(section: dict[str, Any]) -> MicroscopeInfo | None:
    model, serial = section.get("Microscope type") or None, section.get("D-Number") or None
    return MicroscopeInfo(model=model, serial_number=serial) if model or serial else None
