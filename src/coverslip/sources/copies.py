"""Local copies of remote files, for formats that cannot be read by ranges: a folder of bounded size.

A copy is named by the address and the version of what it is a copy of, appears whole or not at all, and has a lock file
beside it: shared by whoever has it open, exclusive for who writes or removes it. So processes and threads agree, and a
killed one holds nothing.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import UnreadableFileError
from coverslip.model import ByteSource

PIECE = 8 << 20
UNFINISHED = ".unfinished-"
SPARE_BYTES = 64 << 20
"""What is left free on the disk (64 MiB)."""


@dataclass(slots=True)
class LocalCopy:
    """A copy that is not removed until it is released."""

    path: Path
    _lock: int

    def release(self) -> None:
        """Let it be removed. Safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class LocalCopies:
    """The folder of copies.

    Parameters
    ----------
    folder
        Made when it is needed.
    max_bytes
        How much all copies may take. The least recently used ones go first; those in use stay.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def hold(self, source: ByteSource, name: str) -> LocalCopy:
        """Return a copy of a source, made now if there is none.

        Parameters
        ----------
        source
            One version of a remote file.
        name
            File name of the copy; its ending is what some formats are known by.

        Raises
        ------
        UnreadableFileError
            It does not fit, the folder cannot be written, or the source cannot be read.
        """
        what = f"{source.address}\0{source.version}\0{source.size}".encode(errors="surrogateescape")
        key = hashlib.blake2b(what, digest_size=16).hexdigest()
        place = self._folder / key / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while True:
                lock = self._locked(key, fcntl.LOCK_SH)
                if _is_whole(place, source.size):
                    os.utime(lock)
                    return LocalCopy(place, lock)
                os.close(lock)
                lock = self._locked(key, fcntl.LOCK_EX)
                try:
                    if not _is_whole(place, source.size):
                        self._make(source, place)
                finally:
                    os.close(lock)
        except UnreadableFileError:
            raise
        except OSError as error:
            raise UnreadableFileError(
                f"{source.address}: no local copy can be kept in {self._folder}: {error.strerror or error}. "
                "COVERSLIP_REMOTE_CACHE names another folder"
            ) from error

    def _locked(self, key: str, how: int) -> int:
        """Return the open lock file of a copy, locked; one that was removed meanwhile is opened anew."""
        path = self._folder / f"{key}.lock"
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, how)
                if path.stat().st_ino == os.fstat(lock).st_ino:
                    return lock
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)

    def _make(self, source: ByteSource, place: Path) -> None:
        """Copy the source. The caller holds the lock of this copy alone."""
        shutil.rmtree(place.parent, ignore_errors=True)  # what a killed process has left
        draft = place.parent / f"{UNFINISHED}{place.name}"[:255]
        with self._reserving():
            self._make_room(source, place.parent.name)
            place.parent.mkdir()
            with draft.open("xb") as stream:
                stream.truncate(source.size)  # counts from now on
        try:
            with draft.open("r+b") as stream:
                for start in range(0, source.size, PIECE):
                    stream.write(source.read_at(start, min(PIECE, source.size - start)))
            draft.replace(place)
        except BaseException:
            shutil.rmtree(place.parent, ignore_errors=True)
            raise

    @contextmanager
    def _reserving(self) -> Iterator[None]:
        """Let one process at a time count what there is."""
        lock = self._locked("room", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(lock)

    def _make_room(self, source: ByteSource, key: str) -> None:
        """Remove the least recently used copies until another one fits.

        Raises
        ------
        UnreadableFileError
            It does not fit even so.
        """
        if source.size > self._max_bytes:
            raise UnreadableFileError(
                f"{source.address}: its format is read through a local copy, and its {source.size} bytes are more than "
                f"the {self._max_bytes} that copies may take (COVERSLIP_REMOTE_CACHE_BYTES)"
            )
        others = {path: _size(path) for path in self._folder.iterdir() if path.is_dir() and path.name != key}
        taken = sum(others.values())
        for path in sorted(others, key=self._used_at):
            if taken + source.size <= self._max_bytes and self._fits_disk(source.size):
                break
            if self._remove(path.name):
                taken -= others[path]
        if taken + source.size > self._max_bytes or not self._fits_disk(source.size):
            raise UnreadableFileError(
                f"{source.address}: there is no room for a local copy of {source.size} bytes in {self._folder}: "
                f"{taken} of {self._max_bytes} bytes are in use, {shutil.disk_usage(self._folder).free} are free"
            )

    def _fits_disk(self, size: int) -> bool:
        return shutil.disk_usage(self._folder).free >= size + SPARE_BYTES

    def _used_at(self, copy: Path) -> float:
        try:
            return (self._folder / f"{copy.name}.lock").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _remove(self, key: str) -> bool:
        """Remove a copy unless somebody has it open; return whether it is gone."""
        try:
            lock = self._locked(key, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            with suppress(FileNotFoundError):  # whoever made it may have failed and removed it
                shutil.rmtree(self._folder / key)
            (self._folder / f"{key}.lock").unlink(missing_ok=True)
        finally:
            os.close(lock)
        return True


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _size(folder: Path) -> int:
    """Return the bytes in a folder; somebody else may rename a draft or remove the folder meanwhile."""
    total = 0
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                total += path.stat().st_size
    return total
