"""Files that appear under their name whole and on disk, or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coverslip.errors import StorageError

UNFINISHED = ".tmp"
"""How the names of files end that are being written."""


def put_file(temporary: Path, final: Path, data: bytes, *, is_lasting: bool = True) -> None:
    """Write a file that appears under its name whole and on disk, or not at all.

    Parameters
    ----------
    temporary
        Where it is until it is whole, on the same disk.
    final
        Its path.
    data
        All of it.
    is_lasting
        Whether it is forced to disk at once, which takes milliseconds.

    Raises
    ------
    StorageError
        It could not be written.
    """
    beside = temporary / f"{uuid.uuid4().hex}{UNFINISHED}"
    with said(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("xb") as stream:
                stream.write(data)
                if is_lasting:
                    stream.flush()
                    os.fsync(stream.fileno())
            beside.replace(final)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Name the file when the system refuses."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
