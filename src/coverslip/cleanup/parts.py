"""Dividing a folder of a bucket that is wanted as a whole, so that its parts are listed at the same time.

A listing goes on page by page: four hundred pages of a whole layout are a minute across a network, and a few seconds
where its runs are listed beside each other. What lies directly in a folder takes one request.
"""

from dataclasses import dataclass

from coverslip.cleanup.prefixes import KEYS_IN_GROUP, MOST_GROUPS, Group
from coverslip.sources import RemotePath

PARTED = 1_000
"""Keys in a folder from which on it is divided: fewer are on a page or two."""
LEVELS = 2
"""Folders are divided into datasets, and these into runs."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A folder that was looked at, and what is to be listed instead of it."""

    direct: Group
    """The folder, with the keys that lie directly in it."""
    objects: tuple[tuple[str, int], ...]
    """Keys (of the bucket) and sizes of the objects directly in it."""
    shown: frozenset[str]
    """Those of the direct keys that are folders, and there."""
    groups: tuple[Group, ...]
    """The folders in it, all that were shown and all that keys lie in."""


def divided(top: RemotePath, group: Group) -> Parts | None:
    """Return the parts of a folder; ``None`` where it is better listed as it is.

    No key depends on what is shown here: folders that keys lie in are parts in any case. What is not shown though it is
    there may be missing among the orphans.

    Raises
    ------
    UnreadableFileError
        It cannot be listed.
    """
    if not group.is_whole or len(group.keys) < PARTED:
        return None
    folder = top / group.folder if group.folder else top
    listing = folder.listing()
    inside: dict[str, list[str]] = {path.name: [] for path in listing.folders if not path.name.startswith(".")}
    start = len(group.folder) + 1 if group.folder else 0
    direct: list[str] = []
    for key in group.keys:
        name, slash, _ = key[start:].partition("/")
        if slash:
            inside.setdefault(name, []).append(key)
        else:
            direct.append(key)
    shown = {key for key in direct if key[start:] in inside}
    if len(inside) > max(MOST_GROUPS, len(group.keys) // KEYS_IN_GROUP) or any(inside[key[start:]] for key in shown):
        return None
    parts = (
        Group(f"{group.folder}/{name}".lstrip("/"), tuple(keys), is_whole=True)
        for name, keys in inside.items()
        if f"{group.folder}/{name}".lstrip("/") not in shown
    )
    objects = tuple((found.key, found.size) for found in listing.files.values())
    return Parts(Group(group.folder, tuple(direct), is_whole=True), objects, frozenset(shown), tuple(parts))
