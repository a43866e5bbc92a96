"""``coverslip add PATH...``."""

import json
import signal
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from coverslip.catalog import Catalog
from coverslip.cli.output import amount, console, one_line
from coverslip.confined import Opener
from coverslip.derive import open_catalog_of, ringing
from coverslip.ingest import AddItem, AddReport, add
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate


def run(
    paths: Annotated[
        list[str], typer.Argument(help="Files and folders; folders are walked. Also s3://, gs://, az://, https://.")
    ],
    workers: Annotated[int, typer.Option(min=1, max=64, help="Files opened at the same time.")] = 4,
    refresh: Annotated[bool, typer.Option(help="Open every file again, changed or not.")] = False,
    fov: Annotated[
        bool, typer.Option("--fov", help="Take every folder of one-plane TIFFs of equal size for one field of view.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Catalog image files where they lie. Exit code 1 when something that should be an image could not be read."""
    settings = Settings.load()
    with open_catalog_of(settings) as catalog, ringing(catalog, settings.queue_url):
        found = [locate(path, RemoteRules.of(settings)) for path in paths]
        report = add_with_progress(found, catalog, settings, workers=workers, refresh=refresh, fields=fov)
    if as_json:
        _print_json(report)
    else:
        print_report(report)
    raise typer.Exit(130 if report.stopped else 0 if report.is_sound else 1)


def add_with_progress(
    paths: list[Path],
    catalog: Catalog,
    settings: Settings,
    *,
    workers: int,
    refresh: bool = False,
    fields: bool = False,
) -> AddReport:
    """Catalog files with a progress bar on stderr. Ctrl-C stops after the files under way and keeps what was read."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    stopping = threading.Event()
    usual = signal.signal(signal.SIGINT, lambda _number, _frame: stopping.set())
    try:
        screen = console(stderr=True)
        with (
            Opener(settings) as opener,
            Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress,
        ):
            task = progress.add_task("reading metadata", total=None)

            def tell(item: AddItem) -> None:
                progress.update(task, advance=1, description=f"{item.outcome:9s} {one_line(Path(item.path).name)[:48]}")

            return add(
                paths,
                catalog=catalog,
                workers=workers,
                refresh=refresh,
                skip=settings.own_folders,
                fields=fields,
                locate=partial(locate, rules=RemoteRules.of(settings)),
                on_item=tell,
                should_stop=stopping.is_set,
                open_file=opener.open_image,
            )
    finally:
        signal.signal(signal.SIGINT, usual)


def print_report(report: AddReport) -> None:
    """Print what a run of ``add`` did, what could not be read with its reasons last."""
    out = console()
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.most_common())
    out.print(f"{amount(report.files_seen, 'file')} seen{f': {counts}' if counts else ''}.")
    out.print(
        f"{amount(report.files_opened, 'file')} opened, {amount(report.images, 'image')} read, "
        f"{amount(report.rows_written, 'row')} written."
    )
    for title, lines in (
        ("Missing (kept in the catalog)", report.missing),
        ("Could not be looked at (left as they were)", [item.reason or item.path for item in report.unreadable]),
        ("Broken", [item.reason or item.path for item in report.broken]),
    ):
        if lines:
            out.print(f"{title}:")
        for line in lines:
            out.print(f"  {one_line(line)}")


def _print_json(report: AddReport) -> None:
    document = asdict(report) | {"outcomes": dict(report.outcomes)}
    typer.echo(json.dumps(document, indent=2))
