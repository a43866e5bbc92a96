"""The files of a TIFF set, and bytes from them."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.readers.places import descriptor_of, read_at

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import FileHandle

MAX_OPEN_MEMBERS = 16
SCRATCH_BYTES = 4 << 20
"""Larger scratch is not kept."""


class Handles:
    """The member files of a set; a bounded number is open at a time, the first file always.

    The first file is read at places, by any number of threads. Everything that moves or replaces a handle holds
    ``lock``: tifffile's own parsing, and reads of members, which may be closed to make room for others.
    """

    def __init__(self, root: "FileHandle") -> None:
        self.lock = threading.RLock()
        self._scratch = threading.local()
        self._root = root
        self._descriptor = descriptor_of(root)
        self._members: OrderedDict[str, FileHandle] = OrderedDict()

    def fill(self, handle: "FileHandle", place: int, into: "NDArray[Any]") -> None:
        """Fill a C-contiguous array with the bytes at a place of a file.

        Raises
        ------
        ReadError
            The file ends before them.
        """
        if handle is self._root and self._descriptor is not None:
            _check_end(handle, place, into.nbytes)
            found = read_at(self._descriptor, place, into)
        else:
            with self.lock:
                self._open(handle)
                _check_end(handle, place, into.nbytes)
                handle.seek(place)
                data = handle.read(into.nbytes)
            found = len(data)
            if found == into.nbytes:
                into.reshape(-1).view(np.uint8)[:] = np.frombuffer(data, np.uint8)
        if found != into.nbytes:
            raise ReadError(f"{handle.name} ended early: {found} of {into.nbytes} bytes at {place}")

    def get(self, handle: "FileHandle", place: int, count: int) -> bytes:
        """Return the bytes at a place of a file; no memory is asked for before it is known that they are there.

        Raises
        ------
        ReadError
            The file ends before them.
        """
        _check_end(handle, place, count)
        data: NDArray[np.uint8] = np.empty(count, np.uint8)
        self.fill(handle, place, data)
        return data.tobytes()

    def scratch(self, count: int) -> "NDArray[np.uint8]":
        """Return so many bytes for this thread to use until it asks again; memory used before costs nothing new."""
        held: NDArray[np.uint8] | None = getattr(self._scratch, "held", None)
        if held is None or held.nbytes < count:
            held = np.empty(count, np.uint8)
            if count <= SCRATCH_BYTES:
                self._scratch.held = held
        return held[:count]

    def close(self) -> None:
        """Close all members; the first file belongs to whoever opened it."""
        while self._members:
            self._members.popitem()[1].close()

    def _open(self, handle: "FileHandle") -> None:
        if handle is self._root:
            return
        if handle.closed:
            handle.open()
        self._members[handle.path] = handle
        self._members.move_to_end(handle.path)
        while len(self._members) > MAX_OPEN_MEMBERS:
            self._members.popitem(last=False)[1].close()


def _check_end(handle: "FileHandle", place: int, count: int) -> None:
    if place + count > handle.size:
        raise ReadError(
            f"the pixels at byte {place} need {count} bytes, but {handle.name} ends at byte {handle.size}: "
            "it is truncated. Copy it again from its source"
        )
