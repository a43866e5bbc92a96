"""All items of a job in one PDF, page by page, with bounded memory.

Each item is drawn into a piece of its own beside the PDF, by whoever draws items; then the pieces are put onto pages
in the order of the items. A job that goes on draws only what has no piece, and who drew a piece changes no byte of the
PDF. The pieces go when all items are on their pages.
"""

import os
import queue
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from coverslip.errors import CoverslipError, ExportError, InvalidRequestError, ReadError
from coverslip.export.encoding import gallery_caption
from coverslip.export.pieces import Task, failed
from coverslip.export.plan import Plan
from coverslip.export.request import Gallery
from coverslip.export.writing import CannotWriteError, FileThereError, compared, created, digest
from coverslip.model.exporting import ExportResult
from coverslip.render.export import Figure, PdfGallery
from coverslip.render.export.stored import restored
from coverslip.storage.interface import TEMPORARY


class CanNote(Protocol):
    """Takes what became of items."""

    def tell(self, result: ExportResult, *, is_shown: bool = False) -> None:
        """Take it, from any thread."""
        ...

    def pass_on(self) -> None:
        """Hand it on, in the thread that runs the job."""
        ...


class CanShow(CanNote, Protocol):
    """Tells the listener, too."""

    def show(self, result: ExportResult) -> None:
        """Tell the listener only."""
        ...


type Draw = Callable[[Sequence[Task], CanNote], None]
"""Has tasks done, by threads or elsewhere, until the job is to stop."""


def pieces_folder(folder: Path, job_id: str) -> Path:
    """Return where the pieces of a job are until they are on their pages."""
    return folder / f"{TEMPORARY}pieces-{job_id}"


def run_gallery(
    plan: Plan,
    gallery: Gallery,
    tasks: Sequence[Task],
    notes: CanShow,
    *,
    is_own: bool,
    pieces: Path,
    draw: Draw,
    should_stop: Callable[[], bool],
    stop: Callable[[str], None],
) -> None:
    """Write the PDF of a job, in the order of its items; nothing is there of one that was stopped but its pieces.

    Items that cannot be drawn are left out. What became of an item is noted when the file is there.

    Parameters
    ----------
    plan, gallery
        The job.
    tasks
        All of its items; none at all where nothing is to be done.
    notes
        Takes what became of them.
    is_own
        Whether a file that is there is the job's, or may be replaced; another one stays, and the job stops.
    pieces
        Folder of the pieces.
    draw
        Has them drawn.
    should_stop, stop
        Asks whether the job is to stop, and has it stop with a message.
    """
    if not tasks:
        return
    drawn = _Drawn(notes)
    path = plan.request.output.folder / tasks[0].item.path
    todo = [replace(task, piece=pieces / f"{task.item.number}.piece") for task in tasks]
    draw(todo, drawn)
    drawn.pass_on()
    if should_stop():
        return
    try:
        with nullcontext(path) if is_own or not os.path.lexists(path) else compared(path) as place:
            results = _bound(plan, gallery, place, todo, drawn.results, should_stop=should_stop, pass_on=notes.pass_on)
    except _StoppedError:
        return
    except (CannotWriteError, InvalidRequestError, ExportError, FileThereError) as error:  # or a page that cannot be
        stop(str(error))
        return
    checksum, size = digest(path)
    for result in results:
        notes.tell(replace(result, checksum=checksum, size=size) if result.ok else result, is_shown=True)
    if all(result.ok for result in results):
        shutil.rmtree(pieces, ignore_errors=True)


def _common_scale(
    pages: PdfGallery,
    gallery: Gallery,
    tasks: Sequence[Task],
    drawn: Mapping[int, ExportResult],
    pass_on: Callable[[], None],
) -> float | None:
    """Return the points of a pixel at which every item has room: crops that an edge cuts are not drawn larger."""
    scales = []
    for task in tasks:
        result = drawn[task.item.number]
        if result.ok:
            size = result.details["width"], result.details["height"]
            values = {**task.item.document["values"], "item": task.item.name}
            caption = gallery_caption(gallery.caption, values, task.source.fov, task.spec, size)
            scales.append(pages.scale_of(*size, caption))
        pass_on()
    return min(scales, default=None)


def _bound(
    plan: Plan,
    gallery: Gallery,
    path: Path,
    tasks: Sequence[Task],
    drawn: Mapping[int, ExportResult],
    *,
    should_stop: Callable[[], bool],
    pass_on: Callable[[], None],
) -> list[ExportResult]:
    """Put pieces onto pages, and return what became of each item, with its page."""
    results = []
    rows, columns = gallery.rows, gallery.columns
    with created(path) as stream, PdfGallery(stream, title=gallery.title, rows=rows, columns=columns) as pages:
        scale = _common_scale(pages, gallery, tasks, drawn, pass_on) if plan.request.mode == "cells" else None
        for task in tasks:
            if should_stop():
                raise _StoppedError
            result = drawn[task.item.number]
            found = _figure(task) if result.ok else None
            if isinstance(found, ReadError):
                result = failed(task, found, result.seconds)
            elif found is not None:
                pages.add(*found, scale)
                result = replace(result, details={**result.details, "page": pages.pages})
            results.append(result)
            pass_on()
    return results


class _Drawn:
    """What became of the drawing of items: shown at once, noted only when they are on their pages."""

    def __init__(self, notes: CanShow) -> None:
        self._notes = notes
        self._queue: queue.SimpleQueue[ExportResult] = queue.SimpleQueue()
        self.results: dict[int, ExportResult] = {}

    def tell(self, result: ExportResult, *, is_shown: bool = False) -> None:
        """Take the result of an item, from any thread."""
        self._queue.put(result)

    def pass_on(self) -> None:
        """Show what is new, and keep the right to the job."""
        with suppress(queue.Empty):
            while True:
                result = self._queue.get_nowait()
                self.results[result.number] = result
                self._notes.show(result)
        self._notes.pass_on()


def _figure(task: Task) -> tuple[Figure, str] | ReadError:
    assert task.piece is not None
    try:
        return restored(task.piece.read_bytes())
    except OSError as error:
        return ReadError(f"{task.piece} cannot be read: {error.strerror or error}")
    except CoverslipError as error:
        return ReadError(f"{task.piece}: {error}")


class _StoppedError(Exception):
    """The job is to stop: the file that was begun goes."""
