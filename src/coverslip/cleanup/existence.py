"""Which keys of a layout are there, which are certainly not, and which nobody knows about.

Absent is the strongest answer, so it takes the most: a complete listing that does not show the key and a second look
right before the answer that does not either. Everything doubtful is unknown: a refusal, a time-out, a listing that was
cut off, two looks that differ, a place with nothing in it at all.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.cleanup import existence_folder, existence_remote
from coverslip.cleanup.gc import never
from coverslip.cleanup.keys import key_below
from coverslip.cleanup.looked import Looked, Patience
from coverslip.sources import RemotePath

WITHIN_SECONDS = 900.0
"""How long all of it may take; what is not known by then is unknown."""


@dataclass(frozen=True, slots=True)
class Existence:
    """What is known of keys. Every key that was asked for is in exactly one of the three."""

    present: frozenset[str] = frozenset()
    """Keys as they were asked for. A folder is there when anything lies in it."""
    absent: frozenset[str] = frozenset()
    """Certainly not there. A key that was never asked for is not among them."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Nobody knows, and why."""
    orphans: frozenset[str] = frozenset()
    """What lies below the given prefixes and no key names, below the top of the layout. An image folder is one."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each orphan."""
    unlisted: Mapping[str, str] = field(default_factory=dict)
    """Folders of which no complete listing was to be had, and why: orphans may be missing."""
    requests: int = 0
    """Pages of listings and looks at single keys. What the library for buckets tried again is not counted."""
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is unknown and every listing is complete."""
        return not self.unknown and not self.unlisted


def look(
    top: Path,
    keys: Collection[str],
    *,
    prefixes: Iterable[str] | None = None,
    aliases: Collection[str] = (),
    only_with: Mapping[str, str] = existence_remote.NOTHING,
    now: Callable[[], float] = time.monotonic,
    should_stop: Callable[[], bool] = never,
    within_seconds: float = WITHIN_SECONDS,
) -> Existence:
    """Return which keys are there. Nothing raises: what cannot be asked is unknown.

    Parameters
    ----------
    top
        Top of the layout: an absolute folder, or an address as ``sources.locate`` makes it.
    keys
        Relative to the top, or as addresses below it; see ``key_below``.
    prefixes
        Folders below the top that are listed as a whole, for orphans; an empty text for all of the layout. Others are
        chosen so that few listings show all keys.
    aliases
        Other addresses of the top.
    only_with
        Keys that matter only while another key is there, such as files and the document that names them. While neither
        of the two is listed, such a key may be unknown: nobody asks for it a second time.
    now
        A clock in seconds that never goes back.
    should_stop
        Asked now and then; when true, everything that is not known yet is unknown.
    within_seconds
        How long it may take.
    """
    begun = now()
    texts: dict[str, list[str]] = defaultdict(list)
    unknown: dict[str, str] = {}
    for text in keys:
        key, reason = key_below(str(top), text, aliases)
        if reason:
            unknown[text] = reason
        else:
            texts[key].append(text)
    folders: list[str] = []
    unlisted: dict[str, str] = {}
    for prefix in prefixes or ():
        folder, reason = key_below(str(top), prefix, aliases) if prefix else ("", "")
        if reason:
            unlisted[prefix] = reason
        else:
            folders.append(folder)
    patience = Patience(should_stop, now, begun + within_seconds)
    looked = _look(top, texts, folders, patience, _together(str(top), texts, aliases, only_with))
    present: set[str] = set()
    absent: set[str] = set()
    for key, same in texts.items():
        if key in looked.unknown:
            unknown |= dict.fromkeys(same, looked.unknown[key])
        else:
            (present if key in looked.present else absent).update(same)
    return Existence(
        frozenset(present),
        frozenset(absent),
        unknown,
        frozenset(looked.orphans),
        looked.orphans,
        unlisted | looked.unlisted,
        looked.requests,
        now() - begun,
    )


def _together(
    top: str, texts: Mapping[str, Collection[str]], aliases: Collection[str], only_with: Mapping[str, str]
) -> dict[str, str]:
    """Return keys that only matter with another one, and that one, both below the top."""
    found: dict[str, str] = {}
    for key, same in texts.items():
        others = {only_with.get(text, "") for text in same}
        other, _ = key_below(top, others.pop(), aliases) if len(others) == 1 else ("", "")
        if other in texts:
            found[key] = other
    return found


def _look(
    top: Path, keys: Collection[str], folders: Collection[str], patience: Patience, only_with: Mapping[str, str]
) -> Looked:
    if isinstance(top, RemotePath):
        if top.address.is_web:
            return existence_remote.ask_each(top, keys, folders, patience)
        return existence_remote.look(top, keys, folders, patience, only_with)
    return existence_folder.look(top, keys, folders, patience)
