"""``coverslip import PREFIX``."""

import json
import os
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from coverslip.catalog import Catalog
from coverslip.cli import acting
from coverslip.cli.output import amount, console, one_line, say_error
from coverslip.confined import Opener
from coverslip.derive import open_catalog, ringing
from coverslip.errors import ImageLoadError, InvalidRequestError, NotFoundError
from coverslip.ingest.importing import Batch, ImportReport, Problem, Top, import_layout, open_layout
from coverslip.ingest.importing.stale import Cleaned, CleanupMode, Sweeping
from coverslip.settings import Settings
from coverslip.sources import RemotePath, RemoteRules, locate

SHOWN = 20
"""Problems of one sort that are printed; ``--json`` has all."""
TITLES = (
    ("unmentioned", "Spoken of by no document (left alone)"),
    ("duplicate", "The same as another by what they say"),
    ("unlinked", "Alignments that are not there"),
    ("incomplete", "Incomplete"),
    ("held", "Left as they were, because something they depend on could not be read"),
    ("unknown", "Could not be read (left as they were)"),
    ("broken", "Broken"),
)
"""Sorts of problems and what they are called, the worst last."""


def run(
    prefix: Annotated[
        str, typer.Argument(help="The folder of the datasets, or s3://bucket/prefix, gs:// and az:// alike.")
    ],
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Documents read, and images opened, at the same time.")
    ] = 8,
    cleanup: Annotated[
        str | None,
        typer.Option(help="Records whose documents are gone: on, report or off; left out: as the settings say."),
    ] = None,
    allow: Annotated[
        int,
        typer.Option(
            "--allow-removal",
            min=0,
            help="Where the brake holds: let runs through while they remove no more than this in all, and empty "
            "scopes if their run removes exactly what is left of it. What could not be listed never goes.",
        ),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Catalog what lies in the CryoET Data Portal's layout already. Nothing of it is written or moved.

    Records whose documents are certainly gone are removed from the catalog, run by run; `coverslip undo` brings them
    back. Exit code 0 when everything was read, 1 when something could not be, is broken, or held back by the brake, 2
    when nothing could begin.
    """
    if cleanup not in (None, "on", "report", "off"):
        raise InvalidRequestError(f"--cleanup {cleanup!r}: expected on, report or off")
    settings = Settings.load()
    try:
        top = open_layout(_absolute(locate(prefix, RemoteRules.of(settings))))
    except (NotFoundError, InvalidRequestError, ImageLoadError) as error:
        say_error(error)
        raise typer.Exit(2) from error
    with open_catalog(settings.catalog_url) as catalog, ringing(catalog, settings.queue_url):
        report = _import(top, catalog, settings, workers, _sweeping(settings, cleanup, allow))
    if as_json:
        typer.echo(json.dumps(_document(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    raise typer.Exit(130 if report.stopped else 0 if report.is_whole else 1)


def _absolute(path: Path) -> Path:
    if isinstance(path, RemotePath):
        return path
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links


def _sweeping(settings: Settings, asked: str | None, allow: int) -> Sweeping:
    """Return what is done with stale records: what the command says, then exceptions, then the setting."""

    def mode_of(dataset: str) -> CleanupMode:
        mode = asked or settings.cleanup_modes.get(dataset, settings.cleanup_during_import)
        return "on" if mode == "on" else "report" if mode == "report" else "off"

    return Sweeping(mode_of, acting.actor(), acting.command(), allow, acting.PERMIT)


def _import(top: Top, catalog: Catalog, settings: Settings, workers: int, sweeping: Sweeping) -> ImportReport:
    """Import with a line of progress on stderr. Ctrl-C stops after the run under way and keeps what was written."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    stopping = threading.Event()
    usual = signal.signal(signal.SIGINT, lambda _number, _frame: stopping.set())
    try:
        screen = console(stderr=True)
        with (
            Opener(settings) as opener,
            Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress,
        ):
            runs = sum(len(inner) for inner in top.shelves.runs.values())
            count = len(top.shelves.depositions) + len(top.shelves.datasets) + runs
            task = progress.add_task("importing", total=count)

            def tell(batch: Batch) -> None:
                progress.update(task, advance=1, description=one_line(batch.folder)[-48:])

            return import_layout(
                top,
                catalog,
                workers=workers,
                locate=partial(locate, rules=RemoteRules.of(settings)),
                open_file=opener.open_image,
                sweeping=sweeping,
                on_batch=tell,
                should_stop=stopping.is_set,
            )
    finally:
        signal.signal(signal.SIGINT, usual)


def _print(report: ImportReport) -> None:
    out = console()
    out.print(f"{one_line(report.layout)}: {amount(report.files, 'file')} listed.")
    width = max((len(name) for name in report.entities), default=0)
    for name, counts in report.entities.items():
        out.print(f"  {name:<{width}}  {_counts(counts)}")
    if any(report.images.values()):
        out.print(f"Images: {_counts(report.images)}.")
    _print_cleaned(report.cleaned)
    by_kind: dict[str, list[Problem]] = defaultdict(list)
    for problem in report.problems:
        by_kind[problem.kind].append(problem)
    for kind, title in TITLES:
        _print_problems(title, by_kind[kind])
    if report.stopped:
        out.print("Stopped. What was imported so far is kept; the next import goes on.")


def _print_cleaned(cleaned: Cleaned) -> None:
    out = console()
    if cleaned.removed:
        out.print(f"Removed, because their documents are gone: {amount(cleaned.removed, 'record')}.")
    if cleaned.planned:
        out.print(f"Documents are gone of {amount(cleaned.planned, 'record')}; nothing of them was removed.")
    for stop in cleaned.stops[:SHOWN]:
        out.print(f"The brake holds: {one_line(str(stop))}")
    if len(cleaned.stops) > SHOWN:
        out.print(f"  ... and {len(cleaned.stops) - SHOWN:,} more; --json has all")
    if cleaned.plans:
        what = "undo" if cleaned.removed else "clean records --plan"
        out.print(f"Plans: {' '.join(cleaned.plans[:SHOWN])} (`coverslip {what} PLAN`).")


def _print_problems(title: str, problems: Sequence[Problem]) -> None:
    out = console()
    if problems:
        out.print(f"{title}: {len(problems):,}")
    for problem in problems[:SHOWN]:
        out.print(f"  {one_line(str(problem))}")
    if len(problems) > SHOWN:
        out.print(f"  ... and {len(problems) - SHOWN:,} more; --json has all")


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _document(report: ImportReport) -> dict[str, object]:
    return {
        "layout": report.layout,
        "files": report.files,
        "entities": {name: dict(counts) for name, counts in report.entities.items()},
        "images": {what: count for what, count in report.images.items() if count},
        "images_opened": report.images_opened,
        "cleaned": asdict(report.cleaned),
        "problems": [asdict(problem) for problem in report.problems],
        "whole": report.is_whole,
        "stopped": report.stopped,
    }
