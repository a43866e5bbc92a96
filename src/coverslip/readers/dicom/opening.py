"""What stands before the dataset of a DICOM file: preamble, meta information, or neither; deflated files unpacked.

Format: DICOM PS3.10, section 7 (preamble and meta information), PS3.5, section 7 and annex A (data elements, syntaxes).
"""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from coverslip.errors import ReadError
from coverslip.readers.budgets import budgets, check_piece
from coverslip.readers.dicom.pixels import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

MAGIC = b"DICM"
MAGIC_AT = 128
META_BYTES = 1 << 16
REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Value representations whose length takes four bytes, behind two that are not used."""
FIRST_GROUPS = (0x0002, 0x0008)
ENOUGH = 4
"""So many data elements in rising order are no coincidence."""
MAX_VALUE = 1 << 16


def is_dicom(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of DICOM, with its preamble or without."""
    return head[MAGIC_AT : MAGIC_AT + 4] == MAGIC or is_bare(head)


def is_bare(head: bytes) -> bool:
    """Return whether a file begins with data elements at once, as files from before the preamble do."""
    return any(_walks(head, order, explicit=explicit) for order in "<>" for explicit in (True, False))


def read_header(path: Path, stream: IO[bytes], tags: Sequence[str] | None = None) -> "tuple[FileDataset, str]":
    """Return the elements before the pixels and the transfer syntax; the stream stands at the pixels then.

    Parameters
    ----------
    path
        Named in messages.
    stream
        The file, or what it was unpacked to.
    tags
        Keywords of the elements that are wanted; ``None`` is all.

    Raises
    ------
    ReadError
        The dataset is damaged.
    """
    import pydicom  # noqa: PLC0415  # its absence must not break the other readers

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # odd values are no reason to warn
    stream.seek(0)
    head = stream.read(MAGIC_AT + 4)
    stream.seek(0)
    bare = head[MAGIC_AT:] != MAGIC
    dataset = pydicom.dcmread(
        stream, stop_before_pixels=True, specific_tags=None if tags is None else list(tags), force=bare
    )
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if bare and not syntax:
        implicit, little = dataset.original_encoding
        syntax = IMPLICIT if implicit else EXPLICIT if little else BIG_ENDIAN
    if bare and not dataset:
        raise ReadError(f"{path}: the file begins like DICOM and goes on like something else")
    return dataset, syntax


def inflated(path: Path) -> IO[bytes] | None:
    """Return a deflated file unpacked and marked so, nothing for other files. pydicom would unpack without a bound.

    Raises
    ------
    ReadError
        The packed part is damaged or cut off.
    BudgetError
        It grows beyond what is unpacked as a whole.
    """
    with path.open("rb") as stream:
        start = stream.read(META_BYTES)
        behind = _end_of_meta(start)
        if behind is None or DEFLATED.encode() not in start[:behind]:
            return None
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        stream.seek(behind)
        try:
            content = unpack.decompress(packed := stream.read(), budgets().plane_bytes + 1)
        except zlib.error as error:
            raise ReadError(f"{path}: the packed part is damaged: {error}") from error
        check_piece(len(content), len(packed), None, "the deflated part")
        if not unpack.eof:
            raise ReadError(f"{path}: the packed part ends early: the file is truncated. Copy it again from its source")
        return io.BytesIO(start[:behind].replace(_uid(DEFLATED), _uid(EXPLICIT, len(DEFLATED))) + content)


def _walks(head: bytes, order: str, *, explicit: bool) -> bool:
    """Return whether the bytes are data elements in rising order, as many as fit or are enough."""
    place, last, count = 0, (0, 0), 0
    while count < ENOUGH:
        if place + 12 > len(head):
            return count > 1
        group, element = struct.unpack_from(f"{order}HH", head, place)
        if ((group, element) <= last and count) or (not count and group not in FIRST_GROUPS):
            return False
        if explicit and head[place + 4 : place + 6] not in REPRESENTATIONS:
            return False
        if explicit and head[place + 4 : place + 6] in LONG:
            (length,), start = struct.unpack_from(f"{order}I", head, place + 8), place + 12
        elif explicit:
            (length,), start = struct.unpack_from(f"{order}H", head, place + 6), place + 8
        else:
            (length,), start = struct.unpack_from(f"{order}I", head, place + 4), place + 8
        if length > MAX_VALUE or length % 2:
            return count > 1 and explicit
        place, last, count = start + length, (group, element), count + 1
    return True


def _uid(text: str, length: int = 0) -> bytes:
    """Return a UID as it is stored, filled up to an even length."""
    length = max(length, len(text))
    return text.encode().ljust(length + length % 2, b"\0")


def _end_of_meta(start: bytes) -> int | None:
    """Return where the file meta information ends: its first element says how long it is."""
    place = MAGIC_AT + 4
    if start[place : place + 6] != b"\x02\x00\x00\x00UL":
        return None
    (length,) = struct.unpack_from("<I", start, place + 8)
    return place + 12 + int(length)
