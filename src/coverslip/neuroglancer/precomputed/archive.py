"""The files of a precompute <-> one file of bytes: a ZIP whose members are stored as they are."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from threading import Lock
from typing import BinaryIO

from coverslip.errors import InvalidRequestError, NotFoundError, ReadError

DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP knows: every member is of then, so the same files give the same bytes."""
UNIX = 3
LOCAL = struct.Struct("<4s22xHH")
"""The fixed part of what stands before a member: its mark, and the lengths of its name and of what is added to that."""
UNCERTAIN = 0x1 | 0x8 | 0x20 | 0x40 | 0x2000
"""Flags of members that are encrypted, patched, or say their length behind themselves."""
MOST_MEMBERS = 1_000_000
DAMAGED = (ValueError, zipfile.BadZipFile, NotImplementedError, EOFError, struct.error, OverflowError)
"""What the standard library raises on an archive that is none."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files as one: sorted, not compressed, without times. The same files give the same bytes.

    Parameters
    ----------
    files
        Contents by path: parts joined with ``/``.

    Raises
    ------
    InvalidRequestError
        A path is none.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(files):
            if not _is_path(name):
                raise InvalidRequestError(f"this is no path inside of a precompute: {name[:200]!r}")
            member = zipfile.ZipInfo(name, DATE)
            member.create_system = UNIX
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, files[name])
    return stream.getvalue()


class Packed:
    """The files in what ``pack`` made, read by ranges; several threads may read at a time.

    Parameters
    ----------
    content
        The bytes, or an open file that can be sought; that one stays its owner's to close.

    Raises
    ------
    ReadError
        It is damaged, or another kind of ZIP.
    """

    def __init__(self, content: bytes | BinaryIO) -> None:
        self._stream: BinaryIO = io.BytesIO(content) if isinstance(content, bytes) else content
        self._lock = Lock()
        try:
            self._length = self._stream.seek(0, io.SEEK_END)
            with zipfile.ZipFile(self._stream) as archive:
                members = archive.infolist()
        except (*DAMAGED, OSError) as error:
            raise ReadError(f"the precompute is no whole ZIP: {error}") from error
        if len(members) > MOST_MEMBERS:
            raise ReadError(f"the precompute lists {len(members):,} files; {MOST_MEMBERS:,} may be")
        self._members: dict[str, tuple[int, int, int]] = {}
        for member in members:
            self._members[member.filename] = self._placed(member)

    def _placed(self, member: zipfile.ZipInfo) -> tuple[int, int, int]:
        """Return where a member begins in its archive (before its local header), how long it is, and its checksum."""
        name = member.filename
        if not _is_path(name) or name in self._members:
            raise ReadError(f"the precompute lists a file that cannot be one, or twice: {name[:200]!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & UNCERTAIN:
            raise ReadError(f"the precompute holds {name[:200]!r} compressed or encrypted; such are not made here")
        if member.file_size != member.compress_size or not 0 <= member.header_offset <= self._length:
            raise ReadError(f"the precompute contradicts itself about {name[:200]!r}")
        if member.header_offset + LOCAL.size + member.file_size > self._length:
            raise ReadError(f"the precompute ends before {name[:200]!r} does")
        return member.header_offset, member.file_size, member.CRC

    def names(self) -> tuple[str, ...]:
        """Return the paths, sorted."""
        return tuple(sorted(self._members))

    def size(self, name: str) -> int:
        """Return the length of a file.

        Raises
        ------
        NotFoundError
            There is none of this name.
        """
        return self._member(name)[1]

    def read(self, name: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return a file or a range of it. Whole files are compared with their checksum.

        Parameters
        ----------
        name
            Its path.
        start, stop
            Half-open; what lies behind the end is left out, as an answer to a ``Range`` of HTTP does.

        Raises
        ------
        NotFoundError
            There is none of this name.
        InvalidRequestError
            The range begins behind its end, or behind that of the file.
        ReadError
            The archive is damaged here.
        """
        offset, size, checksum = self._member(name)
        first, last = start or 0, size if stop is None else min(stop, size)
        if not 0 <= first <= last:
            raise InvalidRequestError(f"{name} has {size} bytes; {start} to {stop} is no range of them")
        with self._lock:
            mark, of_name, of_extra = LOCAL.unpack(self._bytes(offset, LOCAL.size))
            written = self._bytes(offset + LOCAL.size, of_name)
            begins = offset + LOCAL.size + of_name + of_extra
            if mark != b"PK\x03\x04" or written != name.encode() or begins + size > self._length:
                raise ReadError(f"the precompute does not hold {name} where it says")
            content = self._bytes(begins + first, last - first)
        if len(content) == size and zlib.crc32(content) != checksum:
            raise ReadError(f"the precompute holds {name}, but not as it was written")
        return content

    def _member(self, name: str) -> tuple[int, int, int]:
        found = self._members.get(name)
        if found is None:
            raise NotFoundError(f"the precompute has no file {name[:200]!r}")
        return found

    def _bytes(self, offset: int, count: int) -> bytes:
        try:
            self._stream.seek(offset)
            data = self._stream.read(count)
        except (OSError, ValueError) as error:  # ValueError: its owner has closed it
            raise ReadError(f"the precompute cannot be read: {error}") from error
        if len(data) != count:
            raise ReadError("the precompute has become shorter since it was opened")
        return data


def _is_path(name: str) -> bool:
    """Return whether a name is a relative path of ordinary parts."""
    is_plain = name.isprintable() and "\\" not in name and len(name) <= 1000
    return is_plain and all(part not in {"", ".", ".."} for part in name.split("/"))
