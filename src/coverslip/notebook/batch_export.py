"""The page of an export in a notebook: choose, look, start, watch, cancel, come back."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import traitlets

from coverslip.errors import ConflictError, CoverslipError, NotFoundError
from coverslip.export import DryRun, Job
from coverslip.export.ledger import Ledger
from coverslip.export.sources import OpenFile
from coverslip.model.export import MarkerSet
from coverslip.model.exporting import ExportJob, ExportMode, ExportResult
from coverslip.notebook.filling import Filling, Place
from coverslip.notebook.folders import absolute, listing, make_folder
from coverslip.notebook.form import Form, request_of
from coverslip.notebook.ledgers import kept_jobs, usual_ledger, wait_until_free
from coverslip.notebook.panel import in_words, page_module
from coverslip.notebook.previews import Previewer
from coverslip.notebook.running import IDLE, Running
from coverslip.readers import open_image

FIRST_LOOK_SECONDS = 60.0
MOST_FILES = 200
"""Files of a dry run that are listed on a page: those that cannot be made first."""


class BatchExport(Filling):
    """Pictures of fields of view, cells and regions in bulk, from a notebook.

    Everything that the page does is here too: ``update`` fills in the form, ``dry_run``, ``start``, ``cancel``,
    ``wait`` and ``results`` are those of a ``coverslip.export.Job``. Only ``dry_run`` and ``wait`` block the kernel.

    Parameters
    ----------
    data
        A folder of fields of view, image files, or several of them.
    marker_set
        Name of one saved beside the data, a mapping as it is saved, or a ``MarkerSet``; ``None`` is the first there is.
    output_dir
        Folder of the files.
    mode
        ``"fov"``, ``"cells"`` or ``"rois"``.
    catalog
        Where jobs are kept, so that they can be gone on with after the kernel has ended. ``"usual"`` is the catalog
        that the command line has; ``None`` keeps them in this process.
    open_file
        Opens image files.
    choices
        Anything else as ``Job`` takes it, such as ``where='area > 50'``, ``scale_bar=True``, ``masks=["whole_cell"]``.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense.
    NotFoundError
        There is no such file or folder, or no such marker set.
    """

    _esm = page_module("common.js", "batch_export.js")
    _css = page_module("style.css")

    plan = traitlets.Dict().tag(sync=True)
    """What the last dry run has found."""
    status = traitlets.Dict().tag(sync=True)
    """How the job stands."""
    lines: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """Its log: the newest items."""
    unfinished: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    """Jobs of the chosen folder that can be gone on with, the newest first."""
    preview = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes().tag(sync=True)
    """The preview itself; ``preview["type"]`` says which kind of file."""

    def __init__(
        self,
        data: Place | Sequence[Place],
        *,
        marker_set: str | Mapping[str, Any] | MarkerSet | None = None,
        output_dir: Place | None = None,
        mode: ExportMode = "fov",
        catalog: Ledger | Literal["usual"] | None = "usual",
        open_file: OpenFile = open_image,
        **choices: Any,
    ) -> None:
        folder = "" if output_dir is None else str(absolute(str(output_dir)))
        self._ledger: Ledger | None = None if catalog == "usual" else catalog
        self._is_usual = catalog == "usual"
        self._previewer = Previewer(open_file)
        self._shown = -1
        """Number of the item that is looked at; nobody has looked yet while it is negative."""
        self._running: Running | None = None
        chosen = {"mode": mode, "folder": folder, **choices}
        super().__init__(data, marker_set=marker_set, open_file=open_file, choices=chosen, status=dict(IDLE))
        self.reload()

    def _changed(self, was: Form | None) -> None:
        if was is None or self._form.folder != was.folder:
            self._desk.do("kept", self._look_for_kept)
        self._preview_again()

    # ---- what a caller in Python has --------------------------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The job that was started last; ``None`` while there is none."""
        return None if self._running is None else self._running.job

    def dry_run(self) -> DryRun:
        """Return what would be made and what is wrong with it; writes nothing.

        Raises
        ------
        CoverslipError
            It cannot even be planned.
        """
        self.settle()
        return self._dry_run()

    def start(self) -> None:
        """Plan and run a job of what is filled in now; returns at once. Later changes of the form do not change it.

        Right after the widget was made it waits, at most 60 seconds, until the folder has been looked at.

        Raises
        ------
        ConflictError
            A job is running.
        InvalidRequestError
            Some of the form makes no sense.
        """
        self._desk.wait(FIRST_LOOK_SECONDS, "facts", meanwhile=self._hop.drain)
        request = self.request

        def make() -> Job:
            return Job.of(request, catalog=self._kept_in(), open_file=self._open_file)

        self._begin(make, lambda job: job.start())

    def resume(self, job_id: str | None = None, *, retry_failed: bool = False) -> None:
        """Go on with a job that was stopped, by default the newest of the chosen folder; returns at once.

        Where its process may have been killed, it begins when that is certain, after 16 seconds at most.

        Raises
        ------
        ConflictError
            A job is running.
        NotFoundError
            There is none.
        """
        mine = self.job
        if mine is not None and job_id in {None, mine.id}:
            self._begin(lambda: mine, lambda job: job.resume(retry_failed=retry_failed))
            return
        catalog = self._kept_in()
        if job_id is None:
            jobs = [] if catalog is None else kept_jobs(catalog, self._form.folder)
            if not jobs:
                raise NotFoundError(f"there is no export in {self._form.folder or 'no folder'} to go on with")
            job_id = jobs[0].id
        if catalog is None:
            raise NotFoundError("exports are not kept, so there is none to go on with")
        chosen, ledger = job_id, catalog

        def make() -> Job:
            wait_until_free(ledger, chosen)
            return Job.kept(chosen, ledger, open_file=self._open_file)

        self._begin(make, lambda job: job.resume(retry_failed=retry_failed))

    def cancel(self) -> None:
        """Have the job end after the items under way; returns at once. Files that are there stay."""
        running = self._running
        if running is None or not running.is_alive:
            return
        self._put(status={**self.status, "state": "cancelling"})
        threading.Thread(target=running.cancel, name="notebook cancel", daemon=True).start()

    def wait(self, timeout: float | None = None) -> ExportJob | None:
        """Wait for the job, at most so many seconds; return how it stands, ``None`` where nothing could be planned."""
        until = None if timeout is None else time.monotonic() + timeout
        while (running := self._running) is not None and running.is_alive:
            running.join(0.1)
            self._hop.drain()
            if until is not None and time.monotonic() > until:
                break
        self.settle()
        return None if self.job is None else self.job.status()

    def results(self) -> list[ExportResult]:
        """Return what became of the items that the job is done with."""
        return [] if self.job is None else self.job.results()

    def _let_go(self) -> None:
        self._previewer.close()

    # ---- preview and dry run ----------------------------------------------------------------------------------------

    def _show(self, number: int) -> None:
        self._shown = max(0, number)
        self._preview_again()

    def _preview_again(self) -> None:
        if self._shown >= 0:
            self._desk.do("preview", self._draw)

    def _draw(self) -> None:
        """Draw the preview; in a thread."""
        if self._facts is None:
            return  # it is drawn when they are there
        form = self._form
        matches, problem = self._check()
        if problem is not None:
            self._put(preview={"error": problem, "number": 0, "count": 0}, picture=b"")
            return
        count = len(matches.items)
        number = min(self._shown, count - 1)
        place = {"number": number, "count": count}
        try:
            request = request_of(form, self._data, self._more, folder=form.folder or ".")
            found = self._previewer.draw(request, matches.items[number], number)
        except CoverslipError as error:
            self._put(preview={**place, "error": f"{type(error).__name__}: {in_words(error)}"}, picture=b"")
            return
        self._put(preview={**found.facts, **place, "type": found.media_type}, picture=found.picture)

    def _dry_run(self) -> DryRun:
        found = Job.of(self.request, open_file=self._open_file).dry_run()
        bad = [*found.failing, *(one for one in found.collisions if one.problem is None)]
        named = {one.path for one in bad}
        listed = [*bad, *(one for one in found.files if one.path not in named)][:MOST_FILES]
        document = {
            "folder": found.folder,
            "count": len(found.files),
            "size": found.size,
            "free": found.free,
            "failing": len(found.failing),
            "collisions": len(found.collisions),
            "problems": list(found.problems),
            "files": [{name: getattr(one, name) for name in one.__slots__} for one in listed],
        }
        self._put(plan=document)
        return found

    def _dry_run_for_page(self) -> None:
        try:
            self._dry_run()
        except CoverslipError as error:
            self._put(plan={"error": in_words(error)})

    # ---- jobs -------------------------------------------------------------------------------------------------------

    def _begin(self, make: Callable[[], Job], begin: Callable[[Job], ExportJob]) -> None:
        with self._state_lock:
            if self._running is not None and self._running.is_alive:
                raise ConflictError("an export is running: cancel it, or wait for it")
            self._running = Running(make, begin, self._told)
        self._put(status={**IDLE, "state": "planning"}, lines=[], plan={})
        self._running.start()

    def _told(self, status: Mapping[str, Any], lines: list[dict[str, Any]]) -> None:
        self._put(status=dict(status), lines=lines)
        if status["state"] not in {"planning", "running", "cancelling"}:
            self._desk.do("kept", self._look_for_kept)

    def _kept_in(self, *, make: bool = True) -> Ledger | None:
        """Return where jobs are kept. A catalog that is not there yet is made for a job, not for a look."""
        with self._state_lock:
            if self._is_usual and self._ledger is None:
                self._ledger = usual_ledger(make=make)
            return self._ledger

    def _look_for_kept(self) -> None:
        """Look for jobs of the chosen folder that can be gone on with; in a thread."""
        folder = self._form.folder
        try:
            ledger = self._kept_in(make=False) if folder else None
            own = None if self.job is None else self.job.id
            known = [] if ledger is None else kept_jobs(ledger, folder)
            found = [one for one in known if one.id != own or one.state not in {"running", "cancelling"}]
        except CoverslipError as error:
            self._say({"is": "error", "to": "kept", "text": in_words(error)})
            return
        document = [
            {"id": one.id, "mode": one.mode, "state": one.state, "message": one.message, "total": one.total}
            | {"succeeded": one.succeeded, "failed": one.failed, "created_at": one.created_at.isoformat()}
            for one in found
        ]
        self._put(unfinished=document)

    # ---- what a page may ask for ------------------------------------------------------------------------------------

    @property
    def _commands(self) -> Mapping[str, Callable[[Mapping[str, Any]], None]]:
        return {
            "start": lambda _: self.start(),
            "cancel": lambda _: self.cancel(),
            "resume": lambda said: self._desk.do("resume", partial(self._resume_for_page, said)),
            "dry_run": lambda _: self._desk.do("dry run", self._dry_run_for_page),
            "preview": lambda said: self._show(int(said.get("number", 0))),
            "markers": lambda said: self._choose_markers(str(said.get("name"))),
            "limits": lambda said: self._desk.do("limits", partial(self._set_limits, str(said.get("channel")))),
            "reload": lambda _: self.reload(),
            "browse": lambda said: self._desk.do("browse", partial(self._browse, str(said.get("path", "")), "")),
            "make_folder": lambda said: self._desk.do(
                "browse", partial(self._browse, str(said.get("path", "")), str(said.get("name", "")))
            ),
        }

    def _resume_for_page(self, said: Mapping[str, Any]) -> None:
        try:
            self.resume(said.get("id"), retry_failed=bool(said.get("retry_failed")))
        except CoverslipError as error:
            self._say({"is": "error", "to": "resume", "text": in_words(error)})

    def _browse(self, path: str, name: str) -> None:
        try:
            place = path if not name else str(make_folder(path, name))
            self._say({"is": "listing", **listing(place)})
        except CoverslipError as error:
            self._say({"is": "error", "to": "browse", "text": in_words(error)})
