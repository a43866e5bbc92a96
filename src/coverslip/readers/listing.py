"""What lies in a folder, for readers of images that are made of many files. Listing it once serves all of its files."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

SETTLED_NS = 2_000_000_000
"""A folder that changed within the last two seconds is listed anew: its time may not show the next change."""
KEPT = 64
NAMED = 3
"""Links that a note names."""
DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Listing:
    """The visible names in one folder, sorted."""

    files: tuple[str, ...]
    folders: tuple[str, ...]
    links: frozenset[str]
    """Those of them that are symbolic links."""


def list_folder(folder: Path) -> Listing:
    """Return the names in a folder.

    Raises
    ------
    OSError
        It is not there or cannot be listed.
    """
    return _list(str(folder), *stamp(folder))


def stamp(path: Path) -> tuple[int, int, int, int]:
    """Return what is different once a file or folder has changed: a key for what was read of it.

    Raises
    ------
    OSError
        It is not there, or cannot be looked at.
    """
    status = path.stat()
    now = time.time_ns()
    fresh = now if abs(now - status.st_mtime_ns) < SETTLED_NS else 0
    return status.st_ino, status.st_size, status.st_mtime_ns, fresh


def leads_out(path: Path, home: Path) -> bool:
    """Return whether a path lies outside of a folder once all symbolic links are followed."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home))


def note_of(links: Sequence[Path]) -> str | None:
    """Return what a note says about links that lead out of a set's home; ``None`` where there is none."""
    if not links:
        return None
    names = ", ".join(link.name for link in links[:NAMED]) + (" ..." if len(links) > NAMED else "")
    what = "1 link that leads" if len(links) == 1 else f"{len(links)} links that lead"
    return f"{what} to another folder left out: {names}"


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a key that sorts names as people do: ``CD4`` before ``CD20``, letter case aside."""
    words = DIGITS.split(name.casefold())
    return tuple((not word.isdigit(), int(word) if word.isdecimal() else 0, word) for word in words if word)


@lru_cache(KEPT)
def _list(folder: str, *_stamp: int) -> Listing:
    files: list[str] = []
    folders: list[str] = []
    links: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                (folders if entry.is_dir() else files).append(entry.name)
                if entry.is_symlink():
                    links.add(entry.name)
    return Listing(tuple(sorted(files)), tuple(sorted(folders)), frozenset(links))
