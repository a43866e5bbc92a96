"""What is there of a layout in a folder of this machine."""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.cleanup.looked import Looked, Patience, unit
from coverslip.cleanup.prefixes import outermost

CALLS_BETWEEN_LOOKS = 256
"""Keys between two looks at whether to stop."""


def look(top: Path, keys: Collection[str], folders: Collection[str], patience: Patience) -> Looked:
    """Return what is known of keys below a folder.

    Every folder on the way to a key is listed, once. A share that is not mounted looks like an empty folder: nothing is
    absent in an empty top or below an empty folder directly in it, nor when the top is another one in the end than in
    the beginning.
    """
    walk = _Walk(str(top))
    before = _which(walk.top)
    looked = Looked()
    for place, key in enumerate(sorted(keys)):
        ended = patience.ended() if place % CALLS_BETWEEN_LOOKS == 0 or walk.ended else ""
        walk.ended = walk.ended or ended
        answer = walk.ended or walk.find(key)
        if answer == "present":
            looked.present.add(key)
        elif answer != "absent":
            looked.unknown[key] = answer
    folders = outermost(folders)
    used = {unit(key) for key in keys} if folders else set()
    for folder in folders:
        for path, size in walk.everything(folder, patience):
            if unit(path) not in used and not _is_in(path, keys):
                looked.orphans[unit(path)] = looked.orphans.get(unit(path), 0) + size
    if before is None or _which(walk.top) != before:
        doubt = f"{top}: it is gone, or another one than before"
        looked.unknown |= {key: doubt for key in keys if key not in looked.present and key not in looked.unknown}
        looked.unlisted |= dict.fromkeys(folders, doubt)
    looked.unlisted |= walk.unlisted
    looked.requests = walk.calls
    return looked


def _which(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116  as below
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _is_in(path: str, keys: Collection[str]) -> bool:
    """Return whether a file lies in a folder that is a key."""
    while "/" in path:
        path = path.rpartition("/")[0]
        if path in keys:
            return True
    return False


@dataclass(slots=True)
class _Walk:
    top: str
    ended: str = ""
    calls: int = 0
    unlisted: dict[str, str] = field(default_factory=dict)
    _names: dict[str, frozenset[str] | str] = field(default_factory=dict)

    def find(self, key: str) -> str:
        """Return ``present``, ``absent`` or why nobody knows."""
        parts = key.split("/")
        folder = ""
        for depth, part in enumerate(parts):
            names = self._list(folder)
            if isinstance(names, str):
                return names
            if part not in names:
                if not names and depth <= 1:
                    return f"{self._path(folder)}: it is empty, as where a share is not mounted"
                return self._look_again(key)
            folder = f"{folder}/{part}" if folder else part
        try:
            is_empty_folder = self._is_folder(key) and self._list(key) == frozenset()
        except OSError as error:
            return f"{self._path(key)}: {error.strerror or error}"
        return f"{self._path(key)}: it is an empty folder" if is_empty_folder else "present"

    def _look_again(self, key: str) -> str:
        """Return the answer to a second question, which is put to the file itself."""
        self.calls += 1
        try:
            os.lstat(self._path(key))
        except FileNotFoundError:
            return "absent"
        except OSError as error:
            return f"{self._path(key)}: {error.strerror or error}"
        return "the listing does not show it, and it is there"

    def _is_folder(self, key: str) -> bool:
        self.calls += 1
        return stat.S_ISDIR(os.stat(self._path(key)).st_mode)  # noqa: PTH116  a hundred thousand of them: no objects

    def _list(self, folder: str) -> frozenset[str] | str:
        """Return the names in a folder, or why they are not known."""
        if folder not in self._names:
            self.calls += 1
            try:
                self._names[folder] = frozenset(os.listdir(self._path(folder)))  # noqa: PTH208  as above
            except OSError as error:
                self._names[folder] = f"{self._path(folder)}: cannot be listed: {error.strerror or error}"
        return self._names[folder]

    def everything(self, folder: str, patience: Patience) -> Iterator[tuple[str, int]]:
        """Yield every visible file below a folder with its size; links are not followed."""
        waiting = [] if folder and self.find(folder) == "absent" else [folder]
        while waiting:
            folder = waiting.pop()
            if ended := patience.ended():
                self.unlisted[folder] = ended
                return
            self.calls += 1
            try:
                with os.scandir(self._path(folder)) as entries:
                    for entry in entries:
                        key = f"{folder}/{entry.name}" if folder else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            waiting += [] if entry.name.startswith(".") else [key]
                        elif not entry.name.startswith("."):
                            yield key, entry.stat(follow_symlinks=False).st_size
            except OSError as error:
                self.unlisted[folder] = f"{self._path(folder)}: cannot be listed: {error.strerror or error}"

    def _path(self, key: str) -> str:
        return f"{self.top}/{key}" if key else self.top
