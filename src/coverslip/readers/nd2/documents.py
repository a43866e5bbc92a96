"""The XML of an ND2 file, looked at before the ``nd2`` package parses it by itself."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from coverslip.errors import ReadError
from coverslip.readers.budgets import check_xml_bytes
from coverslip.readers.nd2.frames import FRAME_PREFIX, HEADER, check_trailer
from coverslip.readers.vendor_metadata import declares_type

CUSTOM_PREFIX = "CustomData|"
BOX = struct.Struct(">I4s")
ENTRY = struct.Struct("<4s4sI4x")
"""Kind of box, kind of content, place."""


def check_documents(stream: BinaryIO, path: Path, places: Mapping[str, int]) -> None:
    """Refuse documents that nobody should parse: with a document type, or too large.

    Raises
    ------
    ReadError
        A document declares a document type.
    BudgetError
        It is too large.
    """
    for name, start in places.items():
        if not name.startswith((FRAME_PREFIX, CUSTOM_PREFIX)):
            stream.seek(start)
            _, name_length, length = HEADER.unpack(stream.read(HEADER.size).ljust(HEADER.size, b"\0"))
            stream.seek(name_length, 1)
            _check(stream, path, name, length)


def check_legacy_documents(stream: BinaryIO, path: Path) -> None:
    """Refuse the same in a file of the first generation, in the first box of each kind: the others are not parsed.

    Raises
    ------
    ReadError, BudgetError
        As ``check_documents`` does; also when the map is missing.
    """
    stream.seek(-check_trailer(stream, path, legacy=True), 2)
    count = int.from_bytes(stream.read(4), "big")
    listed = stream.read()
    first: dict[bytes, int] = {}
    for box, kind, place in ENTRY.iter_unpack(listed[: min(count, len(listed) // ENTRY.size) * ENTRY.size]):
        if box == b"uuid":
            first.setdefault(kind, place)
    for kind, place in first.items():
        stream.seek(place)
        length, _ = BOX.unpack(stream.read(BOX.size).ljust(BOX.size, b"\0"))
        _check(stream, path, kind.decode("latin-1"), max(0, length - BOX.size))


def _check(stream: BinaryIO, path: Path, name: str, length: int) -> None:
    """Check the document that begins here, if it is one."""
    start = stream.read(1)
    if start == b"<":
        check_xml_bytes(length)
        if declares_type(start + stream.read(length - 1)):
            raise ReadError(f"{path}: the document {name!r} declares a document type; Nikon's never do")
