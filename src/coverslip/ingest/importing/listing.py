"""Everything below the top of a layout, listed once. Image folders and what is derived from them count as one thing."""

import os
import stat
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from coverslip.errors import NotFoundError, UnreadableFileError
from coverslip.ingest.remote_walk import seen_file, seen_folder
from coverslip.ingest.walk import see_folder
from coverslip.model.records import SeenFile
from coverslip.sources import Found, RemotePath

IMAGE_FOLDER = ".zarr"
DERIVED = "NeuroglancerPrecompute"
"""The folder of files for the viewer, thousands of them: they are made of the annotations and never imported."""


@dataclass(slots=True)
class Listing:
    """What a listing showed, by place below the top of the layout.

    Parameters
    ----------
    root
        The top of the layout.
    """

    root: Path
    files: dict[str, SeenFile] = field(default_factory=dict)
    """Files and image folders by key, in the order of the keys."""
    derived: int = 0
    """Files in the folders of the viewer."""
    unlisted: dict[str, str] = field(default_factory=dict)
    """Keys of folders that could not be listed, and why. What is in them is unknown, not absent."""
    _order: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = dict(sorted(self.files.items()))
        self._order = list(self.files)

    def below(self, folder: str) -> Iterator[str]:
        """Yield the keys below a folder, in their order."""
        inside = f"{folder}/"
        for key in self._order[bisect_left(self._order, inside) :]:
            if not key.startswith(inside):
                return
            yield key

    def is_unlisted(self, key: str) -> bool:
        """Return whether nobody knows what is under a key."""
        return any(key == folder or key.startswith(f"{folder}/") or not folder for folder in self.unlisted)

    def path(self, key: str) -> Path:
        """Return where a key lies."""
        return self.root / key


def list_layout(root: Path) -> Listing:
    """List everything below the top of a layout: of a bucket by one listing, page by page, without asking for objects.

    Hidden files and folders are left out, as everywhere.

    Parameters
    ----------
    root
        An absolute folder, or a prefix of a bucket as ``sources.locate`` makes it.

    Raises
    ------
    NotFoundError
        There is no such folder.
    UnreadableFileError
        It cannot be listed, or a bucket not to the end.
    """
    if isinstance(root, RemotePath):
        if root.address.is_web:
            raise UnreadableFileError(f"{root}: a web server does not list its files. Import from its bucket")
        return _list_remote(root)
    return _list_local(root)


def _list_remote(root: RemotePath) -> Listing:
    """List a prefix; the keys of an image folder come one after the other in any order that servers use."""
    start = len(root.as_posix_key()) + 1 if root.as_posix_key() else 0
    files: dict[str, SeenFile] = {}
    derived = 0
    for key, group in groupby(root.contents(), lambda found: _unit(found.key[start:])):
        name = key.rpartition("/")[2]
        if not key or _is_hidden(key):
            continue
        if name == DERIVED:
            derived += sum(1 for _ in group)
        elif key in files:
            raise UnreadableFileError(f"{root}/{key}: the listing comes back to it; it is not in order")
        else:
            files[key] = _see(root / key, list(group), start + len(key))
    for mark in _marks_of_folders(files):
        del files[mark]
    return Listing(root, files, derived)


def _see(path: Path, group: list[Found], end: int) -> SeenFile:
    assert isinstance(path, RemotePath)
    inside = [found for found in group if len(found.key) > end]
    return seen_folder(path, inside) if inside else seen_file(path, group[0])


def _unit(key: str) -> str:
    """Return the key of what is listed as one: an image folder, the folder of the viewer, or the file itself."""
    parts = key.split("/")
    for place, part in enumerate(parts[:-1]):
        if part.endswith(IMAGE_FOLDER) or part == DERIVED:
            return "/".join(parts[: place + 1])
    return key


def _is_hidden(key: str) -> bool:
    return any(part.startswith(".") for part in key.split("/"))


def _marks_of_folders(files: dict[str, SeenFile]) -> list[str]:
    """Return the empty objects that only say that a folder is there."""
    order = sorted(files)
    marks = []
    for key in order:
        if files[key].size == 0 and not files[key].is_folder:
            after = bisect_left(order, f"{key}/")
            if after < len(order) and order[after].startswith(f"{key}/"):
                marks.append(key)
    return marks


def _list_local(root: Path) -> Listing:
    if not root.is_dir():
        raise NotFoundError(f"{root}: there is no such folder")
    found = _Folders(str(root))
    found.enter(str(root), "")
    if "" in found.unlisted:
        raise UnreadableFileError(found.unlisted[""])
    return Listing(root, found.files, found.derived, found.unlisted)


@dataclass(slots=True)
class _Folders:
    """A walk through folders of this machine; links are followed, but not in circles."""

    root: str
    files: dict[str, SeenFile] = field(default_factory=dict)
    derived: int = 0
    unlisted: dict[str, str] = field(default_factory=dict)
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def enter(self, folder: str, key: str) -> None:
        """Take what is in a folder and below it, the names in their order."""
        waiting = [(folder, key)]
        while waiting:
            folder, key = waiting.pop()
            try:
                names = sorted(os.listdir(folder))  # noqa: PTH208  # a hundred thousand names: no objects for them
            except OSError as error:
                self._cannot(key, folder, error)
                continue
            for name in names:
                if not name.startswith("."):
                    below = f"{key}/{name}" if key else name
                    if self._take(os.path.join(folder, name), below, name):  # noqa: PTH118
                        waiting.append((os.path.join(folder, name), below))  # noqa: PTH118

    def _take(self, path: str, key: str, name: str) -> bool:
        """Note what is under a path and return whether it is a folder to enter."""
        try:
            status = os.stat(path)  # noqa: PTH116
            if stat.S_ISREG(status.st_mode):
                self.files[key] = SeenFile(path, status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode):
                if name == DERIVED:
                    self.derived += sum(len(files) for _, _, files in os.walk(path))
                elif name.endswith(IMAGE_FOLDER):
                    self.files[key] = see_folder(Path(path))
                elif (status.st_dev, status.st_ino) not in self._entered:
                    self._entered.add((status.st_dev, status.st_ino))
                    return True
        except FileNotFoundError:  # a link to nothing, or just removed
            pass
        except OSError as error:
            self._cannot(key, path, error)
        return False

    def _cannot(self, key: str, path: str, error: OSError) -> None:
        self.unlisted[key] = f"{path}: cannot be listed: {error.strerror or error}"
