"""Bytes at a place of an open file.

With the descriptor of a file of this machine the position of its handle is neither used nor moved, so threads may share
it; the stream of a remote file has one position, for one reader at a time.
"""

import os
from typing import IO, TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

LIMIT = 1 << 30
"""Bytes asked of the system at once; Linux gives no more than 2 GiB."""


class _HasNumber(Protocol):
    def fileno(self) -> int: ...


def descriptor_of(stream: _HasNumber) -> int | None:
    """Return the number of an open file that ``read_at`` takes; the stream of a remote one has none."""
    try:
        return stream.fileno() if hasattr(os, "pread") else None
    except OSError:
        return None


def read_stream_at(stream: "IO[bytes]", place: int, into: "NDArray[Any]") -> int:
    """Fill an array as ``read_at`` does, from a stream whose position is moved: one read at a time.

    Parameters
    ----------
    stream
        Open for reading.
    place
        Of the first byte.
    into
        C-contiguous and writable, of any type.

    Returns
    -------
    int
        Fewer than ``into.nbytes`` only where the stream ends.
    """
    buffer = _bytes_of(into)
    stream.seek(place)
    filled = 0
    while filled < buffer.nbytes:
        data = stream.read(min(LIMIT, buffer.nbytes - filled))
        if not data:
            break
        buffer[filled : filled + len(data)] = np.frombuffer(data, np.uint8)
        filled += len(data)
    return filled


def read_at(descriptor: int, place: int, into: "NDArray[Any]") -> int:
    """Fill an array with the bytes of a file and return how many there were.

    An ordinary read rather than a memory map: a file that is cut short while it is mapped ends the whole process with
    a bus error.

    Parameters
    ----------
    descriptor
        Of a file that is open for reading.
    place
        Of the first byte.
    into
        C-contiguous and writable, of any type.

    Returns
    -------
    int
        Fewer than ``into.nbytes`` only where the file ends.
    """
    buffer = _bytes_of(into)
    filled, wanted = 0, buffer.nbytes
    while filled < wanted:
        got = _read(descriptor, place + filled, buffer[filled : filled + LIMIT])
        if not got:
            break
        filled += got
    return filled


def _bytes_of(into: "NDArray[Any]") -> "NDArray[np.uint8]":
    buffer = into.reshape(-1).view(np.uint8)
    if not np.shares_memory(buffer, into):
        raise ValueError("only C-contiguous arrays are filled")
    return buffer


def _read(descriptor: int, place: int, buffer: "NDArray[np.uint8]") -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], place)
    data = os.pread(descriptor, len(buffer), place)
    buffer[: len(data)] = np.frombuffer(data, np.uint8)
    return len(data)
