"""Where the documents and chunks of a Zarr hierarchy are: in a folder, or in one zip file.

Nothing outside of what was opened is read, whatever links lead there, and no member of a zip is ever written to disk.
Zip: https://ngff.openmicroscopy.org/rfc/9 (one image in ``.ozx``), and what ``zarr.storage.ZipStore`` writes.
"""

import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from coverslip.errors import ReadError
from coverslip.sources import RemotePath

DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
ENDINGS = (".ome.zarr.zip", ".zarr.zip", ".ozx")
"""Of zip files."""
ABSENT = (FileNotFoundError, NotADirectoryError)
MOST_FOLDERS = 65_536
BOMB_BYTES = 64 << 20
BOMB_RATIO = 100
"""A zip member above so many bytes that was squeezed by more than this is refused. Chunks are compressed already."""
SHARDS_KEPT = 8
"""Remote shards of which the index and the blocks around what was read are remembered."""
WHOLE = slice(None)
OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""Nobody waits for the other end of a pipe that is called like a chunk."""


class Store(Protocol):
    """Bytes by key, such as ``"0/c/0/1"``."""

    path: Path
    """What was opened."""
    lists: bool
    """Whether ``names`` can tell: web servers list nothing."""

    def read(self, key: str, part: slice = WHOLE) -> bytes | None:
        """Return the bytes under a key, or a part of them; ``None`` only where nothing is stored.

        Raises
        ------
        ReadError
            Something is there and cannot be read, or lies outside of what was opened.
        """
        ...

    def names(self, key: str) -> Iterator[str]:
        """Yield the names directly below a key, in no order."""
        ...

    def close(self) -> None:
        """Release every handle. Safe to call twice."""
        ...


class FolderStore:
    """A hierarchy in a folder. Between two reads nothing is held open."""

    lists = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inside: set[str] = set()

    def read(self, key: str, part: slice = WHOLE) -> bytes | None:
        """Return the bytes of a file, or a part of them; ``None`` where there is no such file."""
        descriptor = self.open(key)
        if descriptor is None:
            return None
        with open(descriptor, "rb") as stream:  # noqa: PTH123  # chunks come by the thousand
            if part == WHOLE:
                return stream.read()
            start, stop, _ = part.indices(os.fstat(descriptor).st_size)
            stream.seek(start)
            return stream.read(max(0, stop - start))

    def open(self, key: str) -> int | None:
        """Return the number of an open file, to be closed by the caller; ``None`` where there is no such file."""
        name = os.path.join(self.path, key)  # noqa: PTH118  # as above
        self._check(name)
        try:
            descriptor = os.open(name, OPENING)
        except ABSENT as error:
            if os.path.islink(name):  # noqa: PTH114  # as above
                raise ReadError(f"{name}: the link leads to nothing: a chunk or document is gone") from error
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ReadError(f"{name}: this is no file but a folder, pipe or device")
        return descriptor

    def names(self, key: str) -> Iterator[str]:
        """Yield the names of the files and folders in a folder."""
        self._check(os.path.join(self.path, key, "."))  # noqa: PTH118  # as above
        try:
            yield from os.listdir(self.path / key)  # noqa: PTH208  # names are all that is wanted
        except ABSENT:
            return

    def close(self) -> None:
        """Do nothing: there are no handles."""

    @cached_property
    def _root(self) -> str:
        return os.path.join(os.path.realpath(self.path), "")  # noqa: PTH118

    def _check(self, name: str) -> None:
        """Refuse a path that a link leads out of the folder. Folders that are inside are looked at once."""
        folder = os.path.dirname(name)  # noqa: PTH120
        if folder in self._inside and not os.path.islink(name):  # noqa: PTH114
            return
        if not os.path.join(os.path.realpath(name), "").startswith(self._root):  # noqa: PTH118
            raise ReadError(f"{name}: a link leads out of the folder that was opened. It will not be followed")
        real = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118
        if real.startswith(self._root) and len(self._inside) < MOST_FOLDERS:
            self._inside.add(folder)


class ZipStore:
    """A hierarchy in a zip file, at its top or in the one folder there. Members are read, never extracted."""

    lists = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._zip = zipfile.ZipFile(path)
        self._top = _top(self._zip)

    def read(self, key: str, part: slice = WHOLE) -> bytes | None:
        """Return the bytes of a member, or a part of them; ``None`` where there is no such member."""
        with self._lock:
            try:
                member = self._zip.getinfo(self._top + key)
            except KeyError:
                return None
            if member.flag_bits & 1:
                raise ReadError(f"{self.path}: {key} is encrypted")
            if member.file_size > max(BOMB_BYTES, BOMB_RATIO * member.compress_size):
                raise ReadError(
                    f"{self.path}: {key} would grow from {member.compress_size} to {member.file_size} bytes: refused. "
                    "Chunks are compressed already; write them without compression into the zip"
                )
            start, stop, _ = part.indices(member.file_size)
            with self._zip.open(member) as stream:
                if start:
                    stream.seek(start)
                data = stream.read(max(0, stop - start))
        if len(data) < stop - start:
            raise ReadError(f"{self.path}: {key} is truncated: {len(data)} of {stop - start} bytes are there")
        return data

    def names(self, key: str) -> Iterator[str]:
        """Yield the names directly below a key."""
        yield from self._children.get(f"{self._top}{key}".rstrip("/"), ())

    def close(self) -> None:
        """Close the zip file."""
        self._zip.close()

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        """Names below every folder of the archive, each once."""
        below: dict[str, dict[str, None]] = {}
        for name in self._zip.namelist():
            parts = name.rstrip("/").split("/")
            for depth in range(len(parts)):
                below.setdefault("/".join(parts[:depth]), {})[parts[depth]] = None
        return {folder: list(names) for folder, names in below.items()}


class RemoteStore:
    """A hierarchy below a remote address. What is certainly not there is absent; what could not be had is an error."""

    def __init__(self, path: RemotePath) -> None:
        self.path: Path = path
        self.lists = not path.address.is_web
        self._folder = path
        self._kept = lru_cache(SHARDS_KEPT)(path.joinpath)

    def read(self, key: str, part: slice = WHOLE) -> bytes | None:
        """Return the bytes of an object, or a part of them; ``None`` where there is none.

        Raises
        ------
        UnreadableFileError
            Nobody knows.
        """
        try:
            if part == WHOLE:
                return (self._folder / key).read_bytes()
            source = self._kept(key).source()
        except FileNotFoundError:
            return None
        start, stop, _ = part.indices(source.size)
        if part.stop is not None and stop < part.stop:
            raise ReadError(f"{self.path / key}: {part.stop} bytes are wanted, it has {source.size}: it is truncated")
        return source.read_at(start, max(0, stop - start))

    def names(self, key: str) -> Iterator[str]:
        """Yield the names directly below a key; none on a web server."""
        if self.lists:
            yield from (item.name for item in (self._folder / key).iterdir())

    def close(self) -> None:
        """Do nothing: there are no handles."""


def open_store(path: Path) -> FolderStore | ZipStore | RemoteStore:
    """Return the store of a folder, a zip file or what lies below a remote address.

    Raises
    ------
    ReadError
        The zip file is damaged.
    """
    if path.is_dir():
        return RemoteStore(path) if isinstance(path, RemotePath) else FolderStore(path)
    try:
        return ZipStore(path)
    except zipfile.BadZipFile as error:
        raise ReadError(f"{path}: a damaged zip file: {error}. Copy it again from its source") from error


def is_zipped_zarr(path: Path) -> bool:
    """Return whether a zip file holds a Zarr hierarchy at its top, or in the one folder there.

    Of a damaged one nobody knows but by its name; who opens it says what is wrong.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            return any(f"{_top(archive)}{name}" in archive.NameToInfo for name in DOCUMENTS)
    except (zipfile.BadZipFile, NotImplementedError):
        return path.name.lower().endswith(ENDINGS)


def _top(archive: zipfile.ZipFile) -> str:
    """Return what comes before every key: nothing, or the one folder that holds the documents."""
    if any(name in archive.NameToInfo for name in DOCUMENTS):
        return ""
    tops = {name.split("/")[0] for name in archive.NameToInfo}
    return f"{tops.pop()}/" if len(tops) == 1 else ""
