"""One item becomes one file."""

import logging
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from coverslip.errors import (
    BudgetError,
    ConflictError,
    CoverslipError,
    ExportError,
    MissingMaskError,
    ReadError,
    StorageError,
    UnreadableFileError,
)
from coverslip.export.cells import CellTable, plain, read_table
from coverslip.export.encoding import Shown, Written, details_of, make_file, make_piece
from coverslip.export.opened import OpenSource, Sources, StoppedError, Watched
from coverslip.export.pacing import Pace
from coverslip.export.plan import Plan
from coverslip.export.request import Request
from coverslip.export.sources import OpenFile, Source, fingerprint
from coverslip.export.stitched import OpenMap, open_source
from coverslip.export.writing import CannotWriteError, compared, digest
from coverslip.model.export import ExportSpec
from coverslip.model.exporting import ExportItem, ExportResult, PlannedExport
from coverslip.model.rois import RoiShape
from coverslip.render.export import CellPaint, Fov, Window, cell_paint, whole
from coverslip.render.export.stored import restored

log = logging.getLogger(__name__)

LONGEST_TRACEBACK = 4000
TABLES_KEPT = 2


type Before = Literal["", "written", "kept"]
"""What is known of the file of an item from the last time: nothing, that the job wrote it, that it left it alone."""


@dataclass(frozen=True, slots=True)
class Task:
    """An item with all that is needed to make it, wherever that is done."""

    item: PlannedExport
    source: Source
    fingerprint: Mapping[str, Sequence[int]]
    spec: ExportSpec
    look: str
    """Its digest."""
    table: Path | None
    """The cell table, where cells have colours of their own."""
    table_was: Sequence[int] = ()
    """Its fingerprint when the job was planned."""
    before: Before = ""
    since: float | None = None
    """When the job first ran, in seconds since 1970; ``None`` where it runs for the first time."""
    piece: Path | None = None
    """Where an item of a gallery is drawn to; others are files of their own."""


class SourceChangedError(ConflictError):
    """A file is not any more what it was when the job was planned."""


class Painter:
    """Makes items. Safe from several threads.

    Parameters
    ----------
    request
        What is wanted.
    open_file
        Opens image files.
    pace
        How fast items may begin.
    idle
        How many fields of view stay open though nobody draws from them at this moment; ``None`` is one where several
        items are of one field.
    """

    def __init__(self, request: Request, open_file: OpenFile, pace: Pace, idle: int | None = None) -> None:
        self._request, self._open_file, self._pace = request, open_file, pace
        is_alone = request.mode == "fov" and request.separate is None
        kept = (0 if is_alone else 1) if idle is None else idle
        self._sources = Sources(lambda source: open_source(source, open_file, t=request.t, z=request.z), kept)
        self._seen: dict[str, Mapping[str, Sequence[int]]] = {}
        self._paints: dict[tuple[str, str], CellPaint] = {}
        self._should_stop: Callable[[], bool] = lambda: False

    def make(
        self, tasks: Iterable[Task], *, should_stop: Callable[[], bool], tell: Callable[[ExportResult], None]
    ) -> None:
        """Make items one after the other and tell what became of each.

        It stops between two of them, and between two parts of one whose planes are read in parts.

        Raises
        ------
        CannotWriteError
            No file can be written until somebody does something.
        """
        self._should_stop = should_stop
        for task in tasks:
            self._pace.wait(should_stop)
            if should_stop():
                return
            try:
                result = self._attempts(task, should_stop)
            except StoppedError:
                return
            if result is None:
                return
            tell(result)

    def close(self) -> None:
        """Let go of all files."""
        self._sources.close()

    def _attempts(self, task: Task, should_stop: Callable[[], bool]) -> ExportResult | None:
        """Return what became of an item after all attempts; ``None`` where there was no time for the next one."""
        effort = self._request.effort
        pause = effort.pause_s
        for attempt in range(1, effort.attempts + 1):
            result = replace(self._attempt(task), attempts=attempt)
            if result.ok or not result.is_retryable or attempt == effort.attempts:
                return result
            until = time.monotonic() + pause
            while (left := until - time.monotonic()) > 0:
                if should_stop():
                    return None
                time.sleep(min(0.1, left))
            pause *= 2
        return None

    def _attempt(self, task: Task) -> ExportResult:
        began = time.perf_counter()
        try:
            written = self._written(task)
        except (CannotWriteError, StoppedError):
            raise
        except Exception as error:  # noqa: BLE001  # the outer edge of a worker: the others go on
            return failed(task, error, time.perf_counter() - began)
        return ExportResult(
            task.item.number,
            task.item.name,
            ok=True,
            path=task.item.path,
            checksum=written.checksum,
            size=written.size,
            seconds=time.perf_counter() - began,
            details=written.details,
        )

    def _written(self, task: Task) -> Written:
        output = self._request.output
        path = output.folder / task.item.path
        if "error" in task.item.document:
            raise PlannedError(*task.item.document["error"])
        if task.piece is not None:
            return self._piece(task, task.piece)
        if output.existing == "replace" or task.before == "written" or not os.path.lexists(path):
            with self.shown(task) as item:
                return make_file(item, output, path)
        if output.existing == "skip" and was_there(path, task.before, task.since):
            return Written(*digest(path), {"kept": True})
        with compared(path) as other, self.shown(task) as item:
            return make_file(item, output, other)

    def _piece(self, task: Task, path: Path) -> Written:
        """Draw an item of a gallery, unless it was drawn before the job was stopped."""
        with suppress(FileNotFoundError, ReadError):
            data = path.read_bytes()
            return Written("", 0, details_of(restored(data)[0]))
        with self.shown(task) as item:
            caption = "" if self._request.gallery is None else self._request.gallery.caption
            return make_piece(item, caption, path)

    @contextmanager
    def shown(self, task: Task) -> Iterator[Shown]:
        """Give what an item shows for the time of a ``with`` statement, its field of view open.

        Raises
        ------
        CoverslipError
            It cannot be shown.
        """
        document = task.item.document
        if "error" in document:
            raise PlannedError(*document["error"])
        with self._sources.hold(task.source) as opened:
            self._check(task)
            values = {**document["values"], "item": task.item.name}
            fov, window = self._fov(task, opened), document["window"]
            window = whole(fov.size) if window is None else Window(*window)
            shape = RoiShape.model_validate(document["shape"]) if "shape" in document else None
            yield Shown(fov, task.spec, window, document.get("label"), values, task.look, shape)

    def _check(self, task: Task) -> None:
        """Compare the files of a source with what they were, once for all of its items."""
        if self._request.effort.changed == "use":
            return
        key = task.source.key
        if key not in self._seen:
            self._seen[key] = fingerprint(Path(path) for path in task.fingerprint)
        for path, was in task.fingerprint.items():
            if list(self._seen[key][path]) != list(was):
                raise SourceChangedError(f"{path} has changed since the export was planned")

    def _check_table(self, path: Path, was: Sequence[int]) -> None:
        """Compare a cell table with what it was, like the files of a source, whenever values are taken from it."""
        if self._request.effort.changed == "fail" and list(fingerprint([path])[str(path)]) != list(was):
            raise SourceChangedError(f"{path} has changed since the export was planned")

    def _fov(self, task: Task, opened: OpenSource | OpenMap) -> Fov:
        spec = task.spec
        return Fov(
            task.source.fov,
            Watched(opened.channels, self._should_stop),
            masks=Watched(opened.masks, self._should_stop),
            annotations={} if spec.annotation is None else opened.annotation(spec.annotation.annotation),
            pixel_um=opened.pixel_um,
            paint=self._paint(task),
            known_size=(opened.metadata.size_y, opened.metadata.size_x),
        )

    def _paint(self, task: Task) -> CellPaint | None:
        look = task.spec.cells
        if look is None:
            return None
        key = (task.source.key, task.look)
        if key not in self._paints:
            if task.table is None:
                raise MissingMaskError(f"{task.source.fov}: there is no cell table with colours of cells", (look.mask,))
            self._check_table(task.table, task.table_was)
            table, rows_of = table_at(task.table, self._request.cells.fov)
            rows = rows_of.get(task.source.fov, []) if rows_of is not None else list(range(table.row_count))
            labels = [plain(one) for one in table.numbers(look.label_column)[rows]]
            values = [plain(one) for one in table.column(look.column)[rows]]
            numbers = [int(label) if isinstance(label, int | float) else 0 for label in labels]
            self._paints = {key: cell_paint(look, numbers, values), **dict(list(self._paints.items())[-8:])}
        return self._paints[key]


def before_of(result: ExportResult | None) -> Before:
    """Return what is known of the file of an item by what became of the item."""
    if result is None:
        return ""
    if result.details.get("kept"):
        return "kept"
    return "written" if result.checksum or result.details.get("wrote") else ""


def was_there(path: Path, before: Before, since: float | None) -> bool:
    """Return whether a file that is there, and that the job did not write, was there when it first ran."""
    return before == "kept" or since is None or path.lstat().st_mtime < since


def tasks_of(plan: Plan, items: Iterable[ExportItem], since: float | None = None) -> list[Task]:
    """Return items with what is needed to make them; ``since`` is when their job first ran, if it ever did."""
    found = []
    looks = [spec.digest for spec in plan.specs]
    for one in items:
        facts = plan.sources[one.planned.document["source"]]
        spec = plan.specs[one.planned.document["spec"]]
        table = plan.cell_table if spec.cells is not None else None
        look = looks[one.planned.document["spec"]]
        was, before = plan.tables.get(str(table), ()), before_of(one.result)
        found.append(
            Task(one.planned, facts.source, facts.fingerprint, spec, look, table, was, before=before, since=since)
        )
    return found


class PlannedError(ExportError):
    """What was wrong with an item when the job was planned, under the name it had then."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def table_at(path: Path, column: str) -> tuple[CellTable, Mapping[str, list[int]] | None]:
    """Return a cell table, read once while it stays as it is, and the rows of each field of view.

    Rows are ``None`` where the table has no such column: all of them are of every field.
    """
    seen = path.stat()
    return _table(path, column, seen.st_size, seen.st_mtime_ns)


@lru_cache(TABLES_KEPT)
def _table(path: Path, column: str, *_stamp: int) -> tuple[CellTable, Mapping[str, list[int]] | None]:
    table = read_table(path)
    if column not in table.columns:
        return table, None
    found: dict[str, list[int]] = {}
    for number, value in enumerate(table.columns[column].tolist()):
        found.setdefault(str(plain(value)), []).append(number)
    return table, found


def is_retryable(error: BaseException) -> bool:
    """Return whether the same may well succeed in a moment: a disk or network that did not answer.

    What a file contains, and what was asked for, stays as it is.
    """
    if isinstance(error, BudgetError):
        return False
    if isinstance(error, UnreadableFileError | StorageError):
        return True
    return isinstance(error, OSError) and not isinstance(error, CoverslipError | FileNotFoundError | PermissionError)


def failed(task: Task, error: Exception, seconds: float) -> ExportResult:
    """Return what became of an item that could not be made."""
    lines = "".join(traceback.format_exception(error))
    return ExportResult(
        task.item.number,
        task.item.name,
        ok=False,
        path=task.item.path,
        error_type=error.kind if isinstance(error, PlannedError) else type(error).__name__,
        message=str(error) or type(error).__name__,
        traceback=lines[-LONGEST_TRACEBACK:],
        is_retryable=is_retryable(error),
        seconds=seconds,
        details={"wrote": True} if task.before == "written" else {},
    )
