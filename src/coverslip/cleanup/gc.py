"""Keeping the storage of artifacts small: what is superseded goes, and over a limit what was not used for longest.

Whatever is removed can be made again, and is as soon as somebody asks for it. So nothing here needs to be undone, and a
process that is killed on the way has only done less.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched

from coverslip.catalog import Catalog
from coverslip.cleanup.removing import Removed, remove_artifacts
from coverslip.errors import CatalogError, StorageError
from coverslip.settings import Settings
from coverslip.storage import Storage, StoredObject, is_content_key

log = logging.getLogger(__name__)

CHORE = "gc"
EVERY_SECONDS = 3600.0
"""How often the servers and workers of a catalog clear up, all together."""
LEASE_SECONDS = 3600.0
LOOK_SECONDS = 300.0
"""How often a process looks whether it is time."""
MARKS = "catalogs"
"""First part of the names under which catalogs make themselves known in a storage that several may share."""
MARK_DAYS = 30
"""A catalog whose mark was not renewed for so long is gone."""
BATCH = 500
"""Artifacts removed between two looks at what is used by now."""


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a collection would remove."""

    superseded: tuple[StoredObject, ...]
    """Artifacts of earlier contents, which no record refers to."""
    unused: tuple[StoredObject, ...]
    """Artifacts of present contents that go because of the limit, those not used for longest first."""
    kept_bytes: int
    """Bytes of the artifacts that stay."""
    over_bytes: int
    """How far these are over the limit: all of them were made or used within the grace period."""
    other_catalogs: tuple[str, ...]
    """Other catalogs that use the storage: what no record refers to may be theirs and is left alone."""
    kept: int = 0
    """Artifacts that stay."""

    @property
    def removed_bytes(self) -> int:
        """Bytes that go."""
        return sum(item.size for item in (*self.superseded, *self.unused))


def never() -> bool:
    """Return False: nobody wants it to stop."""
    return False


def plan_gc(
    catalog: Catalog,
    storage: Storage,
    *,
    limit_bytes: int = 0,
    grace_seconds: float,
    should_stop: Callable[[], bool] = never,
) -> GcPlan:
    """Return what a collection would remove, without touching anything.

    Only names that our artifacts have are looked at, so a folder that is used for something else too stays as it is.

    Parameters
    ----------
    catalog, storage
        What belongs together.
    limit_bytes
        Most bytes of artifacts to keep; 0 is no limit.
    grace_seconds
        What was made or used within this time is left alone, whatever the limit says.
    should_stop
        Asked for every object; when true, nothing is planned: half a listing says nothing about the limit.

    Raises
    ------
    StorageError
        The storage cannot be listed as a whole.
    CatalogError
        The catalog does not answer.
    """
    before = catalog.now() - timedelta(seconds=grace_seconds)
    others = other_catalogs(catalog, storage)
    found = []
    for item in storage.list():
        if should_stop():
            return GcPlan((), (), 0, 0, others)
        if is_content_key(item.key):
            found.append(item)
    used_at = catalog.artifact_uses()  # after the listing: what was published meanwhile is used
    loose = [item for item in found if item.key not in used_at and item.modified <= before]
    superseded = [] if others else loose
    gone = {item.key for item in superseded}
    kept = [item for item in found if item.key not in gone]
    total = sum(item.size for item in kept)
    excess = max(0, total - limit_bytes) if limit_bytes else 0
    unused = _longest_unused([item for item in kept if item.key in used_at], used_at, before, excess)
    freed = sum(item.size for item in unused)
    return GcPlan(
        tuple(superseded), tuple(unused), total - freed, max(0, excess - freed), others, len(kept) - len(unused)
    )


def collect(catalog: Catalog, storage: Storage, plan: GcPlan, *, should_stop: Callable[[], bool] = never) -> Removed:
    """Remove what was planned and is not wanted after all by now.

    Records go before bytes. A builder may publish the same content at this very moment and find it in the storage;
    then the artifact is gone afterwards, which the first look at it notices, and it is built again.

    Raises
    ------
    CatalogError
        The catalog does not answer; what was removed until then is gone.
    """
    removed = Removed()
    for some in batched(plan.superseded, BATCH):
        if should_stop():
            return removed
        used = catalog.artifact_keys()
        removed += _remove(storage, [item for item in some if item.key not in used])
    for some in batched(plan.unused, BATCH):
        if should_stop():
            return removed
        catalog.let_go(item.key for item in some)
        removed += _remove(storage, some)
    return removed


def announce(catalog: Catalog, storage: Storage) -> None:
    """Make the catalog known to others that use the same storage.

    Raises
    ------
    CatalogError, StorageError
        One of the two cannot be written.
    """
    storage.put(f"{MARKS}/{catalog.chore_id(CHORE)}", f"{catalog.url}\n".encode())


def other_catalogs(catalog: Catalog, storage: Storage) -> tuple[str, ...]:
    """Return the identifiers of other catalogs that have lately used a storage.

    Raises
    ------
    CatalogError, StorageError
        One of the two does not answer.
    """
    before = catalog.now() - timedelta(days=MARK_DAYS)
    own = f"{MARKS}/{catalog.chore_id(CHORE)}"
    marks = [item for item in storage.list(MARKS) if item.key != own and item.modified > before]
    return tuple(sorted(item.key.removeprefix(f"{MARKS}/") for item in marks))


def tend(
    catalog: Catalog, storage: Storage, settings: Settings, should_stop: Callable[[], bool] = never
) -> Removed | None:
    """Collect when it is time and nobody else does; ``None`` otherwise. Stopped on the way, it counts as not done.

    Raises
    ------
    CatalogError, StorageError
        One of the two does not answer.
    """
    token = catalog.claim_chore(CHORE, every_seconds=EVERY_SECONDS, lease_seconds=LEASE_SECONDS)
    if token is None:
        return None
    announce(catalog, storage)
    plan = plan_gc(
        catalog,
        storage,
        limit_bytes=settings.storage_limit_bytes,
        grace_seconds=settings.gc_grace_seconds,
        should_stop=should_stop,
    )
    removed = collect(catalog, storage, plan, should_stop=should_stop)
    if not should_stop():
        catalog.finish_chore(CHORE, token)
    return removed


def keep_tending(catalog: Catalog, storage: Storage, settings: Settings, should_stop: threading.Event) -> None:
    """Collect now and then until ``should_stop`` is set. What goes wrong is logged, and tried again later."""
    while not should_stop.is_set():
        try:
            removed = tend(catalog, storage, settings, should_stop.is_set)
        except (CatalogError, StorageError) as error:
            log.warning("the storage was not cleared up: %s", error)
        else:
            if removed is not None and (removed.files or removed.problems):
                log.info("%d artifacts (%d bytes) removed from %s", removed.files, removed.bytes, storage.url)
            for problem in removed.problems if removed is not None else ():
                log.warning("not removed: %s", problem)
        should_stop.wait(LOOK_SECONDS)


def _longest_unused(
    items: Sequence[StoredObject], used_at: Mapping[str, datetime | None], before: datetime, excess: int
) -> list[StoredObject]:
    """Return artifacts of at least so many bytes, where there are as many, in the order in which they go."""
    ages = sorted((max(used_at[item.key] or item.modified, item.modified), item.key, item) for item in items)
    chosen: list[StoredObject] = []
    for last_use, _, item in ages:
        if excess <= 0 or last_use > before:
            break
        chosen.append(item)
        excess -= item.size
    return chosen


def _remove(storage: Storage, items: Sequence[StoredObject]) -> Removed:
    return remove_artifacts(storage, [item.key for item in items], {item.key: item.size for item in items})
