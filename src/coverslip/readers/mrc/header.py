"""The 1024-byte MRC header and what it means. No I/O.

Format: Cheng et al. 2015, "MRC2014: Extensions to the MRC format header", and the IMOD and CCP4 descriptions for the
older and non-standard parts. The field layout is that of ``mrcfile.dtypes``.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import PhysicalSize
from coverslip.readers.mrc.pixels import PIXELS, Order, PixelType
from coverslip.readers.vendor_metadata import json_document

HEADER_BYTES = 1024
MAP_OFFSET = 208
IMOD_STAMP = 1146047817
DELTAVISION_ID = -16224
"""DeltaVision files share the first 92 bytes of the layout; this number at offset 96 tells them apart."""

VOLUME_STACKS = range(401, 631)
STACK_ENDINGS = (".mrcs",)
"""Particle stacks: sections are images of their own, whatever the header says."""
SECTION_ENDINGS = (".st", ".ali", ".rec", ".preali")
"""Tilt series and tomograms of IMOD, whose sections are never time points."""


@dataclass(frozen=True, slots=True)
class Header:
    """What one header says, in our words."""

    order: Order
    nx: int
    ny: int
    size_t: int
    size_z: int
    pixels: PixelType
    data_offset: int
    """Where pixels begin, in bytes from the start of the (uncompressed) file."""
    source_axes: str
    voxel_size: tuple[PhysicalSize | None, PhysicalSize | None, PhysicalSize | None]
    """Along the map's own X, Y, Z, in angstrom, as ``cella / mxyz`` states it."""
    notes: tuple[str, ...]
    fields: Mapping[str, Any]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of pixels."""
        return self.pixels.row_bytes(self.nx)

    @property
    def end(self) -> int:
        """Bytes of the whole (uncompressed) file as promised."""
        return self.data_offset + self.size_t * self.size_z * self.ny * self.row_bytes


def is_mrc(head: bytes, size: int | None) -> bool:
    """Return whether a file that begins with ``head`` is MRC.

    Parameters
    ----------
    head
        At least the first 212 bytes, better 1024.
    size
        Bytes of the whole file; ``None`` when it is compressed.
    """
    if len(head) < MAP_OFFSET + 4:
        return False
    if head[MAP_OFFSET : MAP_OFFSET + 3] == b"MAP":
        return _stamped(head) is not None or any(_has_known_mode(head, order) for order in ("<", ">"))
    return any(_is_old_header(head, size, order) for order in ("<", ">"))


def parse_header(raw: bytes, name: str) -> Header:
    """Return the meaning of the first 1024 bytes.

    Parameters
    ----------
    raw
        The first 1024 bytes.
    name
        Name of the file in lower case and without ``.gz`` or ``.bz2``: MRC headers of particle stacks and of tilt
        series look alike, their endings do not.

    Raises
    ------
    ReadError
        The header is cut short or promises nothing that can be read.
    """
    from mrcfile.dtypes import HEADER_DTYPE  # noqa: PLC0415  # a missing package must not break the other readers

    if len(raw) < HEADER_BYTES:
        raise ReadError(f"an MRC header has {HEADER_BYTES} bytes, the file only {len(raw)}")
    order, notes = _byte_order(raw)
    record = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order), count=1)[0]
    nx, ny, nz, mode, extended = (int(record[key]) for key in ("nx", "ny", "nz", "mode", "nsymbt"))
    if min(nx, ny, nz) < 1:
        raise ReadError(f"the header promises {nx} x {ny} x {nz} pixels: there is no image")
    if extended < 0:
        raise ReadError(f"the header promises an extended header of {extended} bytes")
    pixels = _pixel_type(raw, order, mode)
    axes, size_t, more = _sections(record, nz, name)
    if axes == "ZYX" and nz == 1 and int(record["ispg"]) == 0:
        axes = "YX"
    return Header(
        order=order,
        nx=nx,
        ny=ny,
        size_t=size_t,
        size_z=nz // size_t,
        pixels=pixels,
        data_offset=HEADER_BYTES + extended,
        source_axes=axes,
        voxel_size=_voxel_size(record),
        notes=(*notes, *more, *_permutation(record), *pixels.notes, *_doubt(record, pixels)),
        fields=_document(record, raw, order),
    )


def _stamped(head: bytes) -> Order | None:
    """Return the byte order that the machine stamp states."""
    first, second = head[212:214] if len(head) >= MAP_OFFSET + 6 else (0, 0)
    if first == 0x44 and second in (0x44, 0x41):
        return "<"
    return ">" if (first, second) == (0x11, 0x11) else None


def _has_known_mode(head: bytes, order: Order) -> bool:
    nx, ny, nz, mode = struct.unpack(f"{order}4i", head[:16])
    return min(nx, ny, nz) > 0 and mode in PIXELS


def _is_old_header(head: bytes, size: int | None, order: Order) -> bool:
    """Return whether a header from before the ``MAP`` mark makes sense and, where known, fits the size exactly."""
    if len(head) < HEADER_BYTES or not _has_known_mode(head, order):
        return False
    nx, ny, nz, mode = struct.unpack(f"{order}4i", head[:16])
    axes, (extended,) = struct.unpack(f"{order}3i", head[64:76]), struct.unpack(f"{order}i", head[92:96])
    if sorted(axes) != [1, 2, 3] or struct.unpack(f"{order}h", head[96:98])[0] == DELTAVISION_ID:
        return False
    promised = HEADER_BYTES + extended + PIXELS[mode].row_bytes(nx) * ny * nz
    return bool(extended >= 0 and size in (None, promised))


def _byte_order(raw: bytes) -> tuple[Order, tuple[str, ...]]:
    """Return the byte order: the machine stamp's, unless only the other one makes sense."""
    stamped = _stamped(raw)
    first: Order = stamped or "<"
    other: Order = ">" if first == "<" else "<"
    if _has_known_mode(raw, first) or not _has_known_mode(raw, other):
        return first, ()
    note = "the machine stamp is wrong or missing; the byte order was taken from the sizes"
    return other, (note,)


def _pixel_type(raw: bytes, order: Order, mode: int) -> PixelType:
    if mode not in PIXELS:
        raise ReadError(f"the header says mode {mode}; MRC knows the modes {', '.join(map(str, PIXELS))}")
    stamp, flags = struct.unpack(f"{order}2i", raw[152:160])
    if mode == 0 and stamp == IMOD_STAMP and not flags & 1:
        return PixelType("u1", "uint8", notes=("bytes are unsigned, as the IMOD flag says",))
    return PIXELS[mode]


def _doubt(record: np.void, pixels: PixelType) -> tuple[str, ...]:
    """Return a note where bytes are read as signed, as MRC2014 says, and the header's own maximum does not fit."""
    brightest = float(record["dmax"])
    if pixels.dtype != "int8" or not 127 < brightest < 256:
        return ()
    return (f"bytes are read as signed, yet the header's maximum is {brightest:g}: they may be meant as unsigned",)


def _sections(record: np.void, nz: int, name: str) -> tuple[str, int, tuple[str, ...]]:
    """Return the axes, how many of the sections are time points, and a note.

    Volumes have Z. A stack of separate images has T: particle stacks by their ending, others where the header is a
    stack by the book (space group 0, one section per unit cell). Volume stacks have T and Z.
    """
    group, mz = int(record["ispg"]), int(record["mz"])
    if group in VOLUME_STACKS:
        if mz > 0 and nz % mz == 0:
            return "TZYX", nz // mz, ()
        return "ZYX", 1, (f"a stack of volumes whose {nz} sections do not divide by {mz}: shown as one volume",)
    by_the_book = group == 0 and mz <= 1 < nz and not name.endswith(SECTION_ENDINGS)
    if nz > 1 and (by_the_book or name.endswith(STACK_ENDINGS)):
        return "TYX", nz, ("a stack of images: its sections are the time axis",)
    return "ZYX", 1, ()


def _permutation(record: np.void) -> tuple[str, ...]:
    """Return a note where columns, rows and sections are not the map's X, Y, Z."""
    axes = tuple(int(record[key]) for key in ("mapc", "mapr", "maps"))
    if sorted(axes) != [1, 2, 3] or axes == (1, 2, 3):
        return ()
    c, r, s = ("XYZ"[axis - 1] for axis in axes)
    note = f"pixels are in file order: image axes X, Y, Z are the map's {c}, {r}, {s}"
    return (f"{note}; pixel sizes are those of the map's own X, Y, Z",)


def _voxel_size(record: np.void) -> tuple[PhysicalSize | None, PhysicalSize | None, PhysicalSize | None]:
    """Return the voxel size in angstrom: cell length over grid intervals, in the header's own single precision."""
    cell, x, y, z = record["cella"], *(int(record[key]) for key in ("mx", "my", "mz"))
    sizes = (
        float(np.float32(float(cell[axis]) / count)) if count > 0 else None
        for axis, count in zip("xyz", (x, y, z), strict=True)
    )
    first, second, third = (PhysicalSize.known(size, "angstrom") for size in sizes)
    return first, second, third


def _document(record: np.void, raw: bytes, order: Order) -> dict[str, Any]:
    """Return the header as a JSON document."""
    skipped = ("extra1", "extra2", "label", "nlabl", "map")
    fields = {key: json_document(record[key]) for key in record.dtype.names or () if key not in skipped}
    stamp, flags = struct.unpack(f"{order}2i", raw[152:160])
    imod = {"imod_flags": flags} if stamp == IMOD_STAMP else {}
    texts = [json_document(label) for label in record["label"][: max(0, min(10, int(record["nlabl"])))]]
    return {"header": fields | imod, "labels": [text for text in texts if text]}
