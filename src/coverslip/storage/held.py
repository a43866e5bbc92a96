"""Files that say whether somebody is still at work on them: a lock that ends with its process, killed or not."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from coverslip.storage.folder import sync_folder

if sys.platform != "win32":
    import fcntl


@contextmanager
def hold(path: Path, content: bytes = b"") -> Iterator[None]:
    """Hold a file for the time of a ``with`` statement: nobody finds it abandoned. It is made when it is not there.

    Parameters
    ----------
    path
        The file. Its content may be written, and the file renamed or removed, while it is held.
    content
        Written first, and brought to disk together with the name.

    Raises
    ------
    OSError
        It cannot be made or written.
    """
    with _locked(path) as stream:
        if content:
            stream.truncate(0)
            stream.write(content)
            os.fsync(stream.fileno())
            sync_folder(path.parent)
        yield


@contextmanager
def abandoned(path: Path, after_seconds: float) -> Iterator[bool]:
    """Give whether nobody holds a file; until the ``with`` statement ends nobody does.

    Parameters
    ----------
    path
        The file.
    after_seconds
        Where the file system knows no locks: without a change for so long it counts as abandoned.

    Raises
    ------
    OSError
        It is gone, or cannot be opened.
    """
    with path.open("r+b") as stream:
        try:
            is_free = _try_lock(stream)
        except BlockingIOError:
            yield False
            return
        found = os.fstat(stream.fileno())
        yield found.st_nlink > 0 and (is_free or found.st_mtime <= time.time() - after_seconds)


def _try_lock(stream: BinaryIO, *, wait: bool = False) -> bool:
    """Lock an open file and return True; False where there are no locks.

    Raises
    ------
    BlockingIOError
        Somebody else holds it.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False  # some network drives
    return True


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open and lock a file, again if somebody has removed it in between. Unbuffered: closing it writes nothing."""
    while True:
        with path.open("ab", buffering=0) as stream:
            _try_lock(stream, wait=True)
            if os.fstat(stream.fileno()).st_nlink > 0:
                yield stream
                return
