"""Bytes that are at hand: what can be read without ever waiting for a disk, straight from the event loop."""

import ctypes
import os
import stat
import sys
from typing import NamedTuple

from coverslip.api.parts import Asked, Head, head_of
from coverslip.api.stored_files import DOCUMENTS, FLAGS, etag_of
from coverslip.model.protocols import StoredGroup
from coverslip.model.records import ImagePlace

NOWAIT = getattr(os, "RWF_NOWAIT", 0)
"""Read what is in memory, or nothing: Linux alone."""
MOST_BYTES = 1 << 20
"""Larger answers are read and sent piece by piece."""
MOST_STORES = 4096


class _OpenHow(ctypes.Structure):
    """How ``openat2`` opens: https://man7.org/linux/man-pages/man2/openat2.2.html."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_OPENAT2 = ctypes.c_long(437)
_HERE = ctypes.c_long(-100)
_NO_SYMLINKS = 0x04
_HOW = _OpenHow(FLAGS, 0, _NO_SYMLINKS)
_HOW_POINTER = ctypes.byref(_HOW)
_HOW_SIZE = ctypes.c_long(ctypes.sizeof(_HOW))
_SYSCALL = ctypes.PyDLL(None).syscall
_SYSCALL.restype = ctypes.c_long


def open_without_links(path: str) -> int:
    """Return a descriptor of a file that no symbolic link leads to, or -1 where that cannot be had.

    One call of the system says so of the whole path; Linux has it since 5.6, others and some sandboxes do not.
    """
    if not sys.platform.startswith("linux"):
        return -1
    descriptor: int = _SYSCALL(_OPENAT2, _HERE, os.fsencode(path), _HOW_POINTER, _HOW_SIZE)
    return descriptor


class NearStore(NamedTuple):
    """A stored image on a disk of this machine."""

    place: ImagePlace
    """For which this was true."""
    root: str
    """Its folder, free of links."""


class NearStores:
    """Which images can be served from the event loop. Noted by threads, asked by the event loop."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], NearStore] = {}

    def note(self, place: ImagePlace, group: StoredGroup) -> None:
        """Remember where an image is stored, if reading there can be done without waiting."""
        key = place.id, group.version
        known = self._known.get(key)
        if known is not None and known.place == place:
            return
        if len(self._known) >= MOST_STORES:
            self._known.clear()
        root = os.path.realpath(group.folder)
        document = f"{root}/{DOCUMENTS[group.version][0]}"
        descriptor = open_without_links(document)
        if descriptor >= 0:
            os.close(descriptor)
            if is_near(document):
                self._known[key] = NearStore(place, root)

    def get(self, place: ImagePlace, version: str) -> NearStore | None:
        """Return the store of an image, if it is noted for this very place and revision."""
        key = place.id, version
        known = self._known.get(key)
        if known is None or known.place is place:
            return known
        if known.place != place:
            return None
        self._known[key] = known._replace(place=place)  # the next look finds the same object
        return known


def is_near(file: str) -> bool:
    """Return whether a file is on a disk that can be asked for what is in memory; network disks cannot."""
    if not NOWAIT:
        return False
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        os.preadv(descriptor, [bytearray(1)], 0, NOWAIT)
    except BlockingIOError:
        return True  # understood, only not in memory now
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def is_file(path: str) -> bool:
    """Return whether there is a file that no symbolic link leads to."""
    descriptor = open_without_links(path)
    if descriptor < 0:
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


class NearFiles:
    """Reads stored files from the event loop, and from nowhere else: it has one buffer."""

    def __init__(self) -> None:
        # memory touched for the first time costs more than the copy out of this
        self._buffer = memoryview(bytearray(MOST_BYTES))

    def answer(
        self, root: str, key: str, media_type: bytes, asked: Asked, *, head_only: bool
    ) -> tuple[Head, bytes] | None:
        """Return the answer for a stored file, or ``None`` for everything that may take time or goes wrong.

        Parameters
        ----------
        root
            A folder, free of links.
        key
            Of the form that ``stored_files.KEY`` allows.
        media_type
            It is sent with.
        asked
            Which bytes.
        head_only
            Whether no bytes are wanted.
        """
        descriptor = open_without_links(f"{root}/{key}")
        if descriptor < 0:
            return None
        try:
            found = os.fstat(descriptor)
            head = head_of(etag_of(found), found.st_size, media_type, asked)
            if stat.S_ISREG(found.st_mode) and head.status != 416:
                return self._with_bytes(descriptor, head, head_only)
        except OSError:
            pass  # the route will say what is wrong
        finally:
            os.close(descriptor)
        return None

    def _with_bytes(self, descriptor: int, head: Head, head_only: bool) -> tuple[Head, bytes] | None:
        length = head.stop - head.start
        if head_only or length == 0:
            return head, b""
        if length > MOST_BYTES:
            return None
        target = self._buffer[:length]
        return (head, bytes(target)) if os.preadv(descriptor, [target], head.start, NOWAIT) == length else None
