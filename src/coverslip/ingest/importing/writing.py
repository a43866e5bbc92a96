"""A layout -> the catalog: each run with its images, and without its stale records, in one transaction."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from coverslip.catalog import Catalog
from coverslip.ingest.decide import decide
from coverslip.ingest.examine import Examined, Locate, OpenFile
from coverslip.ingest.importing.found import Batch, Problem
from coverslip.ingest.importing.ingested import as_ingested
from coverslip.ingest.importing.listing import Listing
from coverslip.ingest.importing.reading import Top, read_batches, strays
from coverslip.ingest.importing.report import ImportReport
from coverslip.ingest.importing.stale import Sweeping, find_stale, right_to_clean
from coverslip.ingest.look import is_gone, look, look_again
from coverslip.model.entities import EntityRecord, EntitySeen, dataset_of
from coverslip.model.records import AssetRecord, SeenFile, SyncItem
from coverslip.model.removal import CleanupPlan
from coverslip.readers import open_image, signature
from coverslip.sources import locate

ASKED_AT_ONCE = 500
"""Identities in one question to the catalog."""
CAUSE = "imported"


def import_layout(
    top: Top,
    catalog: Catalog,
    *,
    workers: int = 4,
    locate: Locate = locate,
    open_file: OpenFile = open_image,
    sweeping: Sweeping | None = None,
    on_batch: Callable[[Batch], None] = lambda _batch: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ImportReport:
    """Write what is in a layout to the catalog. The layout itself is only read.

    Entities get the identities that an ingest gives them, so that both write the same rows. What could not be read is
    left as the catalog has it; what is there as it was is not written. Images that are gone are marked as missing, and
    records whose document is gone are treated as ``sweeping`` says: without it they stay.

    Parameters
    ----------
    top
        The layout, as ``open_layout`` returns it.
    catalog
        Where to write.
    workers
        Documents read, and images opened, at the same time.
    locate
        Turns what the catalog holds into a path that can be opened.
    open_file
        Opens image files, several at a time.
    sweeping
        What is done with stale records.
    on_batch
        Called after each deposition, dataset and run.
    should_stop
        Asked before each of them.

    Raises
    ------
    CatalogError
        The catalog cannot be written.
    """
    layout = str(top.listing.root)
    report = ImportReport(layout, files=len(top.listing.files))
    with ThreadPoolExecutor(workers, thread_name_prefix="import") as pool:
        images = _Images(top.listing, catalog.assets_under(layout), report, pool, locate, open_file)
        for batch in read_batches(top, readers=workers):
            if should_stop():
                report.stopped = True
                return report
            report.problems += batch.problems
            _write(batch, catalog, images, report, sweeping)
            on_batch(batch)
    report.problems += strays(top)
    gone = images.gone()
    catalog.mark_missing(gone)
    report.images["missing"] += len(gone)
    report.images_written += len(gone)
    return report


def _write(batch: Batch, catalog: Catalog, images: "_Images", report: ImportReport, sweeping: Sweeping | None) -> None:
    known = _known(catalog, report.layout, batch.entities)
    seen = as_ingested(catalog, report.layout, batch.folder, _ready(batch, known, report), known)
    items, touched, found = images.look_at(seen)
    if seen or items:
        with ExitStack() as held:
            removing, allow, right = _stale(catalog, images, seen, known, sweeping, held)
            changes = catalog.sync_entities(
                report.layout,
                seen,
                files=items,
                read_by=signature(),
                cause=CAUSE,
                removing=removing,
                allow=allow,
                right=right,
            )
        report.note(seen, changes)
        report.cleaned.removed += len(changes.removed)
    if touched:
        catalog.touch_files(touched)
    if found:
        catalog.mark_found(found)
    report.images_written += len(items) + len(touched) + len(found)


def _stale(
    catalog: Catalog,
    images: "_Images",
    seen: Collection[EntitySeen],
    known: dict[str, EntityRecord],
    sweeping: Sweeping | None,
    held: ExitStack,
) -> tuple[CleanupPlan | None, int, str | None]:
    """Return what is removed together with the import of a run, and keep what is to be reviewed first.

    What goes was looked for while this import had the right to clean the layout: ``held`` gives that back. While others
    have it nothing goes, and the plan is kept.

    Returns
    -------
    plan
        ``None`` where nothing goes.
    allow
        How many of the removals that were allowed are left for this run.
    right
        Token of the right to clean the layout.
    """
    report = images.report
    run = next((known[one.identity] for one in seen if one.type == "run" and one.identity in known), None)
    mode = "off" if sweeping is None or run is None else sweeping.mode_of(dataset_of(run.identity))
    if sweeping is None or run is None or mode == "off":
        return None, 0, None
    allow = sweeping.allow - report.cleaned.let_through
    plan = find_stale(catalog, run.id, images.listing, images.locate, sweeping)
    right: str | None = None
    if mode == "on" and plan is not None and plan.to_go(allow):
        right = held.enter_context(right_to_clean(catalog, report.layout))
        if right is not None:
            plan = find_stale(catalog, run.id, images.listing, images.locate, sweeping)
    if plan is None:
        return None, 0, None
    report.cleaned.plans += [plan.id] if plan.removals else []
    report.cleaned.unknown += len(plan.unknown)
    report.cleaned.stops += plan.held(allow)
    if right is not None and plan.to_go(allow):
        report.cleaned.let_through += len(plan.removals) if len(plan.held(allow)) < len(plan.held()) else 0
        return plan, allow, right
    report.cleaned.planned += len(plan.removals)
    catalog.keep_plan(plan)
    return None, 0, None


def _known(catalog: Catalog, layout: str, seen: Iterable[EntitySeen]) -> dict[str, EntityRecord]:
    """Return what the catalog has of entities and of their parents."""
    wanted = sorted({name for one in seen for name in (one.identity, one.parent) if name is not None})
    known: dict[str, EntityRecord] = {}
    for start in range(0, len(wanted), ASKED_AT_ONCE):
        some = wanted[start : start + ASKED_AT_ONCE]
        known |= {one.identity: one for one in catalog.entities(layout, identities=some)}
    return known


def _ready(batch: Batch, known: dict[str, EntityRecord], report: ImportReport) -> Iterator[EntitySeen]:
    """Yield what can be written; a parent is there, and nothing that is known better gives way to less."""
    unknown = {problem.key for problem in batch.problems if problem.kind in ("unknown", "broken")}
    there = set(known)
    for one in batch.entities:
        before = known.get(one.identity)
        if one.parent is not None and one.parent not in there:
            report.problems.append(Problem(one.key, "held", f"{one.parent} could not be read, and this lies in it"))
        elif before is not None and before.key != one.key and before.key in unknown:
            report.problems.append(Problem(one.key, "held", f"it may be {before.key}, which could not be read"))
        elif before is None or one.document or not before.document:
            there.add(one.identity)
            yield one


@dataclass(slots=True)
class _Images:
    """Files that people see, looked into where they are new or changed."""

    listing: Listing
    known: dict[str, AssetRecord]
    report: ImportReport
    pool: ThreadPoolExecutor
    locate: Locate
    open_file: OpenFile
    read_by: str = field(default_factory=signature)

    def look_at(self, seen: Collection[EntitySeen]) -> tuple[list[SyncItem], list[SeenFile], list[str]]:
        """Return the files of some entities that are to be written, that were only touched, and that are back."""
        keys = dict.fromkeys(one.image_key for one in seen if one.image_key)
        found: list[str] = []
        wanted: list[SeenFile] = []
        for key in keys:
            file = self.listing.files[key]
            asset = self.known.get(file.path)
            if decide(file, asset, self.read_by, refresh=False) != "settled" or asset is None:
                wanted.append(file)
            elif asset.missing_since is not None:
                found.append(file.path)
                self.report.images["found"] += 1
            else:
                self._count(file.path, asset.state, "unchanged", asset.reason)
        items: list[SyncItem] = []
        touched: list[SeenFile] = []
        for result in self.pool.map(self._look, wanted):
            if isinstance(result, SeenFile):
                touched.append(result)
                self.report.images["touched"] += 1
            else:
                items += self._take(result)
        return items, touched, found

    def gone(self) -> list[str]:
        """Return files that were cataloged and that a complete listing no longer shows."""
        met = {file.path for file in self.listing.files.values()}
        start = len(str(self.listing.root)) + 1
        return sorted(
            path
            for path, asset in self.known.items()
            if path not in met
            and asset.origin == "added"
            and asset.missing_since is None
            and not self.listing.is_unlisted(path[start:].replace(os.sep, "/"))
            and is_gone(path, self.locate)
        )

    def _look(self, file: SeenFile) -> Examined | SeenFile:
        result = look(file, self.known.get(file.path), self.open_file, self.locate)
        whole = None if isinstance(result, SeenFile) else result.whole
        return result if whole is None else look_again(whole, self.open_file, self.locate)

    def _take(self, result: Examined) -> tuple[SyncItem, ...]:
        self.report.images_opened += 1
        if not result.items:
            self._count(result.path, "unreadable", "unreadable", str(result.error))
        for item in result.items[:1]:
            outcome = "added" if item.seen.path not in self.known else "changed"
            self._count(item.seen.path, item.state, outcome, item.reason)
        return result.items

    def _count(self, path: str, state: str, outcome: str, reason: str | None) -> None:
        """Count an image; one that cannot be seen is a problem."""
        key = path.removeprefix(f"{self.report.layout}/")
        if state in ("ok", "part"):
            self.report.images[outcome] += 1
            return
        self.report.images[state] += 1
        why = (reason or "it cannot be read as an image").removeprefix(f"{path}: ")
        self.report.problems.append(Problem(key, "unknown" if state == "unreadable" else "broken", why))
