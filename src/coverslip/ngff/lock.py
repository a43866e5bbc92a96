"""One process at a time writes a conversion: a lock that ends with its process, killed or not."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from coverslip.errors import ConflictError
from coverslip.ngff.files import said

if sys.platform != "win32":
    import fcntl

NAME = "writing.lock"
"""File in the working folder that is locked. A killed process leaves it there unlocked, which says nothing."""


@contextmanager
def held(partial: Path) -> Iterator[None]:
    """Hold a working folder for the time of a ``with`` statement. It is made where it is not there.

    In the end the file that was locked is removed, and the folder too where nothing else is in it. On Windows, and on
    network drives without locks, nothing is locked.

    Raises
    ------
    ConflictError
        Another process holds it; nothing was touched.
    StorageError
        The folder cannot be made or written.
    """
    stream = _locked(partial)
    try:
        yield
    finally:
        with suppress(OSError):  # what is left says nothing to the next one
            (partial / NAME).unlink(missing_ok=True)
            partial.rmdir()
        stream.close()


def _locked(partial: Path) -> BinaryIO:
    """Return the open, locked file; opened again where its last holder has removed it in between."""
    while True:
        with said(partial):
            partial.mkdir(exist_ok=True)
            try:
                stream = (partial / NAME).open("ab", buffering=0)
            except FileNotFoundError:
                if not partial.parent.is_dir():
                    raise
                continue
        try:
            _lock(stream)
        except BlockingIOError as error:
            stream.close()
            raise ConflictError(
                f"{partial}: is being written by another process. Wait until it has finished, or choose another name"
            ) from error
        if os.fstat(stream.fileno()).st_nlink > 0:
            return stream
        stream.close()


def _lock(stream: BinaryIO) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # some network drives know no locks
