"""A source file, byte for byte, at the destination."""

from coverslip.errors import ReadError, UnreadableFileError
from coverslip.ingest.deposition.recipes.work import Work
from coverslip.ingest.deposition.steps import Input

BLOCK = 8 * 1024 * 1024
AT_ONCE = 64 * 1024 * 1024
"""Larger files are not held in memory."""


def copy_file(work: Work, wanted: Input, key: str) -> None:
    """Copy an input to an output.

    Raises
    ------
    ReadError
        It cannot be read.
    StorageError
        It cannot be written.
    """
    path = work.file(wanted)
    try:
        with path.open("rb") as stream:
            content = stream.read(AT_ONCE + 1)
            if len(content) <= AT_ONCE:
                work.publish(key, content)
                return
            with work.create(key) as writer:
                while content:
                    work.go_on()
                    writer.write(content)
                    content = stream.read(BLOCK)
    except ReadError:
        raise
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror or error}") from error
