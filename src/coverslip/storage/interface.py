"""What every place for bytes can do, and which names it accepts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from coverslip.errors import InvalidRequestError

TEMPORARY = ".tmp-"
"""Names that begin with this are unfinished work: never listed, swept when old."""

MAX_KEY_BYTES = 1024
"""Longest object name of the S3 protocol."""

MAX_PART_BYTES = 255
"""Longest file name of the usual file systems."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as a listing shows it."""

    key: str
    """Name relative to the storage, parts separated by ``/``."""
    size: int
    """Bytes."""
    modified: datetime
    """When it was last written; with a time zone."""
    version: str = ""
    """Another whenever it was written again, even with the same bytes: an ETag, or what the file system says."""


class Storage(Protocol):
    """A flat space of named bytes. Objects appear whole or not at all; safe to use from any number of threads."""

    @property
    def url(self) -> str:
        """Where it is, without secrets: fit for a message."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Publish bytes under a name, replacing what was there; when this returns they survive a power cut.

        Raises
        ------
        StorageError
            The bytes could not be written; what was there before still is.
        InvalidRequestError
            The key is not an acceptable name.
        """
        ...

    def create(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open a new file for writing, seekable and on this machine's disk, for objects that are too large for memory.

        When the ``with`` statement ends, it is published as a whole under its name, replacing what was there, as by
        ``put``; when it ends with an exception, nothing is.

        Raises
        ------
        StorageError
            The bytes could not be written or published; what was there before still is. A refusal of the operating
            system that the block raises is taken for one to write.
        InvalidRequestError
            The key is not an acceptable name.
        """
        ...

    def read(self, key: str) -> bytes:
        """Return all bytes of an object.

        Raises
        ------
        NotFoundError
            There certainly is no such object.
        StorageError
            Nobody knows: the storage cannot be read now.
        InvalidRequestError
            The key is not an acceptable name.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is such an object.

        Raises
        ------
        StorageError
            Nobody knows: the storage cannot be read now.
        InvalidRequestError
            The key is not an acceptable name.
        """
        ...

    def find(self, key: str) -> StoredObject:
        """Return an object as a listing would show it.

        Raises
        ------
        NotFoundError
            There certainly is no such object.
        StorageError
            Nobody knows: the storage cannot be read now.
        InvalidRequestError
            The key is not an acceptable name.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; doing it twice is no error.

        Raises
        ------
        StorageError
            It could not be removed.
        InvalidRequestError
            The key is not an acceptable name.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Return every object below a prefix of whole name parts, in no particular order.

        Parameters
        ----------
        prefix
            ``"thumbnail"`` holds ``thumbnail/ab/cd.png``, not ``thumbnails/ab.png``; empty is everything.

        Raises
        ------
        StorageError
            The listing is not complete. It may come after some objects: only an iteration that ends by itself
            says that something is absent.
        InvalidRequestError
            The prefix is not an acceptable name.
        """
        ...

    def check(self) -> None:
        """Prove by writing, reading and removing a small object that the storage works.

        Raises
        ------
        StorageError
            It does not; the message says why.
        """
        ...

    def sweep(self, older_than_seconds: float, prefix: str = "") -> int:
        """Remove what killed writers left unfinished below a prefix and return how many objects that were.

        Raises
        ------
        StorageError
            The storage cannot be listed or something cannot be removed.
        """
        ...


def check_key(key: str) -> str:
    """Return the key when it is an acceptable name: relative, portable, inside the storage.

    Raises
    ------
    InvalidRequestError
        It is empty, too long, absolute, climbs out, or looks like an unfinished object.
    """
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise InvalidRequestError(f"storage key {key!r}: expected a relative name without empty, '.' or '..' parts")
    if "\\" in key or ":" in key or not key.isprintable():
        raise InvalidRequestError(f"storage key {key!r}: backslash, colon and control characters are not portable")
    if any(part.startswith(TEMPORARY) for part in parts):
        raise InvalidRequestError(f"storage key {key!r}: names that begin with {TEMPORARY!r} are reserved")
    if len(key.encode()) > MAX_KEY_BYTES or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        raise InvalidRequestError(
            f"storage key {key[:60]!r}...: longer than {MAX_KEY_BYTES} bytes, or a part than {MAX_PART_BYTES}"
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix without a closing slash when it is empty or an acceptable name.

    Raises
    ------
    InvalidRequestError
        It is neither.
    """
    bare = prefix.removesuffix("/")
    return check_key(bare) if bare else ""
