"""A job as Python has it: planned, started, watched, cancelled, gone on with."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

from coverslip.errors import ConflictError
from coverslip.export.checks import DryRun, dry_run
from coverslip.export.ledger import Ledger, MemoryLedger, items_of
from coverslip.export.manifest import manifest_paths, read_manifest, write_manifest
from coverslip.export.notes import Stop
from coverslip.export.options import request_from
from coverslip.export.plan import Plan, plan, restored
from coverslip.export.repairs import take_repaired
from coverslip.export.request import Request
from coverslip.export.run import lost_items, run
from coverslip.export.sheets import about_sheet, sheet_path, write_sheet
from coverslip.export.sources import OpenFile
from coverslip.model.export import MarkerSet
from coverslip.model.exporting import ENDED, ExportItem, ExportJob, ExportMode, ExportResult
from coverslip.readers import open_image

type Place = str | PathLike[str]


class Job:
    """An export: what is to be made, and how far it is.

    Everything that is asked for is frozen when the job is planned, by ``start`` at the latest: later changes of marker
    sets, tables and regions change nothing, and an item whose image files have changed fails.

    Parameters
    ----------
    mode
        ``"fov"``, ``"cells"`` or ``"rois"``.
    items
        Folders of fields of view, or image files. For cells and regions a mapping may follow that says which:
        ``{"data": folder, "where": 'cluster == "immune"', "size": 64}``, with the fields of ``request.CellChoice`` or
        ``request.RoiChoice``.
    marker_set
        Name of one saved beside the data, a mapping as the reference saves it, or a ``MarkerSet``.
    output_dir
        Folder of the files; made if need be.
    file_format
        ``"png"``, ``"jpeg"``, ``"webp"``, ``"tiff"``, ``"ome-tiff"``, ``"ome-zarr"``, ``"pdf"``, ``"svg"``.
    overrides
        Further choices by name: fields of ``model.ExportSpec``, ``request.Output`` and ``request.Effort``, such as
        ``{"downsample": 2, "scale_bar": True, "name": "{fov}_{index:04}", "workers": 4}``.
    catalog
        Where the job is kept, so that another process can go on with it; ``None`` keeps it in this one.
    open_file
        Opens image files.
    on_item
        Told what became of each item, in the thread that runs the job.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense; all of that at once.
    NotFoundError
        There is no such marker set.
    """

    def __init__(
        self,
        mode: ExportMode,
        items: Place | Sequence[Place] | Mapping[str, Any],
        marker_set: str | Mapping[str, Any] | MarkerSet,
        output_dir: Place,
        file_format: str = "png",
        overrides: Mapping[str, Any] | None = None,
        *,
        catalog: Ledger | None = None,
        open_file: OpenFile = open_image,
        on_item: Callable[[ExportResult], None] | None = None,
    ) -> None:
        request = request_from(mode, items, marker_set, output_dir, file_format, overrides or {})
        self._begin(request, None, None, catalog, open_file, on_item)

    @classmethod
    def of(
        cls,
        request: Request,
        *,
        catalog: Ledger | None = None,
        open_file: OpenFile = open_image,
        on_item: Callable[[ExportResult], None] | None = None,
    ) -> Self:
        """Return the job of a request."""
        job = cls.__new__(cls)
        job._begin(request, None, None, catalog, open_file, on_item)
        return job

    @classmethod
    def kept(
        cls,
        job_id: str,
        catalog: Ledger,
        *,
        open_file: OpenFile = open_image,
        on_item: Callable[[ExportResult], None] | None = None,
    ) -> Self:
        """Return a job that is in the catalog, as it was planned.

        Raises
        ------
        NotFoundError
            There is none.
        """
        record = catalog.export(job_id)
        found = restored(record.document, (item.planned for item in items_of(catalog, job_id)))
        job = cls.__new__(cls)
        job._begin(found.request, found, job_id, catalog, open_file, on_item)
        return job

    @classmethod
    def from_manifest(
        cls,
        path: Place,
        output_dir: Place,
        *,
        catalog: Ledger | None = None,
        open_file: OpenFile = open_image,
        on_item: Callable[[ExportResult], None] | None = None,
    ) -> Self:
        """Return the job that a manifest tells of, to be made again in another folder.

        The same sources and versions of the software give the same bytes.

        Raises
        ------
        InvalidRequestError
            It is no manifest.
        UnreadableFileError
            It cannot be read.
        """
        found = read_manifest(Path(path), Path(output_dir))
        job = cls.__new__(cls)
        job._begin(found.request, found, None, catalog, open_file, on_item)
        return job

    def _begin(
        self,
        request: Request,
        planned: Plan | None,
        job_id: str | None,
        catalog: Ledger | None,
        open_file: OpenFile,
        on_item: Callable[[ExportResult], None] | None,
    ) -> None:
        self.request = request
        self._plan, self._id = planned, job_id
        self._ledger: Ledger = MemoryLedger() if catalog is None else catalog
        self._open_file, self.on_item = open_file, on_item
        self._lock = threading.Lock()
        self._stop = Stop()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self.notes: tuple[str, ...] = ()
        """What a person should know of the last ``resume``: sources that have changed, and what was drawn before."""

    @property
    def id(self) -> str:
        """Its identifier; planning the job gives it one."""
        return self._planned()[1]

    @property
    def plan(self) -> Plan:
        """Its items."""
        with self._lock:
            if self._plan is None:
                self._plan = plan(self.request, open_file=self._open_file)
            return self._plan

    def dry_run(self) -> DryRun:
        """Return what would be made and what is wrong with it; writes nothing.

        Raises
        ------
        InvalidRequestError, NotFoundError, ReadError
            It cannot even be planned.
        """
        return dry_run(self.plan)

    def start(self, *, background: bool = False, executor: Executor | None = None) -> ExportJob:
        """Work on the job, or go on with it, and return how it stands.

        Parameters
        ----------
        background
            Return at once and work in a thread of its own; ``wait`` waits for it.
        executor
            Runs the work elsewhere; ``None`` is what ``effort.executor`` of the request says.

        Raises
        ------
        ConflictError
            It has ended, somebody works on it, or files are there that are not to be replaced.
        InvalidRequestError, NotFoundError, ReadError
            It cannot be planned.
        """
        if self._thread is not None and self._thread.is_alive():
            raise ConflictError(f"export {self.id} is running")
        self._check_existing(self.plan)
        made, job_id = self._planned()
        self._stop, self._error = Stop(), None
        if not background:
            return self._run(made, job_id, executor)
        self._thread = threading.Thread(
            target=self._run_quietly, args=(made, job_id, executor), name=f"export {job_id}", daemon=True
        )
        self._thread.start()
        return self.status()

    def wait(self, timeout: float | None = None) -> ExportJob:
        """Wait for a job that runs in the background, at most so many seconds; return how it stands.

        What kept it from running is raised here.
        """
        if self._thread is not None:
            self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        return self.status()

    def cancel(self) -> ExportJob:
        """Have the job end after the items under way. Files that are there stay."""
        job = self._ledger.cancel_export(self.id)
        self._stop.now()
        return job

    def pause(self) -> ExportJob:
        """Have the job stop after the items under way; ``start`` goes on with it."""
        self._stop.now("it was paused")
        return self.status()

    def resume(
        self,
        *,
        retry_failed: bool = False,
        changed: Literal["fail", "use"] = "fail",
        background: bool = False,
    ) -> ExportJob:
        """Go on with a job that was cancelled or is paused; on request also with the items that failed.

        Items whose files are there as they were written are not made again.

        Parameters
        ----------
        retry_failed
            Try again what failed. Sources that could not be read are taken as they are now: somebody may have repaired
            them. ``notes`` says which items were drawn from them before.
        changed
            Sources and cell tables that have changed since the job was planned: items fail, or all that are still to be
            made are made of what is there now.
        background
            Return at once; see ``start``.

        Raises
        ------
        ConflictError
            It is running.
        """
        made, job_id = self._planned()
        status = self.status()
        if status.state not in {"running", "cancelling"} and status.completed == status.total:
            # of one that has items left, ``run`` looks at the files of the others
            lost = lost_items(made.request.output.folder, items_of(self._ledger, job_id, state="ok"))
            self._ledger.reset_items(job_id, lost)
        self.notes = ()
        if (retry_failed or changed == "use") and status.state not in {"running", "cancelling"}:
            made, self.notes = take_repaired(
                made, job_id, self._ledger, open_file=self._open_file, every=changed == "use"
            )
            with self._lock:
                self._plan = made
        self._ledger.reopen_export(job_id, retry_failed=retry_failed)
        status = self.status()
        if status.state == "pending":
            return self.start(background=background)
        folder = made.request.output.folder
        asked, page = made.request.contact_sheet, sheet_path(folder, job_id)
        if asked is not None and not page.exists():
            items = items_of(self._ledger, job_id)
            write_sheet(made, asked, page, items, about=about_sheet(job_id), open_file=self._open_file)
        if not manifest_paths(folder, job_id)[0].exists():
            write_manifest(made, status, items_of(self._ledger, job_id))
        return status

    def status(self) -> ExportJob:
        """Return how the job stands; before it is planned it is planned."""
        return self._ledger.export(self.id)

    def results(self) -> list[ExportResult]:
        """Return what became of the items that somebody is done with, in their order."""
        return [one.result for one in self.items() if one.result is not None and one.state != "pending"]

    def items(self) -> list[ExportItem]:
        """Return all items with how they stand."""
        return self._ledger.export_items(self.id)

    def _planned(self) -> tuple[Plan, str]:
        made = self.plan
        with self._lock:
            if self._id is None:
                folder = str(made.request.output.folder)
                self._id = self._ledger.add_export(made.request.mode, folder, made.document, made.items).id
            return made, self._id

    def _check_existing(self, made: Plan) -> None:
        """Refuse to begin where files are there that are not to be replaced."""
        output = made.request.output
        has_begun = self._id is not None and self._ledger.export(self._id).started_at is not None
        if output.existing != "refuse" or has_begun:
            return
        paths = dict.fromkeys(item.path for item in made.items)
        there = [path for path in paths if (output.folder / path).exists()]
        if there:
            raise ConflictError(
                f"{output.folder} has {len(there)} of the files already, such as {there[0]}: choose another folder, "
                "or say that they are to be replaced or kept (existing: replace, skip)"
            )

    def _run(self, made: Plan, job_id: str, executor: Executor | None) -> ExportJob:
        from coverslip.export.elsewhere import executor_of  # noqa: PLC0415  # few need it

        with executor_of(made.request.effort, self._stop.flag, given=executor) as chosen:
            job = run(
                made,
                job_id,
                self._ledger,
                open_file=self._open_file,
                executor=chosen,
                on_item=self.on_item,
                stop=self._stop,
            )
        if job.state in ENDED:  # what is paused goes on, and has one then
            write_manifest(made, job, items_of(self._ledger, job_id))
        return job

    def _run_quietly(self, made: Plan, job_id: str, executor: Executor | None) -> None:
        try:
            self._run(made, job_id, executor)
        except BaseException as error:  # noqa: BLE001  # the edge of a thread: ``wait`` raises it
            self._error = error
