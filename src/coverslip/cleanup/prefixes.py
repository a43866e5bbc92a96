"""Few folders whose listings show many keys, and few keys that tell whether the listings are right."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

MOST_GROUPS = 16
"""So many listings in any case ..."""
KEYS_IN_GROUP = 200
"""... and more where each of them is for so many keys: then a page of it is well spent."""
FEW = 2
"""So few keys are asked for one by one rather than listed."""


@dataclass(frozen=True, slots=True)
class Group:
    """Keys that one listing shows."""

    folder: str
    """Below the top of the layout; empty for all of it."""
    keys: tuple[str, ...]
    """In their order."""
    is_whole: bool = False
    """Whether everything below the folder is wanted, not only these keys."""


def choose(keys: Iterable[str], folders: Iterable[str] = ()) -> list[Group]:
    """Return groups that hold every key once: the given folders as they are, and few others for the rest.

    A folder is divided where its parts have many keys each, so that they can be listed at the same time and what lies
    beside them is not listed at all.

    Parameters
    ----------
    keys
        Below the top of the layout.
    folders
        To be listed as a whole. One within another is part of it.
    """
    order = sorted(set(keys))
    groups: list[Group] = []
    for folder in outermost(folders):
        first, last = bisect_left(order, f"{folder}/"), bisect_left(order, f"{folder}0")  # "0" comes after "/"
        first, last = (first, last) if folder else (0, len(order))
        groups.append(Group(folder, tuple(order[first:last]), is_whole=True))
        del order[first:last]
    if not order:
        return groups
    waiting = [_deepest(order)]
    most = max(MOST_GROUPS, len(order) // KEYS_IN_GROUP)
    while waiting:
        largest = waiting.pop(max(range(len(waiting)), key=lambda place: len(waiting[place].keys)))
        parts, direct = divide(largest)
        allowed = max(MOST_GROUPS, len(largest.keys) // KEYS_IN_GROUP)
        if len(direct) <= FEW and 1 < len(parts) <= min(most, allowed):
            most -= len(parts) - 1
            waiting += parts
            groups += [Group(largest.folder, direct)] if direct else []
        else:
            groups.append(largest)
    return groups


def divide(group: Group) -> tuple[list[Group], tuple[str, ...]]:
    """Return the groups of the folders in a folder, and the keys that lie directly in it."""
    start = len(group.folder) + 1 if group.folder else 0
    parts: list[Group] = []
    direct: list[str] = []
    for _, some in groupby(group.keys, lambda key: key[start:].split("/", 1)[:1] if "/" in key[start:] else key):
        keys = list(some)
        if "/" in keys[0][start:]:
            parts.append(_deepest(keys))
        else:
            direct += keys
    return parts, tuple(direct)


def _deepest(keys: Sequence[str]) -> Group:
    """Return some keys, in their order, with the deepest folder that holds them all."""
    first, last = keys[0].split("/")[:-1], keys[-1].split("/")[:-1]
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return Group("/".join(first[:same]), tuple(keys))


def outermost(folders: Iterable[str]) -> list[str]:
    """Return folders without those that lie in another one of them."""
    found: list[str] = []
    for folder in sorted({one.strip("/") for one in folders}, key=lambda one: one.split("/") if one else []):
        if not found or (found[-1] and not folder.startswith(f"{found[-1]}/")):
            found.append(folder)
    return found
