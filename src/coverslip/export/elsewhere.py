"""Work in other processes, or on a Dask cluster whose machines have the folders of the data and of the job."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from coverslip.errors import BuildError
from coverslip.export.notes import Stop
from coverslip.export.pacing import Pace
from coverslip.export.pages import CanNote
from coverslip.export.pieces import Painter, Task
from coverslip.export.plan import Plan
from coverslip.export.request import Effort, Request
from coverslip.export.run import chunks, keep_busy
from coverslip.export.writing import CannotWriteError
from coverslip.jobs.cluster import DASK, Cluster
from coverslip.jobs.processes import Processes, has_died
from coverslip.model.exporting import ExportResult
from coverslip.readers import open_image
from coverslip.storage.interface import TEMPORARY

CHUNK = 64
"""Items that another process takes at a time: it opens their field of view for itself."""
LOOK_SECONDS = 0.1
"""How often a process looks whether it is to stop."""
MOST_DEATHS = 3
"""An item that is under way alone when its process dies, so often, has failed."""


@contextmanager
def executor_of(
    effort: Effort, should_stop: threading.Event, *, given: Executor | None = None
) -> Iterator[Executor | None]:
    """Give what runs the work; ``None`` is threads of this process.

    Raises
    ------
    SettingsError
        The cluster does not answer.
    MissingDependencyError
        distributed is not installed.
    """
    if given is not None:
        yield given
    elif effort.executor.startswith(DASK):
        with Cluster(effort.executor, effort.executor.removeprefix(DASK), should_stop) as cluster:
            yield cluster
    elif effort.executor == "processes":
        with Processes(effort.workers) as processes:
            yield processes
    else:
        yield None


def run_elsewhere(
    plan: Plan, job_id: str, tasks: Sequence[Task], notes: CanNote, stop: Stop, executor: Executor
) -> None:
    """Have an executor work on a job.

    A file in the folder of the job tells every process to stop. What a process that dies had in hand is done again, in
    the end item by item: one that takes its process with it three times has failed, and the others are not touched.
    """
    flag = plan.request.output.folder / f"{TEMPORARY}stop-{job_id}"
    flag.unlink(missing_ok=True)
    waiting = _Waiting(chunks(tasks, CHUNK))
    request = plan.request
    share = request.effort.per_second
    if share is not None:  # every process keeps its own pace
        effort = request.effort.model_copy(update={"per_second": share / request.effort.workers})
        request = request.model_copy(update={"effort": effort})

    def done(part: Sequence[Task], future: "Future[tuple[list[ExportResult], str | None]]") -> None:
        try:
            results, message = future.result()
        except Exception as error:
            if not has_died(error) and not isinstance(error, BuildError):
                raise
            for result in waiting.again(part):
                notes.tell(result)
            return
        for result in results:
            notes.tell(result)
        if message is not None:
            stop.now(message)

    watch = threading.Thread(target=_raise_flag, args=(stop, flag, ended := threading.Event()), daemon=True)
    watch.start()
    try:
        work = partial(make_here, request, flag)
        most = request.effort.workers + 1
        keep_busy(executor.submit, work, waiting, most=most, plan=plan, notes=notes, stop=stop, done=done)
    finally:
        ended.set()
        watch.join()
        with suppress(OSError):
            flag.unlink(missing_ok=True)


class _Waiting:
    """Parts of a job that nobody works on; those of processes that died come back. Never at its end for good."""

    def __init__(self, parts: Iterable[Sequence[Task]]) -> None:
        self._parts = deque(parts)
        self._deaths: dict[int, int] = {}

    def __iter__(self) -> Iterator[Sequence[Task]]:
        return self

    def __next__(self) -> Sequence[Task]:
        if not self._parts:
            raise StopIteration
        return self._parts.popleft()

    def again(self, part: Sequence[Task]) -> Iterator[ExportResult]:
        """Put a part back, item by item; yield what has failed for good."""
        for task in part:
            number = task.item.number
            self._deaths[number] = self._deaths.get(number, 0) + (len(part) == 1)
            if self._deaths[number] < MOST_DEATHS:
                self._parts.append((task,))
                continue
            yield ExportResult(
                number,
                task.item.name,
                ok=False,
                path=task.item.path,
                error_type="WorkerDiedError",
                message="the process that worked on it was killed each time: it may need more memory than there is",
                attempts=MOST_DEATHS,
            )


def make_here(request: Request, flag: Path, tasks: Sequence[Task]) -> tuple[list[ExportResult], str | None]:
    """Make items in this process; returns what became of them, and why no file can be written, if none can.

    Items that are not among the results were not begun: somebody wants the job to stop.
    """
    results: list[ExportResult] = []
    looked, is_raised = 0.0, False

    def should_stop() -> bool:
        nonlocal looked, is_raised
        if time.monotonic() - looked > LOOK_SECONDS:
            looked, is_raised = time.monotonic(), flag.exists()
        return is_raised

    painter = Painter(request, open_image, Pace(request.effort.per_second))
    try:
        painter.make(tasks, should_stop=should_stop, tell=results.append)
    except CannotWriteError as error:
        return results, str(error)
    finally:
        painter.close()
    return results, None


def _raise_flag(stop: Stop, flag: Path, ended: threading.Event) -> None:
    """Make the file that tells processes to stop, when this one is told."""
    while not ended.is_set():
        if stop.flag.wait(LOOK_SECONDS):
            with suppress(OSError):  # on a full disk a process finds out by itself
                flag.touch()
            return
