"""Files that appear whole or not at all, and whether they can be written at all."""

import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from coverslip.errors import ConflictError, CoverslipError, StorageError
from coverslip.storage.folder import make_folders, reason_of
from coverslip.storage.interface import TEMPORARY

NO_MORE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP})
"""What stays as it is until a person does something: a full or read-only disk, a folder that may not be written."""
ABANDONED_SECONDS = 3600.0
"""Unfinished files that nobody has written to for so long belong to a process that was killed."""
SPARE_BYTES = 1 << 20
"""Room that is left on a disk: a job stops before the last byte is taken from others."""


class CannotWriteError(StorageError):
    """Nothing can be written there until somebody does something: the job waits, its items have not failed."""


class FileThereError(ConflictError):
    """A file is there that the job did not write: it stays."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is there and was not written by this export, so it is left as it is: move it away, then try again"
        )


def write(path: Path, data: bytes) -> None:
    """Write a file that appears under its name whole or not at all; raises what ``created`` raises."""
    with _placed(path) as temporary:
        file = _opened(temporary)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
        finally:
            os.close(file)


@contextmanager
def created(path: Path) -> Iterator[BinaryIO]:
    """Give a new file that gets its name when the ``with`` statement ends, and is gone after an exception.

    It is not forced to disk one by one, which would cost more than drawing it. What a power cut takes away is found by
    its checksum when the job goes on.

    Raises
    ------
    CannotWriteError
        The disk is full or read-only, or the folder may not be written.
    StorageError
        It could not be written now.
    """
    with _placed(path) as temporary:
        os.close(_opened(temporary))
        with Path(temporary).open("r+b") as stream:
            yield stream


@contextmanager
def _placed(path: Path) -> Iterator[str]:
    """Give the name of a file to make beside another, which takes the other's name when the block ends."""
    temporary = os.path.join(path.parent, f"{TEMPORARY}{uuid.uuid4().hex}")  # noqa: PTH118  # many a second
    try:
        try:
            yield temporary
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):  # it is not there, or stays until it is swept
                os.unlink(temporary)  # noqa: PTH108
            raise
    except CoverslipError:
        raise
    except OSError as error:
        raise refused(path, error) from error


@contextmanager
def created_folder(path: Path) -> Iterator[Path]:
    """Give a new folder that gets its name when the ``with`` statement ends, and is gone after an exception.

    What has the name already is replaced in one step more: it is moved aside, and removed when the new one is in place.

    Raises
    ------
    CannotWriteError
        The disk is full or read-only, or the folder above may not be written.
    StorageError
        It could not be written now.
    """
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    try:
        make_folders(path.parent)
        try:
            temporary.mkdir()
            yield temporary
            _put_in_place(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
    except StorageError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error, CannotWriteError):
            raise refused(path, error.__cause__) from error
        raise
    except CoverslipError:
        raise
    except OSError as error:
        raise refused(path, error) from error


@contextmanager
def compared(path: Path) -> Iterator[Path]:
    """Give another name for a file or folder to make, where one is there under its name that nobody knows; it stays.

    A process that was killed may have written it and not noted it: then it is what is made again now, byte for byte.
    What was made under the other name goes when the ``with`` statement ends.

    Raises
    ------
    FileThereError
        What is there is something else.
    """
    other = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    try:
        yield other
        try:
            is_same = digest(other) == digest(path)
        except OSError:  # what is there cannot be read
            is_same = False
        if not is_same:
            raise FileThereError(path)
    finally:
        _remove(other)


def digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 and size of a file or a folder.

    That of a folder is the SHA-256 of a line for each file in it, in the order of their paths as bytes: its own
    SHA-256, two spaces, its path from the folder with ``/``; ``sha256sum`` prints such lines. The size is that of all
    files.
    """
    if not path.is_dir():
        return _file_digest(path)
    names = sorted(files_in(path), key=os.fsencode)
    lines, total = hashlib.sha256(), 0
    for name in names:
        checksum, size = _file_digest(path / name)
        lines.update(f"{checksum}  ".encode() + os.fsencode(name) + b"\n")
        total += size
    return lines.hexdigest(), total


def files_in(folder: Path) -> Iterator[str]:
    """Yield the files in a folder and all folders in it, by their paths from there with ``/``."""
    for place, _, names in folder.walk():
        yield from ((place / name).relative_to(folder).as_posix() for name in names)


def _file_digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), os.fstat(stream.fileno()).st_size


def _put_in_place(folder: Path, path: Path) -> None:
    aside = None
    if os.path.lexists(path):
        aside = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        path.rename(aside)
    try:
        folder.rename(path)
    except OSError:
        if aside is not None:
            aside.rename(path)
        raise
    if aside is not None:
        _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # what is left is swept later
    else:
        path.unlink(missing_ok=True)


def _opened(temporary: str) -> int:
    """Return a new file, and make its folder if need be."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        make_folders(Path(temporary).parent)
        return os.open(temporary, flags, 0o666)


def sweep(folder: Path, keep: str = "") -> None:
    """Remove what killed processes have left of files in a folder, once it is old enough to be nobody's.

    What is called ``keep`` stays.
    """
    limit = time.time() - ABANDONED_SECONDS
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):  # what cannot be removed does no harm
            if path.name != keep and path.stat().st_mtime < limit:
                _remove(path)


def refused(path: Path, error: OSError) -> StorageError:
    """Return what an error of the operating system means for a job."""
    kind = CannotWriteError if error.errno in NO_MORE else StorageError
    return kind(f"cannot write {path}: {reason_of(error)}")


def check_folder(folder: Path) -> None:
    """Make a folder and prove that files can be made in it.

    Raises
    ------
    CannotWriteError, StorageError
        They cannot; the message says why.
    """
    try:
        make_folders(folder)
        probe = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise refused(folder, error) from error


def may_write(folder: Path) -> str | None:
    """Return why files cannot be written to a folder, which need not be there; ``None`` where they can."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            return None if os.access(place, os.W_OK | os.X_OK) else f"{place} may not be written"
        if place.exists():
            return f"{place} is no folder"
    return f"{folder}: no part of this path is there"


def free_bytes(folder: Path) -> int:
    """Return how much room there is for files of a folder, which need not be there."""
    place = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(place).free
