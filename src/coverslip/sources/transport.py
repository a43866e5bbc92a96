"""What every place far away can do, and how it says that it did not."""

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from coverslip.errors import UnreadableFileError

PAUSES = (0.2, 0.8, 2.4)
"""Seconds between the attempts at one request."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object as its place describes it."""

    key: str
    size: int
    """Bytes."""
    version: str
    """Changes when the content does: the ETag, or the time of the last change where there is none."""
    modified_ns: int
    """Last change in nanoseconds; 0 where nobody says."""


class Transport(Protocol):
    """A bucket or a web server. Safe from any number of threads.

    What is not there is a ``FileNotFoundError``; every other failure an ``UnreadableFileError``: it says nothing about
    what is there.
    """

    def find(self, key: str) -> Found:
        """Return what is under a key."""
        ...

    def read(self, found: Found, offset: int, length: int) -> bytes:
        """Return exactly these bytes of exactly this version."""
        ...

    def read_whole(self, key: str) -> bytes:
        """Return a small object: a document, a chunk."""
        ...

    def folder(self, key: str) -> tuple[list[Found], list[str]]:
        """Return the objects directly in a folder, and the keys of the folders in it; complete or an error."""
        ...

    def below(self, key: str) -> Iterator[Found]:
        """Yield every object below a folder; complete or an error."""
        ...

    def pages(self, key: str, after: str = "") -> Iterator[list[tuple[str, int]]]:
        """Yield the keys and sizes of all objects below a folder, page by page; complete or an error.

        With ``after``, only what comes after that key in the order of the place.
        """
        ...

    def is_folder(self, key: str) -> bool:
        """Return whether anything lies below a key."""
        ...


class TransientError(Exception):
    """An attempt failed in a way that the next one may not."""


def absent(url: str) -> FileNotFoundError:
    """Return the error for an object that is certainly not there."""
    return FileNotFoundError(errno.ENOENT, "there is no such object", url)


def changed(url: str) -> UnreadableFileError:
    """Return the error for an object that is another one by now."""
    return UnreadableFileError(f"{url}: it was replaced while it was read. Read it again; to catalog it: coverslip add")


def patiently[T](url: str, call: Callable[[], T], pauses: Sequence[float] = PAUSES) -> T:
    """Return ``call()``, tried again after growing pauses while it raises ``TransientError``.

    Raises
    ------
    UnreadableFileError
        The last attempt failed like the others.
    """
    for pause in pauses:
        try:
            return call()
        except TransientError:
            time.sleep(pause)
    try:
        return call()
    except TransientError as error:
        raise UnreadableFileError(f"{url}: cannot be read ({len(pauses) + 1} attempts): {error}") from error
