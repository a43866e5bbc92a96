"""Folders of the machine that the kernel runs on, for whoever chooses where files go."""

import os
from pathlib import Path
from typing import Any

from coverslip.errors import InvalidRequestError, NotFoundError, StorageError, UnreadableFileError

MOST = 500
"""Folders of one folder that are listed."""


def listing(text: str) -> dict[str, Any]:
    """Return the folders in a folder: its ``path``, its ``parent``, their ``names`` in order, and how many there are.

    Parameters
    ----------
    text
        The folder; one that is not there yet stands for the nearest one above it. ``~`` is the home folder, empty the
        working folder.

    Raises
    ------
    UnreadableFileError
        It cannot be listed.
    """
    place = absolute(text)
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        with os.scandir(place) as entries:
            names = sorted(
                (one.name for one in entries if not one.name.startswith(".") and one.is_dir()), key=str.casefold
            )
    except OSError as error:
        raise UnreadableFileError(f"{place} cannot be listed: {error.strerror or error}") from error
    shown = [name for name in names if name.isprintable()][:MOST]
    return {
        "path": str(place),
        "parent": None if place == place.parent else str(place.parent),
        "names": shown,
        "more": len(names) - len(shown),
        "can_write": os.access(place, os.W_OK | os.X_OK),
    }


def make_folder(parent: str, name: str) -> Path:
    """Make a folder in one that is there, and return it.

    Raises
    ------
    InvalidRequestError
        The name is none.
    NotFoundError
        There is no such parent.
    StorageError
        It cannot be made.
    """
    if not name.strip() or name in {".", ".."} or "/" in name or "\\" in name or not name.isprintable():
        raise InvalidRequestError(f"{name!r} is no name of a folder")
    place = absolute(parent)
    if not place.is_dir():
        raise NotFoundError(f"there is no folder {place}")
    made = place / name.strip()
    try:
        made.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{made} cannot be made: {error.strerror or error}") from error
    return made


def absolute(text: str) -> Path:
    """Return a path from the root, without ``~`` and ``..``; links are kept.

    Raises
    ------
    InvalidRequestError
        It is no path.
    """
    if "\0" in text or len(text) > 4096:
        raise InvalidRequestError("this is no path")
    try:
        return Path(os.path.abspath(Path(text or ".").expanduser()))  # noqa: PTH100  # resolve() would follow links
    except RuntimeError as error:  # there is no such user
        raise InvalidRequestError(f"{text!r} is no path: {error}") from error
