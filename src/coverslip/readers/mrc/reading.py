"""MRC, CCP4 and IMOD files: ``.mrc .rec .map .st .ali .mrcs .ccp4``, plain or in gzip or bzip2.

Pixels are read section by section with ordinary reads, not through a memory map: a file that is cut short while it is
mapped ends the whole process with a bus error, a short read is an error one can report. A compressed file is unpacked
into an anonymous temporary file, as far as the pixels that are asked for.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, MicroscopeInfo, Probe, Region
from coverslip.readers.mrc.header import HEADER_BYTES, Header, is_mrc, parse_header
from coverslip.readers.mrc.packed import Packed, is_packed, too_short, unpacked_head
from coverslip.readers.places import descriptor_of, read_at, read_stream_at
from coverslip.readers.vendor_metadata import json_document, vendor_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDINGS = (".mrcs", ".ccp4", ".mrc", ".rec", ".map", ".ali", ".st")
PACKED_ENDINGS = (".gz", ".bz2")
EXTENDED_BYTES = 4096
"""How much of an extended header is looked at: the first section's part."""


class _MrcFile:
    """An open MRC file with its one image."""

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        self._path = path
        with ExitStack() as stack:
            stream = stack.enter_context(path.open("rb"))
            self._packed = _packed(path, stream)
            if self._packed is not None:
                stack.callback(self._packed.close)
            self._stream = stream if self._packed is None else self._packed.stream
            self._descriptor = descriptor_of(stream)
            self.concurrent = self._packed is None and self._descriptor is not None
            self.header = _header(path, self._stream.read(HEADER_BYTES))
            extended = self._stream.read(min(self.header.data_offset - HEADER_BYTES, EXTENDED_BYTES))
            notes = _size_note(path, self.header.end) if self._packed is None else ()
            if self._packed is not None:
                self._packed.check(self.header.end)
            self.images = (_MrcImage(self, _metadata(path, self.header, extended, notes)),)
            self._release = stack.pop_all()

    def fill(self, start: int, into: "NDArray[Any]") -> None:
        """Fill an array with rows of pixels as they are stored.

        Parameters
        ----------
        start
            The first row, counted over all sections.
        into
            C-contiguous, whole rows.

        Raises
        ------
        ReadError
            The file ends before them.
        """
        first = self.header.data_offset + start * self.header.row_bytes
        descriptor = self._descriptor
        if self._packed is not None:
            copy = self._packed.up_to(first + into.nbytes, self.header.end)
            copy.flush()
            descriptor = copy.fileno()
        got = read_stream_at(self._stream, first, into) if descriptor is None else read_at(descriptor, first, into)
        if got < into.nbytes:
            raise ReadError(f"{self._path}: the file ends in the middle of its pixels; was it cut short meanwhile?")

    def close(self) -> None:
        """Release the file and, where there is one, its unpacked copy."""
        self._release.close()


class _MrcImage:
    """The image of an MRC file."""

    def __init__(self, file: _MrcFile, metadata: ImageMetadata) -> None:
        self._file = file
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "NDArray[Any]":
        """Return the pixels of a resolved region; there is only level 0."""
        meta = self.metadata
        shape = (*region.shape, meta.samples) if meta.samples > 1 else region.shape
        pixels = np.empty(shape, meta.dtype)
        self.read_into(pixels, level, region)
        return pixels

    def read_into(self, out: "NDArray[Any]", level: int, region: Region) -> None:
        """Fill an array with the pixels of a resolved region."""
        (t0, t1), _, (z0, z1), (y0, y1), (x0, x1) = region.spans
        header, meta = self._file.header, self.metadata
        is_plain = header.pixels.is_plain and np.dtype(meta.dtype).newbyteorder(header.order).isnative
        for t in range(t0, t1):
            for z in range(z0, z1):
                first = (t * meta.size_z + z) * header.ny + y0
                target = out[t - t0, 0, z - z0]
                if is_plain and x1 - x0 == header.nx:
                    self._file.fill(first, target)
                else:
                    rows = np.empty((y1 - y0) * header.row_bytes, np.uint8)
                    self._file.fill(first, rows)
                    target[:] = header.pixels.unpack(rows, header.nx, header.order)[:, x0:x1]


class _MrcReader:
    """Opens MRC files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the content, unpacked if need be, begins with an MRC header."""
        if probe.is_folder:
            return False
        if is_mrc(probe.head, probe.size):
            return True
        return is_mrc(unpacked_head(probe, HEADER_BYTES), None)

    def reads_ranges(self, probe: Probe) -> bool:
        """Return whether the file is not compressed: then its pixels are where the header says."""
        return is_mrc(probe.head, probe.size)

    def open(self, path: Path) -> _MrcFile:
        """Open the file and read its header.

        Raises
        ------
        ReadError
            The header is damaged or promises more than the file holds.
        """
        return _MrcFile(path)


reader = _MrcReader()


def _packed(path: Path, stream: IO[bytes]) -> Packed | None:
    """Return the file as a compressed one where its first bytes say so."""
    start = stream.read(HEADER_BYTES)
    stream.seek(0)
    if is_mrc(start, path.stat().st_size) or not is_packed(start):
        return None
    return Packed(path, start)


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
        raise ReadError(too_short(path, promised, size))
    return (f"the file is {size - promised} bytes longer than its header says",) if size > promised else ()


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
        vendor=vendor_document(
            {**header.fields, **({"extended_header": {"first_section": section}} if section else {})}
        ),
    )


def _first_section(header: Header, extended: bytes) -> dict[str, Any]:
    """Return what a Thermo Fisher extended header says of the first section; others are not spelled out."""
    from mrcfile.dtypes import get_ext_header_dtype  # noqa: PLC0415  # loaded on use, like every format library

    kind = str(header.fields["header"]["exttyp"])
    layout = get_ext_header_dtype(kind.encode("latin-1"), header.order)
    if layout is None or len(extended) < layout.itemsize:
        return {}
    record = np.frombuffer(extended, layout, count=1)[0]
    return json_document(record) if int(record["Metadata size"]) == layout.itemsize else {}


def _microscope(section: dict[str, Any]) -> MicroscopeInfo | None:
    model, serial = section.get("Microscope type") or None, section.get("D-Number") or None
    return MicroscopeInfo(model=model, serial_number=serial) if model or serial else None
