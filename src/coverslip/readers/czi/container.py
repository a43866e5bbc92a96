"""Whether a CZI container is whole: segments that refer to each other by their place in the file."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import ReadError
from coverslip.readers.budgets import check_pages
from coverslip.readers.vendor_metadata import optional

if TYPE_CHECKING:
    from czifile import CziAttachmentEntryA1, CziFile

SEGMENT_HEADER_BYTES = 32
SEGMENT_BYTES = SEGMENT_HEADER_BYTES + 16 + 240
"""Least size of a subblock segment before its pixels."""
DIRECTORY_HEADER_BYTES = 128
ENTRY_HEADER = struct.Struct("<2s26xi")
AXIS_BYTES = 20
MAX_AXES = 32


def check_complete(czi: "CziFile", path: Path) -> None:
    """Refuse a file whose directory, pixels or documents are not all there: the rest would look like the whole.

    Raises
    ------
    ReadError
        The file is cut off, was never finished, or has pixels of an unknown type.
    """
    header = czi.header
    if header.directory_position == 0:
        raise ReadError(f"{path}: the file was never finished: it has no directory. Open and save it in ZEN")
    used = _check_segment(czi, path, header.directory_position, "its directory")
    _check_directory(czi, path, header.directory_position + SEGMENT_HEADER_BYTES, used)
    entries = czi.subblock_directory
    for entry in entries:
        is_plain = entry.pyramid_type == 0 and entry.compression == 0
        pixels = entry.stored_size * entry.dtype.itemsize if is_plain else 1
        if not 0 < entry.file_position <= czi.filesize - SEGMENT_BYTES - pixels:
            raise _cut_off(czi, path, f"pixels at byte {entry.file_position}")
        if entry.pixel_type.name == "UNKNOWN":
            raise ReadError(f"{path}: pixel type {entry.pixel_type.value} is not known")
    if entries:
        _check_segment(czi, path, max(entry.file_position for entry in entries), "its last pixels")
    if header.metadata_position:
        _check_segment(czi, path, header.metadata_position, "its metadata")
    if header.attachment_directory_position:
        _check_segment(czi, path, header.attachment_directory_position, "its list of attachments")
        attachments: Sequence[CziAttachmentEntryA1] = optional(lambda: czi.attachment_directory, ())
        for attachment in attachments:
            _check_segment(czi, path, attachment.file_position, f"its attachment {attachment.name!r}")


def _check_directory(czi: "CziFile", path: Path, start: int, length: int) -> None:
    """Refuse a directory whose counts are absurd: the library would build what they ask for before it looks."""
    czi.filehandle.seek(start)
    data = czi.filehandle.read(length)
    place = DIRECTORY_HEADER_BYTES
    count = int.from_bytes(data[:4], "little", signed=True)
    check_pages(count, "subblocks")
    for number in range(count):
        schema, axes = ENTRY_HEADER.unpack(data[place : place + ENTRY_HEADER.size].ljust(ENTRY_HEADER.size, b"\0"))
        if schema != b"DV" or not 0 < axes <= MAX_AXES:
            raise ReadError(f"{path}: entry {number} of the directory is damaged ({schema!r}, {axes} axes)")
        place += ENTRY_HEADER.size + axes * AXIS_BYTES


def _check_segment(czi: "CziFile", path: Path, position: int, what: str) -> int:
    """Return how many bytes of a segment are in use; refuse a file that ends before it does."""
    from czifile import CziSegment, CziSegmentNotFoundError  # noqa: PLC0415

    try:
        segment = CziSegment(czi, position)
    except CziSegmentNotFoundError as error:
        raise _cut_off(czi, path, what) from error
    if segment.data_offset + segment.used_size > czi.filesize:
        raise _cut_off(czi, path, what)
    return segment.used_size


def _cut_off(czi: "CziFile", path: Path, what: str) -> ReadError:
    return ReadError(
        f"{path}: the file is cut off: {what} cannot be read whole ({czi.filesize} bytes are there). "
        "Copy it again from its source"
    )
