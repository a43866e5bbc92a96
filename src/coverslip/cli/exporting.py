"""Running an export from the command line: its progress, Ctrl-C, and what is said of it."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from coverslip.catalog import Catalog
from coverslip.cli.output import amount, console, one_line, size_text
from coverslip.errors import InvalidRequestError
from coverslip.export import DryRun, Job
from coverslip.export.manifest import manifest_paths
from coverslip.export.notes import LEASE_SECONDS
from coverslip.model.exporting import ExportJob, ExportMode, ExportResult

WAIT_SECONDS = 0.5
ONLY_RESUMED = frozenset({"retry_failed", "changed"})
"""Options that go with ``--resume``."""
GIVEN = frozenset({"COMMANDLINE", "ENVIRONMENT"})
"""Where options come from that somebody has given."""
SHOWN = 20
"""Files and problems that are listed; JSON has all."""


def wait_until_free(catalog: Catalog, job_id: str) -> None:
    """Wait for a job whose process may have been killed: that is known when its right to the job has run out."""
    until = time.monotonic() + LEASE_SECONDS + 1
    if catalog.export(job_id).state in {"running", "cancelling"}:
        console(stderr=True).print(f"Waiting up to {LEASE_SECONDS:.0f} s for the process that worked on it.")
    while catalog.export(job_id).state in {"running", "cancelling"} and time.monotonic() < until:
        time.sleep(WAIT_SECONDS)


def job_id(jobs: list[ExportJob], asked: str, mode: ExportMode) -> str:
    """Return the job of a mode that is meant by the beginning of its id, or by ``last``: the last with something left.

    Parameters
    ----------
    jobs
        All there are, the newest first.
    asked
        What somebody wrote.
    mode
        Of the command.

    Raises
    ------
    InvalidRequestError
        There is none of this mode, or the one that is meant is of another.
    """
    if asked == "last":
        mine = [job for job in jobs if job.mode == mode]
        if not mine:
            raise InvalidRequestError(f"there is no export of {mode} to go on with")
        left = next((job for job in mine if job.failed or job.completed < job.total), None)
        if left is None:
            console(stderr=True).print(f"No export of {mode} has anything left: this is the last one.")
        return (left or mine[0]).id
    found = [job for job in jobs if job.id.startswith(asked)]
    if len(found) == 1 and found[0].mode != mode:
        other = found[0]
        raise InvalidRequestError(
            f"{asked} is an export of {other.mode}: coverslip export {other.mode} --resume {other.id[:8]}"
        )
    return found[0].id if len(found) == 1 else asked


def check_options(context: typer.Context, *, is_resumed: bool) -> None:
    """Refuse options that do nothing: a job goes on as it was planned, and what goes with ``--resume`` needs it.

    Raises
    ------
    InvalidRequestError
        Some were given.
    """
    sources = {one: context.get_parameter_source(one.name or "") for one in context.command.params}
    given = [one for one, source in sources.items() if source is not None and source.name in GIVEN]
    if is_resumed:
        wrong = [one for one in given if one.name not in {"resume", *ONLY_RESUMED, "as_json"}]
        said = "do nothing with --resume, which goes on with a job as it was planned: leave them out"
    else:
        wrong = [one for one in given if one.name in ONLY_RESUMED]
        said = "go with --resume alone"
    if wrong:
        names = (max(one.opts, key=len) for one in wrong)
        raise InvalidRequestError(f"{', '.join(names)} {said}")


def run(job: Job, begin: Callable[[], ExportJob], *, is_resumed: bool) -> ExportJob:
    """Run a job, as ``begin`` does, with a progress bar on stderr. Ctrl-C cancels it after the items under way."""
    screen = console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("planning", total=None)
        progress.update(task, total=len(job.plan.items), completed=job.status().completed if is_resumed else 0)

        def tell(result: ExportResult) -> None:
            progress.update(task, advance=1, description=one_line(Path(result.path).name)[-40:])
            if not result.ok:
                progress.console.print(f"{one_line(result.item_id)}: {one_line(result.message or '')}")

        job.on_item = tell
        with _cancelling(job):
            return begin()


@contextmanager
def _cancelling(job: Job) -> Iterator[None]:
    """Cancel the job when Ctrl-C is pressed."""

    def cancel(_number: int, _frame: object) -> None:
        # not in the handler itself: the thread that it interrupts may hold the lock of the catalog's connection
        threading.Thread(target=job.cancel, name="cancel", daemon=True).start()

    usual = signal.signal(signal.SIGINT, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def say_dry_run(found: DryRun, *, as_json: bool) -> None:
    """Print what an export would make, and leave: 0 when all is well, 1 otherwise."""
    if as_json:
        files = [{name: getattr(one, name) for name in one.__slots__} for one in found.files]
        document = {"folder": found.folder, "bytes": found.size, "free": found.free, "problems": found.problems}
        print(json.dumps({**document, "files": files}, indent=1))
    else:
        for one in [*found.failing, *(one for one in found.files if one.problem is None)][:SHOWN]:
            said = one.problem or f"{one.width} x {one.height}, about {size_text(one.size)}"
            console().print(f"{one_line(one.path)}: {one_line(said)}{', is there already' if one.exists else ''}")
        if len(found.files) > SHOWN:
            console().print(f"... and {len(found.files) - SHOWN:,} more")
        for problem in found.problems:
            console().print(f"Problem: {one_line(problem)}")
        total = f"{amount(len(found.files), 'file')}, about {size_text(found.size)}; {size_text(found.free)} are free"
        console().print(f"{found.folder}: {total}. {amount(len(found.failing), 'item')} cannot be made.")
    raise typer.Exit(0 if found.is_sound else 1)


def say(job: Job, record: ExportJob, *, as_json: bool) -> None:
    """Print what became of an export, and leave with its exit code."""
    folder = Path(record.output_dir)
    results = job.results() if record.failed or job.request.output.existing == "skip" else []
    failed, kept = [one for one in results if not one.ok], sum(one.is_kept for one in results)
    if as_json:
        document = {
            "id": record.id,
            "state": record.state,
            "message": record.message,
            "total": record.total,
            "succeeded": record.succeeded,
            "failed": record.failed,
            "kept": kept,
            "notes": list(job.notes),
            "folder": record.output_dir,
            "manifest": str(manifest_paths(folder, record.id)[0]),
            "errors": {one.item_id: one.message for one in failed},
        }
        print(json.dumps(document, indent=1))
    else:
        console().print(f"{folder}: {record.succeeded:,} of {amount(record.total, 'file')}, {record.state}.")
        for note in job.notes:
            console().print(one_line(note))
        if kept:
            console().print(f"{kept:,} of them {'was' if kept == 1 else 'were'} there already and kept as found.")
        if failed:
            for one in failed[:SHOWN]:
                console().print(f"  {one_line(one.item_id)}: {one.error_type}: {one_line(one.message or '')}")
            if len(failed) > SHOWN:
                console().print(f"  ... and {len(failed) - SHOWN:,} more; the manifest has all")
        if record.message:
            console().print(f"Stopped: {one_line(record.message)}")
        if record.completed < record.total or record.failed:
            retry = " --retry-failed" if record.failed and record.completed == record.total else ""
            console().print(f"Go on with: coverslip export {record.mode} --resume {record.id[:8]}{retry}")
        if any(one.error_type == "SourceChangedError" for one in failed):
            console().print("To export files that have changed as they are now, add --changed use")
    codes = {"completed": 0, "partial": 1, "failed": 1, "cancelled": 130, "paused": 5}
    raise typer.Exit(codes.get(record.state, 1))
