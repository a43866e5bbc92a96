"""Bytes in a folder. A file appears under its name whole and on disk, or not at all."""

import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from coverslip.errors import CoverslipError, NotFoundError, StorageError
from coverslip.storage.interface import TEMPORARY, StoredObject, check_key, check_prefix

PROBE = b"coverslip"

FULL = (errno.ENOSPC, errno.EDQUOT)

ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What the operating system says when there certainly is no file of that name."""


class FolderStorage:
    """Objects as files below one folder, which is made when it is missing.

    Raises
    ------
    StorageError
        The folder is not there and cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        with _said("make the folder", self.root):
            make_folders(self.root)

    def __repr__(self) -> str:
        return f"<FolderStorage {self.root}>"

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self.root)

    def put(self, key: str, data: bytes) -> None:
        """Publish bytes under a name; see ``Storage.put``."""
        final = self._path(key)
        with _said("write", final):
            make_folders(final.parent)
            write_file(final, data)

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Open a new file that is published at the end; see ``Storage.create``."""
        final = self._path(key)
        with _said("write", final):
            make_folders(final.parent)
            with _published(final) as stream:
                yield stream

    def read(self, key: str) -> bytes:
        """Return all bytes of an object; see ``Storage.read``."""
        path = self._path(key)
        with _said("read", path):
            try:
                return path.read_bytes()
            except ABSENT as error:
                raise NotFoundError(f"{key}: no such object in {self.root}") from error

    def exists(self, key: str) -> bool:
        """Return whether there is such an object; see ``Storage.exists``."""
        path = self._path(key)
        with _said("look at", path):
            try:
                return stat.S_ISREG(path.stat().st_mode)
            except ABSENT:
                return False

    def find(self, key: str) -> StoredObject:
        """Return an object as a listing would show it; see ``Storage.find``."""
        path = self._path(key)
        with _said("look at", path):
            try:
                seen = path.stat()
            except ABSENT as error:
                raise NotFoundError(f"{key}: no such object in {self.root}") from error
        if not stat.S_ISREG(seen.st_mode):
            raise NotFoundError(f"{key}: no such object in {self.root}")
        return _stored(key, seen)

    def delete(self, key: str) -> None:
        """Remove an object; see ``Storage.delete``."""
        path = self._path(key)
        with _said("remove", path), suppress(*ABSENT):
            path.unlink()

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Return every object below a prefix; see ``Storage.list``."""
        below = self.root / check_prefix(prefix)
        if not self.root.is_dir():
            raise StorageError(f"cannot list {self.root}: the folder is not there. Is its disk mounted?")
        return self._objects(below)

    def check(self) -> None:
        """Prove that the folder can be written; see ``Storage.check``."""
        probe = self.root / f"{TEMPORARY}check-{uuid.uuid4().hex}"
        with _said("write in", self.root):
            make_folders(self.root)
            _write(probe, PROBE)
            try:
                same = probe.read_bytes() == PROBE
            finally:
                probe.unlink()
        if not same:
            raise StorageError(f"{self.root} does not give back what was written to it")

    def sweep(self, older_than_seconds: float, prefix: str = "") -> int:
        """Remove abandoned temporary files; see ``Storage.sweep``."""
        limit = time.time() - older_than_seconds
        swept = 0
        for path in _files_below(self.root / check_prefix(prefix)):
            if path.name.startswith(TEMPORARY):
                with _said("sweep", path), suppress(*ABSENT):
                    if path.stat().st_mtime <= limit:
                        path.unlink()
                        swept += 1
        return swept

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _objects(self, below: Path) -> Iterator[StoredObject]:
        for path in _files_below(below):
            with _said("list", path), suppress(*ABSENT):
                if not path.name.startswith(TEMPORARY):
                    yield _stored(path.relative_to(self.root).as_posix(), path.stat())


def _stored(key: str, seen: os.stat_result) -> StoredObject:
    # a file is replaced as a whole, and so has another number; whoever writes into it moves its time
    version = f"{seen.st_size}-{seen.st_mtime_ns}-{seen.st_ino}"
    return StoredObject(key, seen.st_size, datetime.fromtimestamp(seen.st_mtime, UTC), version)


def write_file(final: Path, data: bytes) -> None:
    """Write a file that appears under its name whole and on disk, or not at all.

    Raises
    ------
    StorageError
        It could not be written; what was there before still is.
    """
    with _said("write", final):
        _write(final, data)


def _write(final: Path, data: bytes) -> None:
    with _published(final) as stream:
        stream.write(data)


@contextmanager
def _published(final: Path) -> Iterator[BinaryIO]:
    """Give a new file that gets its name when it is whole and on disk; after an exception nothing is left of it."""
    temporary = final.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    try:
        with temporary.open("x+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(final.parent)


def publish_file(temporary: Path, final: Path) -> None:
    """Give a finished temporary file its final name, in the same file system, so that it survives a power cut.

    Raises
    ------
    StorageError
        The file is not there, or its content or name could not be written.
    """
    with _said(f"publish {temporary.name} as", final):
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        make_folders(final.parent)
        temporary.replace(final)
        sync_folder(final.parent)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it; each new name is brought to disk."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk. Windows cannot open folders and needs no such thing."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder. A folder that vanishes meanwhile is absent; any other trouble is an error."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        found: list[Path] = []
        with _said("list", here), suppress(*ABSENT), os.scandir(here) as entries:
            for entry in entries:
                (waiting if entry.is_dir() else found).append(Path(entry.path))
        yield from found


@contextmanager
def _said(doing: str, path: Path) -> Iterator[None]:
    """Turn what the operating system raises into a ``StorageError``."""
    try:
        yield
    except CoverslipError:
        raise
    except OSError as error:
        raise StorageError(f"cannot {doing} {path}: {reason_of(error)}") from error


def reason_of(error: OSError) -> str:
    """Return why the operating system refused, in words."""
    return "the disk is full" if error.errno in FULL else error.strerror or str(error)
