"""Jobs that a server runs, one after the other, in a folder of its own; what a killed server left is gone on with."""

import logging
import threading
from pathlib import Path
from uuid import uuid4

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, CoverslipError, InvalidRequestError, NotFoundError
from coverslip.export.job import Job
from coverslip.export.ledger import items_of
from coverslip.export.pacing import Pace
from coverslip.export.pieces import Painter, tasks_of
from coverslip.export.plan import plan, restored
from coverslip.export.repairs import take_repaired
from coverslip.export.request import Request
from coverslip.export.sources import OpenFile
from coverslip.model.exporting import ExportItem, ExportJob
from coverslip.render.export import encode_figure

log = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
"""How often somebody looks for jobs that another process has put there, or left."""
MOST_JOBS = 1000
"""The newest ones, among which it looks."""


class ExportService:
    """Runs the jobs whose folders lie in one folder.

    Parameters
    ----------
    catalog
        Where jobs are kept.
    folder
        Each job has a folder in it.
    open_file
        Opens image files.
    """

    def __init__(self, catalog: Catalog, folder: Path, open_file: OpenFile) -> None:
        self._catalog, self._folder, self._open_file = catalog, folder, open_file
        self._wake, self._should_stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._running: Job | None = None
        self._thread = threading.Thread(target=self._run, name="exports", daemon=True)

    def start(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the items under way; the job that is running is paused and goes on when a server starts."""
        self._should_stop.set()
        self._wake.set()
        with self._lock:
            if self._running is not None:
                self._running.pause()
        if self._thread.is_alive():
            self._thread.join()

    def new_folder(self) -> Path:
        """Return a folder for a job that is not there yet; nothing is made."""
        return self._folder / uuid4().hex

    def add(self, request: Request) -> ExportJob:
        """Plan a job and have it run when its turn comes.

        Raises
        ------
        InvalidRequestError, NotFoundError, ReadError
            It cannot be planned.
        """
        job = Job.of(request, catalog=self._catalog, open_file=self._open_file)
        status = job.status()
        self._wake.set()
        return status

    def go_on(self, job_id: str, *, retry_failed: bool = False) -> ExportJob:
        """Have a job that was stopped, or the items that failed, run again.

        Raises
        ------
        NotFoundError
            There is no such job here.
        ConflictError
            It is running.
        """
        job = self.own(job_id)
        if retry_failed and job.state not in {"running", "cancelling"}:
            made = restored(job.document, (item.planned for item in items_of(self._catalog, job_id)))
            take_repaired(made, job_id, self._catalog, open_file=self._open_file)
        status = self._catalog.reopen_export(job_id, retry_failed=retry_failed)
        self._wake.set()
        return status

    def own(self, job_id: str) -> ExportJob:
        """Return a job of this server.

        Raises
        ------
        NotFoundError
            There is none: jobs of the command line belong to whoever started them.
        """
        job = self._catalog.export(job_id)
        if not self._is_own(job):
            raise NotFoundError(f"export {job_id} is not one of this server: its files are where it was started")
        return job

    def preview(self, request: Request, number: int) -> bytes:
        """Return one item as a PNG; nothing is written.

        Raises
        ------
        InvalidRequestError
            There is no item of this number, or nothing can be planned.
        CoverslipError
            The item cannot be drawn.
        """
        planned = plan(request, open_file=self._open_file)
        if not 0 <= number < len(planned.items):
            raise InvalidRequestError(f"there is no item {number}; there are {len(planned.items)}, counted from 0")
        painter = Painter(request, self._open_file, Pace(None))
        (task,) = tasks_of(planned, [ExportItem(planned.items[number], "pending")])
        try:
            with painter.shown(task) as item:
                return encode_figure(item.figure, "png", item.provenance)
        finally:
            painter.close()

    def _is_own(self, job: ExportJob) -> bool:
        return Path(job.output_dir).is_relative_to(self._folder)

    def _run(self) -> None:
        while not self._should_stop.is_set():
            try:
                is_done = self._run_next()
            except CoverslipError as error:
                log.warning("no export is run now: %s", error)
                is_done = False
            except Exception:  # the edge of a thread: the next job may fare better
                log.exception("an export failed")
                is_done = False
            if not is_done:
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()

    def _run_next(self) -> bool:
        """Run the job that waits longest; ``False`` where there is none."""
        waiting = [job for job in self._catalog.exports(MOST_JOBS) if self._is_own(job) and _waits(job)]
        for record in reversed(waiting):
            with self._lock:
                if self._should_stop.is_set():
                    return False
                self._running = Job.kept(record.id, self._catalog, open_file=self._open_file)
            try:
                self._running.start()
            except ConflictError as error:  # another server has it
                log.debug("%s", error)
                continue
            finally:
                with self._lock:
                    self._running = None
            return True
        return False


def _waits(job: ExportJob) -> bool:
    """Return whether a job is to be run: a person has not paused it, nor has it run out of room."""
    return job.state == "pending" or (job.state == "paused" and job.message in _LEFT)


_LEFT = frozenset({"it was paused", "the process that worked on it has ended", "it was interrupted"})
"""Why a job is paused that a server goes on with by itself."""
