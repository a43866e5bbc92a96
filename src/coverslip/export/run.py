"""A planned job is worked on: items of one field of view together, several at a time, each noted when it is done."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from itertools import batched, groupby
from pathlib import Path

from coverslip.errors import InvalidRequestError, StorageError
from coverslip.export.ledger import Ledger, items_of
from coverslip.export.notes import LEASE_SECONDS, Notes, Stop, Tell
from coverslip.export.pacing import Pace
from coverslip.export.pages import CanNote, Draw, pieces_folder, run_gallery
from coverslip.export.pieces import Before, Painter, Task, before_of, tasks_of, was_there
from coverslip.export.plan import Plan
from coverslip.export.sheets import about_sheet, sheet_path, write_sheet
from coverslip.export.sources import OpenFile
from coverslip.export.writing import (
    SPARE_BYTES,
    CannotWriteError,
    FileThereError,
    check_folder,
    digest,
    free_bytes,
    sweep,
)
from coverslip.model.exporting import ExportItem, ExportJob, ExportResult
from coverslip.readers import open_image

log = logging.getLogger(__name__)

CHUNK = 32
"""Items that one thread takes at a time."""
WATCH_SECONDS = 1.0
"""How often the room on the disk is looked at."""


def run(
    plan: Plan,
    job_id: str,
    ledger: Ledger,
    *,
    open_file: OpenFile = open_image,
    executor: Executor | None = None,
    on_item: Tell | None = None,
    stop: Stop | None = None,
) -> ExportJob:
    """Work on a job until it has ended or is to stop, and return it as it stands then.

    Parameters
    ----------
    plan
        Its items.
    job_id, ledger
        The job, and where it is kept.
    open_file
        Opens image files; of threads of this process.
    executor
        Runs the work, in other processes or on other machines; ``None`` is threads of this one. They all have the
        folder of the job.
    on_item
        Told what became of each item, in this thread.
    stop
        Ends it.

    Raises
    ------
    ConflictError
        Somebody works on it, or it has ended.
    CatalogError
        What was done cannot be written down.
    """
    stop = stop or Stop()
    started = ledger.export(job_id).started_at
    since = None if started is None else started.timestamp()
    token = ledger.claim_export(job_id, lease_seconds=LEASE_SECONDS)
    notes = Notes(ledger, job_id, token, on_item, stop)
    try:
        check_folder(plan.request.output.folder)
        for inner in {item.path.rpartition("/")[0] for item in plan.items}:
            folder = plan.request.output.folder / inner
            sweep(folder, keep=pieces_folder(folder, job_id).name)
        _check_room(plan)
        tasks = _pending(plan, job_id, ledger, since)
        draw = partial(_draw, plan, job_id, stop=stop, open_file=open_file, executor=executor)
        if plan.request.gallery is None:
            draw(tasks, notes)
        elif tasks:  # a PDF is made as a whole
            _make_gallery(plan, job_id, ledger.export_items(job_id), notes, stop=stop, draw=draw, since=since)
        if not stop.flag.is_set():
            _write_sheet(plan, job_id, ledger, notes, stop, open_file)
    except (StorageError, InvalidRequestError, FileThereError) as error:  # no room, or a caption that cannot be
        stop.now(str(error))
    except BaseException:
        stop.now("it was interrupted")
        raise
    finally:
        notes.flush()
        job = ledger.end_export(job_id, token, is_stopped=stop.flag.is_set(), message=stop.message)
    return job


def _draw(
    plan: Plan,
    job_id: str,
    tasks: Sequence[Task],
    notes: CanNote,
    *,
    stop: Stop,
    open_file: OpenFile,
    executor: Executor | None,
) -> None:
    if executor is None:
        _in_threads(plan, tasks, notes, stop, open_file)
    else:
        from coverslip.export.elsewhere import run_elsewhere  # noqa: PLC0415  # few need it

        run_elsewhere(plan, job_id, tasks, notes, stop, executor)


def _make_gallery(
    plan: Plan,
    job_id: str,
    items: Sequence[ExportItem],
    notes: Notes,
    *,
    stop: Stop,
    draw: Draw,
    since: float | None,
) -> None:
    gallery = plan.request.gallery
    assert gallery is not None
    output = plan.request.output
    path = output.folder / items[0].planned.path
    known = {before_of(one.result) for one in items}
    is_own = "written" in known or output.existing == "replace"
    before: Before = "kept" if "kept" in known else ""
    if output.existing == "skip" and not is_own and os.path.lexists(path) and was_there(path, before, since):
        checksum, size = digest(path)
        for item in (one.planned for one in items):
            kept = ExportResult(item.number, item.name, ok=True, path=item.path, checksum=checksum, size=size)
            notes.tell(replace(kept, details={"kept": True}))
        return
    run_gallery(
        plan,
        gallery,
        tasks_of(plan, items),
        notes,
        is_own=is_own,
        pieces=pieces_folder(output.folder, job_id),
        draw=draw,
        should_stop=stop.flag.is_set,
        stop=stop.now,
    )


def _write_sheet(plan: Plan, job_id: str, ledger: Ledger, notes: Notes, stop: Stop, open_file: OpenFile) -> None:
    asked = plan.request.contact_sheet
    if asked is None:
        return
    notes.flush()
    write_sheet(
        plan,
        asked,
        sheet_path(plan.request.output.folder, job_id),
        items_of(ledger, job_id),
        about=about_sheet(job_id),
        open_file=open_file,
        on_item=notes.pass_on,
        should_stop=stop.flag.is_set,
    )


def _in_threads(plan: Plan, tasks: Sequence[Task], notes: CanNote, stop: Stop, open_file: OpenFile) -> None:
    effort = plan.request.effort
    painter = Painter(plan.request, open_file, Pace(effort.per_second))

    def work(some: Sequence[Task]) -> None:
        painter.make(some, should_stop=stop.flag.is_set, tell=notes.tell)

    try:
        with ThreadPoolExecutor(effort.workers, thread_name_prefix="export") as pool:
            keep_busy(
                pool.submit, work, chunks(tasks, CHUNK), most=effort.workers + 1, plan=plan, notes=notes, stop=stop
            )
    finally:
        painter.close()


def keep_busy[T](
    submit: Callable[..., "Future[T]"],
    work: Callable[[Sequence[Task]], T],
    parts: Iterable[Sequence[Task]],
    *,
    most: int,
    plan: Plan,
    notes: CanNote,
    stop: Stop,
    done: Callable[[Sequence[Task], "Future[T]"], None] | None = None,
) -> None:
    """Have parts of a job worked on, so many at a time, and write down what comes of it.

    Parameters
    ----------
    submit
        Of an executor.
    work
        Does a part.
    parts
        Of the job, in order.
    most
        Parts that are handed over at a time.
    plan, notes, stop
        The job.
    done
        Takes what a part gave; ``None`` only sees to what it raised.
    """
    under_way: dict[Future[T], Sequence[Task]] = {}
    waiting = iter(parts)
    looked = time.monotonic()
    try:
        while True:
            while len(under_way) < most and not stop.flag.is_set():
                some = next(waiting, None)
                if some is None:
                    break
                under_way[submit(work, some)] = some
            if not under_way:
                return
            finished, _ = wait(under_way, timeout=0.05, return_when=FIRST_COMPLETED)
            for future in finished:
                part = under_way.pop(future)
                if done is not None:
                    done(part, future)
                else:
                    _settle(future, stop)
            notes.pass_on()
            if time.monotonic() - looked > WATCH_SECONDS:
                looked = time.monotonic()
                _watch_room(plan.request.output.folder, stop)
    except BaseException:
        stop.now("it was interrupted")
        wait(under_way)
        raise


def _settle[T](future: "Future[T]", stop: Stop) -> None:
    try:
        future.result()
    except CannotWriteError as error:
        stop.now(str(error))


def chunks(tasks: Iterable[Task], size: int) -> Iterator[Sequence[Task]]:
    """Yield tasks in portions, each of one field of view."""
    for _, of_one in groupby(tasks, key=lambda task: task.item.group):
        yield from batched(of_one, size)


def _pending(plan: Plan, job_id: str, ledger: Ledger, since: float | None) -> list[Task]:
    """Return what is to be made: what nobody has made yet, and what is not on disk as it was written."""
    wanted: set[int] = set()
    before: dict[int, Before] = {}

    def written() -> Iterator[ExportItem]:
        for one in items_of(ledger, job_id):
            if one.state == "pending":
                wanted.add(one.planned.number)
            if one.result is not None:
                before[one.planned.number] = before_of(one.result)
            yield one

    lost = lost_items(plan.request.output.folder, written())
    if lost:
        ledger.reset_items(job_id, lost)
        wanted.update(lost)
    tasks = tasks_of(plan, (ExportItem(item, "pending") for item in plan.items if item.number in wanted), since)
    return [replace(task, before=before.get(task.item.number, "")) for task in tasks]


def lost_items(folder: Path, items: Iterable[ExportItem]) -> list[int]:
    """Return the numbers of items whose files were written and are not on disk any more, or are something else."""
    seen: dict[str, tuple[int, str] | None] = {}  # a gallery is the file of all items
    lost = []
    for one in items:
        if one.state != "ok":
            continue
        path = one.planned.path
        if path not in seen:
            seen[path] = _content(folder / path)
        if one.result is None or seen[path] != (one.result.size, one.result.checksum):
            lost.append(one.planned.number)
    return lost


def _content(path: Path) -> tuple[int, str] | None:
    """Return size and digest of a file; ``None`` where it cannot be read."""
    try:
        checksum, size = digest(path)
    except OSError:
        return None
    return size, checksum


def _check_room(plan: Plan) -> None:
    folder = plan.request.output.folder
    if free_bytes(folder) < SPARE_BYTES:
        raise CannotWriteError(f"{folder}: the disk is full: less than {SPARE_BYTES >> 20} MiB are free")


def _watch_room(folder: Path, stop: Stop) -> None:
    try:
        if free_bytes(folder) < SPARE_BYTES:
            stop.now(f"{folder}: the disk is nearly full: less than {SPARE_BYTES >> 20} MiB are free")
    except OSError as error:
        log.warning("the room on the disk of %s cannot be looked at: %s", folder, error)
