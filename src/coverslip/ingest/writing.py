"""Results are written in batches, and told of when they are written: what is told is true."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from coverslip.catalog import Catalog
from coverslip.ingest.examine import Examined
from coverslip.ingest.report import AddItem, AddReport, Outcome
from coverslip.model.records import Change, SeenFile, SyncItem

BATCH_FILES = 64
BATCH_SECONDS = 1.0
"""A batch is written when either is reached; a killed run loses at most one batch, which the next one reads again."""


@dataclass(slots=True)
class Batch:
    """Collects what was found and writes it, whole sets of files in one transaction.

    Parameters
    ----------
    catalog
        Where to write.
    read_by
        Versions of the readers.
    report
        Counts what was written.
    on_item
        Called for every file.
    """

    catalog: Catalog
    read_by: str
    report: AddReport
    on_item: Callable[[AddItem], None]
    _items: list[SyncItem] = field(default_factory=list)
    _touched: list[SeenFile] = field(default_factory=list)
    _found: list[str] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def tell(self, item: AddItem) -> None:
        """Report one file."""
        self.report.note(item)
        self.on_item(item)

    def add(self, examined: Examined) -> None:
        """Take what opening a file showed."""
        if examined.items:
            self._items += examined.items
        else:
            self.tell(AddItem(examined.path, "unreadable", reason=str(examined.error)))
        self._flush_when_full()

    def touch(self, seen: SeenFile) -> None:
        """Take a file whose content is as it was."""
        self._touched.append(seen)
        self._flush_when_full()

    def find(self, path: str) -> None:
        """Take a missing file that is back."""
        self._found.append(path)
        self._flush_when_full()

    def flush(self) -> None:
        """Write everything taken so far."""
        items, touched, found = self._items, self._touched, self._found
        self._items, self._touched, self._found = [], [], []
        if items:
            for item, change in zip(items, self.catalog.sync_files(items, self.read_by), strict=True):
                self.report.rows_written += change.rows_written
                self.report.images += len(item.images)
                self.tell(AddItem(item.seen.path, _outcome(item, change), len(item.images), item.reason))
        if touched:
            self.report.rows_written += self.catalog.touch_files(touched)
            for seen in touched:
                self.tell(AddItem(seen.path, "touched"))
        if found:
            self.report.rows_written += self.catalog.mark_found(found)
            for path in found:
                self.tell(AddItem(path, "found"))
        self._since = time.monotonic()

    def _flush_when_full(self) -> None:
        taken = len(self._items) + len(self._touched) + len(self._found)
        if taken >= BATCH_FILES or time.monotonic() - self._since > BATCH_SECONDS:
            self.flush()


def _outcome(item: SyncItem, change: Change) -> Outcome:
    if item.state != "ok":
        return item.state
    if change.images_added and not change.images_changed:
        return "added"
    return "changed" if change.images_changed or change.images_missing else "unchanged"
