"""What is there of a layout in a bucket or on a web server.

A bucket is listed, many keys to a request; single keys are asked for where that is cheaper, and to check what listings
say. No order of the keys in a listing is relied upon: servers differ in it.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from coverslip.cleanup.looked import Looked, Patience, unit
from coverslip.cleanup.parts import LEVELS, divided
from coverslip.cleanup.prefixes import FEW, Group, choose, divide
from coverslip.errors import CoverslipError
from coverslip.sources import RemotePath

AT_ONCE = 16
"""Requests at the same time."""
PAUSES = (0.5, 2.0)
"""Seconds before folders whose listing failed are listed again, each time a quarter of them at the same time."""
FREE_PAGES = 4
"""So many pages of a listing in any case, and one more for every ``KEYS_OF_A_PAGE`` keys that are wanted from it: what
is larger is full of other things, and its folders are asked for one by one."""
KEYS_OF_A_PAGE = 4
WHOLE_PAGES = 2_000
"""Pages of a listing for orphans: two million objects. Where there are more, orphans are not known, and keys are looked
for as if nobody had wanted to know."""
DOCUMENT = ".json"
MOST_FAILURES = 10
"""So many single keys in a row that could not be asked for, and no more are."""
ALONG = "it was not asked for again, because what names it is not there either"
"""Why nobody knows about a key that only matters with another one."""
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class _Seen:
    """What one listing showed."""

    present: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    """Those of them that are objects, not folders."""
    others: dict[str, int] = field(default_factory=dict)
    pages: int = 0
    objects: int = 0
    reason: str = ""
    """Why it is not complete."""
    is_too_large: bool = False
    """Whether it was given up because almost nothing in it is wanted."""


def look(
    top: RemotePath, keys: Collection[str], folders: Collection[str], patience: Patience, only_with: Mapping[str, str]
) -> Looked:
    """Return what is known of keys in a bucket; see ``existence.look``."""
    asking = _Asking(top, patience, only_with)
    try:
        asking.run(choose(keys, folders))
    finally:
        asking.pool.shutdown()
    return asking.looked


def ask_each(top: RemotePath, keys: Collection[str], folders: Collection[str], patience: Patience) -> Looked:
    """Return what is known of keys on a web server, which lists nothing: each is asked for, the absent ones twice."""
    asking = _Asking(top, patience)
    try:
        missing = asking.ask(sorted(keys))
        again = asking.ask(missing)
        asking.doubt(set(missing) - set(again) - asking.looked.unknown.keys(), "two answers differ")
        if not asking.looked.present:
            asking.doubt(again, f"{top}: nothing that was asked for is there")
    finally:
        asking.pool.shutdown()
    asking.looked.unlisted |= dict.fromkeys(folders, "a web server does not list its files")
    return asking.looked


class _Asking:
    """One look."""

    def __init__(self, top: RemotePath, patience: Patience, only_with: Mapping[str, str] = NOTHING) -> None:
        self.top = top
        self.patience = patience
        self.only_with = only_with
        self.looked = Looked()
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="existence")
        self.anything = False
        self._failures = 0
        self._start = len(top.as_posix_key()) + 1 if top.as_posix_key() else 0

    def run(self, groups: Sequence[Group]) -> None:
        """List groups, divide what is too large, ask for what is left, then look a second time."""
        listed: list[tuple[Group, _Seen]] = []
        single: list[str] = []
        groups = self._divide(groups, listed)
        while groups:
            single += [key for one in groups if not one.is_whole and len(one.keys) <= FEW for key in one.keys]
            worth = [one for one in groups if one.is_whole or len(one.keys) > FEW]
            groups = []
            for group, seen in self._list_all(worth):
                if not seen.is_too_large:
                    listed.append((group, seen))
                    continue
                self.looked.present |= seen.present
                left = tuple(key for key in group.keys if key not in seen.present)
                if group.is_whole:
                    seen.reason = f"more than {seen.objects:,} objects lie there"
                    self._note_others(group, seen)
                    groups += choose(left)
                    continue
                parts, direct = divide(Group(group.folder, left))
                single += direct
                groups += parts
        for group, seen in listed:
            self.looked.present |= seen.present
            self._note_others(group, seen)
        missing = self.ask(single)
        again = self.ask(missing)
        self.doubt(set(missing) - set(again) - self.looked.unknown.keys(), "two answers differ")
        absent = [*again, *self._look_again(listed)]
        if absent and not (self.anything or self.looked.present or self._is_anything_there()):
            self.doubt(absent, f"{self.top}: nothing at all lies there")

    def _divide(self, groups: Sequence[Group], listed: list[tuple[Group, _Seen]]) -> list[Group]:
        """Return the parts of large folders; what lies directly in those is noted as listed."""
        found: list[Group] = []
        for _ in range(LEVELS):
            inside: list[Group] = []
            for group in groups:
                try:
                    parts = None if self.patience.ended() else divided(self.top, group)
                except (CoverslipError, OSError):
                    parts = None  # listing it as a whole is tried more than once
                if parts is None:
                    found.append(group)
                    continue
                seen = _Seen(pages=1)
                self._take(parts.objects, set(parts.direct.keys), parts.direct, seen)
                seen.present |= seen.shown | parts.shown
                self.anything = self.anything or seen.objects > 0
                self.looked.requests += 1
                listed.append((parts.direct, seen))
                inside += parts.groups
            groups = inside
        return [*found, *groups]

    def doubt(self, keys: Iterable[str], reason: str) -> None:
        """Note that nobody knows about keys."""
        for key in keys:
            self.looked.present.discard(key)
            self.looked.unknown.setdefault(key, reason)

    def ask(self, keys: Sequence[str], *, is_listed: bool = False) -> list[str]:
        """Ask for keys one by one, and return those that are not there; the others are noted.

        A missing object takes a second request: it may be a folder, and the bucket itself may be missing. After a
        listing (``is_listed``) the bucket is known to be there, and a document is no folder.
        """
        answers = self.pool.map(lambda key: self._ask(key, is_listed and key.endswith(DOCUMENT)), keys)
        missing = []
        for key, answer in zip(keys, answers, strict=True):
            self.looked.requests += 1 if answer == "present" or (is_listed and key.endswith(DOCUMENT)) else 2
            if answer == "present":
                self.looked.present.add(key)
                self.looked.unknown.pop(key, None)
            elif answer == "absent":
                missing.append(key)
            else:
                self.doubt([key], answer)
        return missing

    def _ask(self, key: str, is_object: bool) -> str:
        """Return ``present``, ``absent`` or why nobody knows."""
        if ended := self.patience.ended():
            return ended
        if self._failures >= MOST_FAILURES:
            return f"it was not asked for: {self._failures} others in a row could not be"
        try:
            path = self.top / key
            is_there = path.is_file() if is_object else path.exists()
        except (CoverslipError, OSError) as error:
            self._failures += 1  # threads may lose a count; it is no exact number
            return str(error)
        self._failures = 0
        return "present" if is_there else "absent"

    def _list_all(self, groups: Sequence[Group]) -> list[tuple[Group, _Seen]]:
        """List groups at the same time; those that fail once more after a pause, fewer at the same time."""
        found: dict[int, _Seen] = {}
        at_once = max(1, len(groups))
        for pause in (0.0, *PAUSES):
            waiting = [place for place in range(len(groups)) if place not in found or found[place].reason]
            if not waiting or self.patience.ended():
                break
            time.sleep(pause)
            for first in range(0, len(waiting), at_once):
                some = waiting[first : first + at_once]
                results = list(self.pool.map(lambda place: self._list(groups[place]), some))
                self.looked.requests += sum(one.pages for one in results)
                found |= dict(zip(some, results, strict=True))
            at_once = max(1, min(at_once, AT_ONCE) // 4)
        ended = _Seen(reason=self.patience.ended())
        seen = [found.get(place, ended) for place in range(len(groups))]
        self.anything = self.anything or any(one.objects for one in seen)
        return list(zip(groups, seen, strict=True))

    def _list(self, group: Group) -> _Seen:
        """List a folder, and ask whether anything comes after its end."""
        folder = self.top / group.folder if group.folder else self.top
        wanted = set(group.keys)
        seen = _Seen()
        most = WHOLE_PAGES if group.is_whole else FREE_PAGES + len(wanted) // KEYS_OF_A_PAGE
        last = ""
        try:
            for page in folder.pages():
                seen.pages += 1
                if ended := self.patience.ended():
                    seen.reason = ended
                    return seen
                self._take(page, wanted, group, seen)
                seen.present |= seen.shown
                last = page[-1][0]
                if seen.pages >= most and (group.is_whole or len(seen.present) < len(wanted)):
                    seen.is_too_large = True
                    return seen
            seen.pages += 1 if last else 0
            if last and not seen.reason and next(folder.pages(after=last), None) is not None:
                seen.reason = f"{folder}: the listing was cut off after {last}"
        except (CoverslipError, OSError) as error:
            seen.reason = str(error) or type(error).__name__
        seen.pages = max(1, seen.pages)
        return seen

    def _take(self, page: Sequence[tuple[str, int]], wanted: set[str], group: Group, seen: _Seen) -> None:
        seen.objects += len(page)
        above, is_named = "", False
        for path, size in page:
            key = path[self._start :]
            if key in wanted:
                if key in seen.shown:
                    seen.reason = f"the listing shows {path} twice"
                seen.shown.add(key)
                continue
            folder = key.rpartition("/")[0]
            if folder != above:
                above = folder
                named = [one for one in _upwards(folder, group.folder) if one in wanted]
                seen.present.update(named)
                is_named = bool(named)
            if group.is_whole and not is_named and len(key) > len(group.folder) and not _is_hidden(key):
                seen.others[unit(key)] = seen.others.get(unit(key), 0) + size

    def _note_others(self, group: Group, seen: _Seen) -> None:
        """Note what no key names, without the empty objects that only say that a folder is there."""
        if not group.is_whole:
            return
        used = {unit(key) for key in group.keys}
        folders = {one for key in (*group.keys, *seen.others) for one in _upwards(key.rpartition("/")[0], "")}
        self.looked.orphans |= {
            key: size for key, size in seen.others.items() if key not in used and not (size == 0 and key in folders)
        }
        if seen.reason:
            self.looked.unlisted[group.folder] = seen.reason

    def _look_again(self, listed: Sequence[tuple[Group, _Seen]]) -> list[str]:
        """Ask for each key that listings do not show, and return what is not there the second time either.

        Where a listing lacks one key that turns out to be there, nothing is known of the others that it lacks. What
        only matters with another key that is missing too is not asked for.
        """
        asked: list[list[str]] = []
        for group, seen in listed:
            missing = [key for key in group.keys if key not in seen.present]
            if seen.reason:
                self.doubt(missing, seen.reason)
                continue
            along = {key for key in missing if self._is_along(key)}
            self.doubt(along, ALONG)
            asked.append([key for key in missing if key not in along])
        still = set(self.ask([key for some in asked for key in some], is_listed=True))
        return [key for some in asked for key in self._agreed(some, still)]

    def _is_along(self, key: str) -> bool:
        with_ = self.only_with.get(key)
        return with_ is not None and with_ not in self.looked.present

    def _agreed(self, missing: Sequence[str], still: Collection[str]) -> list[str]:
        """Return what is missing, after it was asked for; one answer against the listing, and all of it is doubted."""
        if any(key in self.looked.present for key in missing):
            self.doubt(
                (key for key in missing if key not in self.looked.present), "a listing does not show what is there"
            )
            return []
        return [key for key in missing if key in still]

    def _is_anything_there(self) -> bool:
        self.looked.requests += 1
        try:
            return next(self.top.pages(), None) is not None
        except (CoverslipError, OSError):
            return False


def _upwards(folder: str, until: str) -> Iterable[str]:
    """Yield a folder and those that it lies in, down to one."""
    while len(folder) > len(until):
        yield folder
        folder = folder.rpartition("/")[0]


def _is_hidden(key: str) -> bool:
    return key.startswith(".") or "/." in key
