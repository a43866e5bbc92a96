"""Catalog files where they lie: look, open what is new or changed, write, then say what is gone."""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError, ReadError
from coverslip.ingest.examine import Examined, checksum, examine
from coverslip.ingest.walk import Walk, see_file
from coverslip.model.records import AssetRecord, Change, ImageRecord, SeenFile
from coverslip.readers import signature

Outcome = Literal["added", "changed", "unchanged", "touched", "broken", "unknown", "part", "missing", "found"]

BATCH_FILES = 64
BATCH_SECONDS = 1.0
"""A batch is written when either is reached; a killed run loses at most one batch, which the next one reads again."""


@dataclass(frozen=True, slots=True)
class AddItem:
    """What happened to one file."""

    path: str
    outcome: Outcome
    images: int = 0
    reason: str | None = None


@dataclass(slots=True)
class AddReport:
    """What one run of ``add`` did."""

    files_seen: int = 0
    files_opened: int = 0
    rows_written: int = 0
    images: int = 0
    """Images in the files that were added or changed."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    broken: list[AddItem] = field(default_factory=list)
    """Every file of a known format that cannot be read, those found broken in an earlier run included."""
    missing: list[str] = field(default_factory=list)
    """Cataloged files that a complete listing no longer shows."""
    unreadable: list[str] = field(default_factory=list)
    """Folders that could not be listed; what was known below them is left as it was."""
    stopped: bool = False


def add(
    paths: Sequence[Path],
    *,
    catalog: Catalog,
    workers: int = 4,
    refresh: bool = False,
    skip: Sequence[Path] = (),
    on_item: Callable[[AddItem], None] = lambda _item: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> AddReport:
    """Catalog every image file below the given paths, in place.

    Parameters
    ----------
    paths
        Files and folders.
    catalog
        Where to write.
    workers
        Files opened at the same time.
    refresh
        Open every file again, changed or not.
    skip
        Folders never entered.
    on_item
        Called in this thread for every file with what happened to it.
    should_stop
        Asked between files; what was read so far is written.

    Raises
    ------
    NotFoundError
        A path does not exist and the catalog knows nothing below it either.
    CatalogError
        The catalog cannot be written.
    """
    return _Run(catalog, workers, refresh, tuple(skip), on_item, should_stop).run(paths)


def add_upload(catalog: Catalog, path: Path) -> tuple[ImageRecord, ...]:
    """Catalog one uploaded file and return its images.

    Raises
    ------
    ImageLoadError
        The file cannot be read as an image; nothing was written.
    CatalogError
        The catalog cannot be written.
    """
    examined = examine(replace(see_file(path), origin="uploaded"))
    if examined.error is not None:
        raise examined.error
    item = examined.item
    if examined.whole_in is not None:
        raise ReadError(f"{path.name}: {item.reason}; add the folder of the whole set instead of one file of it")
    change = catalog.sync_files([item], signature())[0]
    return catalog.images_of(change.asset_id)


@dataclass(slots=True)
class _Run:
    catalog: Catalog
    workers: int
    refresh: bool
    skip: tuple[Path, ...]
    on_item: Callable[[AddItem], None]
    should_stop: Callable[[], bool]
    report: AddReport = field(default_factory=AddReport)
    known: dict[str, AssetRecord] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    batch: list[Examined] = field(default_factory=list)
    touched: list[SeenFile] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    wholes: set[Path] = field(default_factory=set)
    written_at: float = field(default_factory=time.monotonic)

    def run(self, paths: Sequence[Path]) -> AddReport:
        roots = _roots(paths)
        for root in roots:
            self.known |= self.catalog.assets_under(str(root))
        _check_roots(roots, self.known)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="add") as pool:
            self._open_all(pool, self._candidates(roots), self._look)
            # a set is cataloged under its first file, which may lie elsewhere or be unchanged itself
            wholes = [see_file(path) for path in sorted(self.wholes) if str(path) not in self.opened and path.exists()]
            self._open_all(pool, iter(wholes), examine)
        self._flush()
        if not self.report.stopped:
            self._find_missing()
        return self.report

    def _candidates(self, roots: Sequence[Path]) -> Iterator[SeenFile]:
        """Yield what must be opened; settle the rest on the way."""
        for root in roots:
            walk = Walk(root, self.skip)
            for item in walk:
                if item.path not in self.seen:
                    self.seen.add(item.path)
                    self.report.files_seen += 1
                    if self._must_open(item):
                        yield item
            self.report.unreadable += walk.unreadable

    def _must_open(self, item: SeenFile) -> bool:
        asset = self.known.get(item.path)
        if asset is None or self.refresh:
            return True
        judged = asset.state in ("ok", "part") or asset.read_by == signature()
        same = (item.size, item.mtime_ns) == (asset.size, asset.mtime_ns)
        if item.is_folder:
            same = item.checksum == asset.checksum
        if not (same and judged):
            return True
        if asset.missing_since is not None:
            self.found.append(item.path)
        self._settle(AddItem(item.path, "found" if asset.missing_since else "unchanged"), asset)
        return False

    def _settle(self, item: AddItem, asset: AssetRecord) -> None:
        """Report a file that needs no opening, repeating an earlier verdict."""
        if asset.state == "broken":
            item = replace(item, outcome="broken", reason=asset.reason)
        elif asset.state == "unknown":
            item = replace(item, outcome="unknown", reason=asset.reason)
        self._tell(item)

    def _tell(self, item: AddItem) -> None:
        self.report.outcomes[item.outcome] += 1
        if item.outcome == "broken":
            self.report.broken.append(item)
        self.on_item(item)

    def _open_all(
        self, pool: ThreadPoolExecutor, items: Iterator[SeenFile], look: Callable[[SeenFile], Examined | SeenFile]
    ) -> None:
        """Open files several at a time, in order, with a bounded number under way."""
        under_way: deque[Future[Examined | SeenFile]] = deque()
        for item in items:
            if self.should_stop():
                self.report.stopped = True
                break
            self.opened.add(item.path)
            under_way.append(pool.submit(look, item))
            if len(under_way) >= 4 * self.workers:
                self._take(under_way.popleft().result())
        while under_way:
            self._take(under_way.popleft().result())

    def _look(self, item: SeenFile) -> Examined | SeenFile:
        """Return what opening showed, or the file itself when only its times have changed."""
        asset = self.known.get(item.path)
        if asset is None or asset.state not in ("ok", "part") or item.is_folder or self.refresh:
            return examine(item)
        try:
            item = replace(item, checksum=checksum(Path(item.path)))
        except ReadError:
            return examine(item)
        return item if item.checksum == asset.checksum else examine(item)

    def _take(self, result: Examined | SeenFile) -> None:
        self.report.files_opened += 1
        if isinstance(result, SeenFile):
            self.touched.append(result)
            asset = self.known[result.path]
            if asset.missing_since is not None:
                self.found.append(result.path)
            self._tell(AddItem(result.path, "touched"))
        else:
            self.batch.append(result)
            if result.whole_in is not None:
                self.wholes.add(result.whole_in)
        if len(self.batch) >= BATCH_FILES or time.monotonic() - self.written_at > BATCH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        """Write what was read so far in one transaction, then tell of it: what is told is true."""
        if self.batch:
            changes = self.catalog.sync_files([result.item for result in self.batch], signature())
            for result, change in zip(self.batch, changes, strict=True):
                self.report.rows_written += change.rows_written
                self._tell(_outcome(result, change))
                self.report.images += len(result.item.images)
            self.batch.clear()
        if self.touched:
            self.report.rows_written += self.catalog.touch_files(self.touched)
            self.touched.clear()
        if self.found:
            self.report.rows_written += self.catalog.mark_found(self.found)
            self.found.clear()
        self.written_at = time.monotonic()

    def _find_missing(self) -> None:
        """Mark what a complete listing no longer shows. What could not be listed is unknown and stays as it is."""
        unlisted = tuple(self.report.unreadable)
        gone = sorted(
            path
            for path, asset in self.known.items()
            if path not in self.seen
            and asset.origin == "added"
            and not any(path == folder or path.startswith(folder + os.sep) for folder in unlisted)
            and _is_gone(path)
        )
        self.report.rows_written += self.catalog.mark_missing(gone)
        self.report.missing = gone
        for path in gone:
            self._tell(AddItem(path, "missing"))


def _outcome(result: Examined, change: Change) -> AddItem:
    item = result.item
    if item.state != "ok":
        outcome: Outcome = item.state
    elif change.images_changed or not change.images_added:
        outcome = "changed"
    else:
        outcome = "added"
    return AddItem(item.seen.path, outcome, len(item.images), item.reason)


def _roots(paths: Sequence[Path]) -> list[Path]:
    """Return the paths as absolute ones, none below another."""
    absolute = sorted({Path(os.path.abspath(path)) for path in paths})  # noqa: PTH100  # resolve() would follow links
    return [path for path in absolute if not any(other in path.parents for other in absolute)]


def _check_roots(roots: Sequence[Path], known: dict[str, AssetRecord]) -> None:
    for root in roots:
        below = (path == str(root) or path.startswith(str(root) + os.sep) for path in known)
        if _is_gone(str(root)) and not any(below):
            raise NotFoundError(f"{root}: there is no such file or folder")


def _is_gone(path: str) -> bool:
    """Return True only when the file system says, without error, that nothing is there."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
