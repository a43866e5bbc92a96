"""All items of a job on one page in HTML, with links to their files; drawn anew, small, when the files are there."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import batched, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from coverslip.errors import InvalidRequestError
from coverslip.export.encoding import Shown
from coverslip.export.manifest import SHORT_ID
from coverslip.export.pacing import Pace
from coverslip.export.pieces import Painter, Task, tasks_of
from coverslip.export.plan import Plan
from coverslip.export.request import Sheet
from coverslip.export.sources import OpenFile
from coverslip.export.writing import FileThereError, created
from coverslip.model.export import ExportSpec
from coverslip.model.exporting import ExportItem
from coverslip.model.templates import Value, filled
from coverslip.render.export import ContactSheet, Figure, figure_of
from coverslip.render.export.panels import panel_grid
from coverslip.render.export.regions import grid

LARGEST_STEP = 1024
"""Of ``ExportSpec.downsample``."""
PORTION = 500
"""Items that are looked up at a time."""
HEAD_BYTES = 4096
"""Of a page, in which it says what it is about."""
EXACT_PIXELS = 64 * 64
"""Smaller pictures, in which each pixel is seen, are embedded without loss."""


type Drawn = tuple[ExportItem, Figure | None, dict[str, Value], str]
"""An item, its small picture, what its caption may name, and why there is no picture."""


def sheet_path(folder: Path, job_id: str) -> Path:
    """Return where the page of a job is: several jobs may share a folder."""
    return folder / f"contact-sheet-{job_id[:SHORT_ID]}.html"


def about_sheet(job_id: str) -> str:
    """Return what the page of a job says of itself."""
    return f"Coverslip export {job_id}"


def _says(path: Path, about: str) -> bool:
    """Return whether a page says of itself what is expected."""
    try:
        with path.open("rb") as stream:
            return about.encode() in stream.read(HEAD_BYTES)
    except OSError:
        return False


def write_sheet(
    plan: Plan,
    asked: Sheet,
    path: Path,
    items: Iterable[ExportItem],
    *,
    about: str = "",
    open_file: OpenFile,
    on_item: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Write the page, and return whether it is there: not when somebody wanted it to stop.

    A few pictures are in memory at a time. An item that failed, or that cannot be drawn any more, has its message in
    the place of the picture.

    Parameters
    ----------
    plan, items
        The job, and how its items stand.
    asked
        Size and captions.
    path
        Where the page goes.
    about
        What the page says of itself; one that is there and says something else is of somebody else, and stays. Where it
        is empty nothing is compared.
    open_file
        Opens image files.
    on_item
        Called after each item.
    should_stop
        Asked before each item.

    Raises
    ------
    InvalidRequestError
        The caption names something that the items do not have.
    StorageError
        It cannot be written.
    FileThereError
        There is a page, or something else, that the job did not write.
    """
    if plan.request.output.existing != "replace" and os.path.lexists(path) and not _says(path, about):
        raise FileThereError(path)
    painter = Painter(plan.request, open_file, Pace(None))

    def draw(one: tuple[Task, ExportItem]) -> Drawn:
        task, item = one
        values: dict[str, Value] = {**task.item.document["values"], "item": task.item.name, "fov": task.source.fov}
        if item.result is not None and not item.result.ok:
            return item, None, values, f"{item.result.error_type}: {item.result.message}"
        if item.result is not None and item.result.is_kept:
            return item, None, {"item": task.item.name}, "kept: this file was there already"
        try:
            with painter.shown(task) as shown:
                return item, small(shown, asked.side), caption_values(shown, values), ""
        except Exception as error:  # noqa: BLE001  # the outer edge of a worker: the page has the others
            return item, None, values, f"no preview: {error}"

    try:
        with created(path) as stream:
            page = ContactSheet(stream, title=asked.title, side=asked.side, exact_pixels=EXACT_PIXELS, about=about)
            pairs = (pair for some in batched(items, PORTION) for pair in zip(tasks_of(plan, some), some, strict=True))
            for drawn in in_order(draw, pairs, plan.request.effort.workers, should_stop):
                _add(page, asked, *drawn)
                on_item()
            if should_stop():
                raise _StoppedError
            page.close()
    except _StoppedError:
        return False
    finally:
        painter.close()
    return True


def small(shown: Shown, side: int) -> Figure:
    """Return what an item shows without scale bar and text, its longer side of at most about so many pixels."""
    spec = shown.spec
    full = grid(shown.window, shown.fov.size, spec.downsample, pad=spec.pad, name=shown.fov.name).full
    rows, columns = panel_grid(spec)
    times = -(-max(full[0] * rows, full[1] * columns) // side)
    changes: dict[str, Any] = {"scale_bar": None, "legend": None, "color_bar": None, "caption": None}
    if times > 1:
        changes |= {"downsample": min(spec.downsample * times, LARGEST_STEP), "resampling": "area"}
    if spec.panels is not None:
        changes["panels"] = spec.panels.model_copy(update={"labels": "none", "gap": 1})
    less: ExportSpec = spec.model_copy(update=changes)
    return figure_of(shown.fov, less, shown.window, label=shown.label, shape=shown.shape)


def caption_values(shown: Shown, values: dict[str, Value]) -> dict[str, Value]:
    """Return what a caption may name."""
    height, width = grid(
        shown.window, shown.fov.size, shown.spec.downsample, pad=shown.spec.pad, name=shown.fov.name
    ).full
    own: dict[str, Value] = {"marker_set": shown.spec.markers.name, "downsample": shown.spec.downsample}
    return {**values, **own, "width": width, "height": height}


def in_order[T, R](
    work: Callable[[T], R], tasks: Iterable[T], workers: int, should_stop: Callable[[], bool]
) -> Iterator[R]:
    """Yield what comes of tasks in their order, a few of them done ahead by threads, until it is to stop."""
    waiting = iter(tasks)
    under_way: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="export") as pool:
        while not should_stop():
            under_way.extend(pool.submit(work, task) for task in islice(waiting, 2 * workers - len(under_way)))
            if not under_way:
                return
            yield under_way.popleft().result()


def _add(
    page: ContactSheet, asked: Sheet, item: ExportItem, figure: Figure | None, values: dict[str, Value], message: str
) -> None:
    if figure is None:
        try:
            caption = filled(asked.caption, values)
        except InvalidRequestError:
            caption = item.planned.name
        page.add_missing(message, caption, _address(item) if item.state == "ok" else None)
    else:
        page.add(figure, filled(asked.caption, values), _address(item) if item.state == "ok" else None)


def _address(item: ExportItem) -> str:
    """Return the address of a file, or of its page, from beside the manifest."""
    page = None if item.result is None else item.result.details.get("page")
    return "./" + quote(item.planned.path) + ("" if page is None else f"#page={page}")


class _StoppedError(Exception):
    """The job is to stop: the page that was begun goes."""
