"""``coverslip ingest apply FILE --input FOLDER --output FOLDER``."""

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.cli.ingest.options import (
    Config,
    Everything,
    Exclude,
    Filter,
    HttpsPrefix,
    Input,
    LetGo,
    MetadataOnly,
    NoMrc,
    NoZarr,
    Only,
    Output,
    Publishes,
    Views,
    ZarrVersion,
    formats_of,
    top_of,
)
from coverslip.cli.ingest.plan import refuse, skipped_lines
from coverslip.cli.ingest.views import Refreshed, refresh
from coverslip.cli.output import amount, console, one_line, size_text
from coverslip.ingest.deposition.check import check
from coverslip.ingest.deposition.outcomes import Report, StepOutcome
from coverslip.ingest.deposition.ports import LEASE_SECONDS
from coverslip.ingest.deposition.selection import select
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate

if TYPE_CHECKING:
    from coverslip.ingest.deposition.preparing import Prepared

STOPPED = 130


def apply_config(  # noqa: PLR0917  one for each option
    file: Config,
    source: Input,
    destination: Output,
    only: Only = None,
    filters: Filter = None,
    excludes: Exclude = None,
    everything: Everything = False,
    metadata_only: MetadataOnly = False,
    let_go: LetGo = False,
    no_mrc: NoMrc = False,
    no_zarr: NoZarr = False,
    zarr_version: ZarrVersion = "0.4",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Runs ingested at the same time.")] = 1,
    lease: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds that a run stays taken after its ingest was killed.")
    ] = LEASE_SECONDS,
    views: Views = True,
    publishes: Publishes = True,
    https_prefix: HttpsPrefix = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Ingest a config: write what is new or changed, leave alone what is not, and remove nothing.

    Then the views of its runs are built, each once, and published into the layout.

    Exit code 0 when all of it was done, 1 when a part was not, 2 when it cannot begin, 130 when it was stopped. It goes
    on where it was when it is called again.
    """
    from coverslip.confined import Opener  # noqa: PLC0415  this and what follows bring numpy and SQLAlchemy along
    from coverslip.derive import open_catalog_of, ringing  # noqa: PLC0415
    from coverslip.ingest.deposition.applying import apply  # noqa: PLC0415
    from coverslip.ingest.deposition.lost import forget  # noqa: PLC0415
    from coverslip.ingest.deposition.noted import all_noted  # noqa: PLC0415
    from coverslip.ingest.deposition.preparing import prepare  # noqa: PLC0415
    from coverslip.ingest.deposition.remembered import CatalogLog  # noqa: PLC0415
    from coverslip.ingest.deposition.reserved import reserved  # noqa: PLC0415
    from coverslip.storage import open_storage  # noqa: PLC0415

    selection = select(only or (), filters or (), excludes or (), everything=everything, metadata_only=metadata_only)
    formats = formats_of(no_mrc, no_zarr, zarr_version, views and publishes, https_prefix)
    settings = Settings.load()
    rules = RemoteRules.of(settings)
    root, top = locate(source, rules), top_of(destination)
    checked = check(file, folder=root)
    if not checked.is_valid:
        refuse(checked)
    storage = open_storage(top)
    with open_catalog_of(settings) as catalog, ringing(catalog, settings.queue_url), Opener(settings) as opener:
        log = CatalogLog(catalog, storage, opener.open_image, lambda text: locate(text, rules))
        given = reserved(log)
        done = all_noted(log.steps(""))
        prepared = prepare(
            *(checked, root, locate(top, rules), selection),
            given=given,
            done=done,
            formats=formats,
            lets_go=let_go,
        )
        if not as_json:
            _print_plan(prepared)
        with _stopping() as stopping:
            report = apply(
                prepared.plan,
                prepared.source,
                storage,
                steps=log,
                entities=log,
                leases=log,
                given=given,
                workers=workers,
                lease_seconds=lease,
                rules=rules,
                should_stop=stopping.is_set,
                on_step=(lambda _: None) if as_json else _say,
            )
            if report.is_whole:
                forget(prepared.let_go, log)
            seen = None
            if views and not report.is_stopped:
                seen = refresh(
                    settings,
                    catalog,
                    opener,
                    log.layout,
                    [one.identity for one in prepared.plan.targets if one.entity.type == "run"],
                    changed=(*report.changes.added, *report.changes.changed),
                    publish_to=storage if publishes else None,
                    https_prefix=https_prefix,
                    should_stop=stopping.is_set,
                    say=(lambda _: None) if as_json else _say_line,
                )
    if as_json:
        problems = [asdict(problem) for problem in prepared.problems]
        more = {"problems": problems} | ({} if seen is None else seen.document())
        typer.echo(json.dumps(report.document() | more, indent=2, ensure_ascii=False))
    else:
        _print(report, lease)
        for line in () if seen is None else seen.lines():
            console().print(line)
    raise typer.Exit(_exit_code(report, prepared, seen))


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Let Ctrl-C end the ingest after what is under way."""
    event = threading.Event()
    usual = signal.signal(signal.SIGINT, lambda _number, _frame: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, usual)


def _print_plan(prepared: "Prepared") -> None:
    out = console()
    plan = prepared.plan
    for line in [*map(str, prepared.problems), *skipped_lines(plan.skipped)]:
        out.print(one_line(line))
    entities = sum(target.is_written for target in plan.targets)
    runs = len({target.run for target in plan.targets if target.run})
    out.print(f"planned: {amount(len(plan.steps), 'step')} for {entities:,} entities in {amount(runs, 'run')}")


def _say(step: StepOutcome) -> None:
    if step.outcome == "unchanged":
        return
    said = step.reason or f"{amount(step.objects, 'object')}, {size_text(step.bytes)}, {step.seconds:.1f} s"
    _say_line(f"{step.outcome:<9} {step.name}: {said}")


def _say_line(text: str) -> None:
    console().print(one_line(text))


def _print(report: Report, lease: float) -> None:
    out = console()
    for run in report.held:
        out.print(
            one_line(
                f"{run}: another ingest is at work on this run, or was killed less than {lease:.0f} s ago: try later"
            )
        )
    for run, reason in report.failed_runs.items():
        out.print(one_line(f"{run}: {reason}"))
    counts: Counter[str] = report.counts
    steps = ", ".join(f"{counts[one]:,} {one}" for one in ("written", "updated", "unchanged", "failed", "skipped"))
    changes = report.changes
    out.print(f"{amount(len(report.steps), 'step')}: {steps}; in {report.seconds:.1f} s")
    out.print(
        f"{amount(report.objects_written, 'object')} written, {size_text(report.bytes_written)}; "
        f"{amount(report.volumes_opened, 'source volume')} and {amount(report.files_opened, 'other file')} opened, "
        f"{size_text(report.bytes_read)} read"
    )
    out.print(
        f"catalog: {len(changes.added):,} added, {len(changes.changed):,} changed, {len(changes.unchanged):,} same"
    )
    if report.is_stopped:
        out.print("stopped; the same command goes on from here")


def _exit_code(report: Report, prepared: "Prepared", seen: Refreshed | None) -> int:
    if report.is_stopped or (seen is not None and seen.is_stopped):
        return STOPPED
    return 0 if report.is_whole and prepared.is_whole and (seen is None or seen.is_whole) else 1
