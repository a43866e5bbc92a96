"""All items of a job in one PDF, page by page, with bounded memory."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from coverslip.errors import ExportError, InvalidRequestError
from coverslip.export.encoding import details_of
from coverslip.export.pacing import Pace
from coverslip.export.pieces import Painter, Task, failed
from coverslip.export.plan import Plan
from coverslip.export.request import Gallery
from coverslip.export.run import Notes, Stop
from coverslip.export.sources import OpenFile
from coverslip.export.writing import CannotWriteError, created, digest
from coverslip.model.exporting import ExportResult
from coverslip.model.templates import Value, filled
from coverslip.render.export import Figure, PdfGallery

type Drawn = tuple[Figure | None, dict[str, Value], ExportResult]
"""A figure, what its caption may name, and what became of the item so far."""


def run_gallery(
    plan: Plan, gallery: Gallery, tasks: Sequence[Task], notes: Notes, stop: Stop, open_file: OpenFile
) -> None:
    """Write the PDF of a job, in the order of its items; nothing is there of one that was stopped.

    Items that cannot be drawn are left out. What became of an item is noted when the file is there.
    """
    if not tasks:
        return
    request = plan.request
    painter = Painter(request, open_file, Pace(request.effort.per_second))
    path = request.output.folder / tasks[0].item.path
    results: list[ExportResult] = []
    rows, columns = gallery.rows, gallery.columns
    try:
        with created(path) as stream, PdfGallery(stream, title=gallery.title, rows=rows, columns=columns) as pages:
            for figure, values, drawn in _in_order(painter, tasks, request.effort.workers, stop):
                result = drawn
                if figure is not None:
                    pages.add(figure, filled(gallery.caption, values))
                    result = replace(drawn, details={**drawn.details, "page": pages.pages})
                results.append(result)
                notes.show(result)
            if stop.flag.is_set():
                raise _StoppedError
    except _StoppedError:
        return
    except (CannotWriteError, InvalidRequestError, ExportError) as error:  # a caption, or a page, that cannot be
        stop.now(str(error))
        return
    finally:
        painter.close()
    checksum, size = digest(path)
    for result in results:
        notes.tell(replace(result, checksum=checksum, size=size) if result.ok else result, is_shown=True)


def _in_order(painter: Painter, tasks: Sequence[Task], workers: int, stop: Stop) -> Iterator[Drawn]:
    """Yield what is drawn in the order of the items, a few of them ahead, until the job is to stop."""
    waiting = iter(tasks)
    under_way: deque[Future[Drawn]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="export") as pool:
        while not stop.flag.is_set():
            under_way.extend(
                pool.submit(_draw, painter, task) for task in islice(waiting, 2 * workers - len(under_way))
            )
            if not under_way:
                return
            yield under_way.popleft().result()


class _StoppedError(Exception):
    """The job is to stop: the file that was begun goes."""


def _draw(painter: Painter, task: Task) -> Drawn:
    began = time.perf_counter()
    try:
        with painter.shown(task) as item:
            figure = item.figure
            values: dict[str, Value] = {
                **item.values,
                "fov": item.fov.name,
                "marker_set": item.spec.markers.name,
                "downsample": item.spec.downsample,
                "width": figure.width,
                "height": figure.height,
            }
    except Exception as error:  # noqa: BLE001  # the outer edge of a worker: the others go on
        return None, {}, failed(task, error, time.perf_counter() - began)
    item_of = task.item
    done = ExportResult(
        item_of.number,
        item_of.name,
        ok=True,
        path=item_of.path,
        seconds=time.perf_counter() - began,
        details=details_of(figure),
    )
    return figure, values, done
