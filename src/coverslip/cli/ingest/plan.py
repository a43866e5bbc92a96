"""``coverslip ingest plan FILE --input FOLDER --output FOLDER``."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from coverslip.cli.output import amount, console, one_line
from coverslip.ingest.deposition.check import Checked, check
from coverslip.ingest.deposition.digests import State, states
from coverslip.ingest.deposition.selection import Selection, select
from coverslip.ingest.deposition.steps import Step, Target
from coverslip.settings import Settings
from coverslip.sources import is_remote, locate

if TYPE_CHECKING:
    from coverslip.ingest.deposition.formats import Formats
    from coverslip.ingest.deposition.plan import Skipped
    from coverslip.ingest.deposition.preparing import Prepared

VERBS: Mapping[State, str] = {"write": "write", "update": "update", "unchanged": "leave as it is"}


def plan_config(  # noqa: PLR0917  one for each option
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
    views: Views = True,
    publishes: Publishes = True,
    https_prefix: HttpsPrefix = None,
    files: Annotated[bool, typer.Option("--files", help="Name every file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole plan as JSON.")] = False,
) -> None:
    """Say what ingesting a config would write, update and leave alone. Nothing is written.

    Give the options that ``apply`` will be given: documents name what is written and published.

    Exit code 0 when all of it can be done, 1 when something that the config asks for cannot, 2 when the config cannot
    be opened or an option makes no sense.
    """
    selection = select(only or (), filters or (), excludes or (), everything=everything, metadata_only=metadata_only)
    formats = formats_of(no_mrc, no_zarr, zarr_version, views and publishes, https_prefix)
    root = locate(source)
    checked = check(file, folder=root)
    if not checked.is_valid:
        refuse(checked)
    prepared, found = _look(checked, root, top_of(destination), selection, formats, lets_go=let_go)
    if as_json:
        typer.echo(json.dumps(_document(checked, prepared, found), indent=2, ensure_ascii=False))
    else:
        _print(prepared, found, is_long=files)
    raise typer.Exit(0 if prepared.is_whole else 1)


def _look(
    checked: Checked, root: Path, top: str, selection: Selection, formats: "Formats", *, lets_go: bool
) -> "tuple[Prepared, dict[str, State]]":
    """Return the plan and what becomes of each step, by what the catalog remembers where there is one."""
    from coverslip.derive import open_catalog_of  # noqa: PLC0415  this and what follows bring numpy and SQLAlchemy along
    from coverslip.ingest.deposition.looking import outlook  # noqa: PLC0415
    from coverslip.ingest.deposition.noted import all_noted  # noqa: PLC0415
    from coverslip.ingest.deposition.preparing import prepare  # noqa: PLC0415
    from coverslip.ingest.deposition.remembered import CatalogLog  # noqa: PLC0415
    from coverslip.ingest.deposition.reserved import reserved  # noqa: PLC0415
    from coverslip.storage import open_storage  # noqa: PLC0415

    settings = Settings.load()
    is_catalog_there = bool(settings.database_url) or (settings.home / "catalog.sqlite").exists()
    if not is_catalog_there or not (is_remote(top) or Path(top).is_dir()):  # opening makes what is not there
        prepared = prepare(checked, root, locate(top), selection, formats=formats)
        return prepared, states(prepared.plan.steps, {}, frozenset(prepared.held.keys))
    storage = open_storage(top)
    with open_catalog_of(settings) as catalog:
        log = CatalogLog(catalog, storage)
        steps = log.steps("")
        done = all_noted(steps)
        prepared = prepare(
            *(checked, root, locate(top), selection), given=reserved(log), done=done, formats=formats, lets_go=lets_go
        )
        return prepared, outlook(prepared, storage, steps)


def refuse(checked: Checked) -> None:
    """Print the errors of a config and end the command."""
    out = console()
    for problem in checked.errors:
        out.print(one_line(str(problem)))
    out.print(f"{checked.file}: {amount(len(checked.errors), 'error')}, nothing is planned")
    raise typer.Exit(1 if checked.is_readable else 2)


def _print(prepared: "Prepared", found: Mapping[str, State], *, is_long: bool) -> None:
    out = console()
    plan = prepared.plan
    for problem in prepared.problems:
        out.print(one_line(str(problem)))
    for line in [
        *skipped_lines(plan.skipped),
        *_by_place(prepared, found, is_long=is_long),
        *_left_alone(prepared),
    ]:
        out.print(one_line(line))
    out.print(_summary(prepared, found))


def skipped_lines(found: "Sequence[Skipped]") -> Iterator[str]:
    """Yield a line for each reason, with the first few entities that it is true of."""
    grouped: dict[tuple[str, str], list[Skipped]] = {}
    for one in found:
        grouped.setdefault((one.type, one.reason), []).append(one)
    for (kind, reason), some in grouped.items():
        names = [f"{one.place}: {one.name}" if one.place else one.name for one in some[:NAMED]]
        more = f" and {len(some) - NAMED:,} more" if len(some) > NAMED else ""
        yield f"skipped {_amount(len(some), kind)}: {reason} ({', '.join(names)}{more})"


def _by_place(prepared: "Prepared", found: Mapping[str, State], *, is_long: bool) -> Iterator[str]:
    """Yield a line for each deposition, dataset and run, and where asked for one for each file."""
    steps: dict[str, list[Step]] = {}
    for step in prepared.plan.steps:
        steps.setdefault(step.target, []).append(step)
    places: dict[str, list[Target]] = {}
    for target in prepared.plan.targets:
        if target.identity in steps:
            places.setdefault(target.run or target.entity.place or target.folder, []).append(target)
    for place, targets in places.items():
        yield f"{place}: {_said(targets, steps, found)}"
        for step in (step for target in targets for step in steps[target.identity] if is_long):
            yield from (f"  {VERBS[found[step.name]]:<16}{key}" for key in step.outputs)


def _said(targets: Sequence[Target], steps: Mapping[str, Sequence[Step]], found: Mapping[str, State]) -> str:
    """Return what becomes of some entities: ``write 1 run, 2 tomograms; leave as it is 1 annotation``."""
    counts: dict[State, Counter[str]] = {state: Counter() for state in VERBS}
    for target in targets:
        own = {found[step.name] for step in steps[target.identity]}
        state: State = own.pop() if len(own) == 1 else "update"
        counts[state][target.entity.type] += 1
    return "; ".join(
        f"{VERBS[state]} {', '.join(_amount(number, kind) for kind, number in some.items())}"
        for state, some in counts.items()
        if some
    )


def _amount(count: int, kind: str) -> str:
    """Return ``1 voxel spacing`` or ``2 tilt series``."""
    noun = NOUNS.get(kind, kind.replace("_", " "))
    return f"{count:,} {noun}" if noun in PLURALS else amount(count, noun)


NOUNS = {
    "tiltseries": "tilt series",
    "frame": "frame set",
    "rawtilt": "raw tilt list",
    "ctf": "CTF",
    "collection_metadata": "mdoc",
    "identified_object": "object table",
    "deposition_keyphoto": "key photo",
    "dataset_keyphoto": "key photo",
}
PLURALS = ("tilt series",)
NAMED = 3
"""Entities named of those skipped for one reason."""


def _left_alone(prepared: "Prepared") -> list[str]:
    """Return a line for each run with what lies there and is not in the config."""
    from coverslip.cryoet import layout  # noqa: PLC0415  brings numpy along

    counts: dict[str, Counter[str]] = {}
    for key in prepared.left_alone.values():
        place = layout.parse(key)
        if place is not None:
            where = "/".join(part for part in (place.dataset, place.run) if part) or place.folder
            counts.setdefault(where, Counter())[place.type] += 1
    return [
        f"{where}: not in this config, left alone: {', '.join(_amount(number, kind) for kind, number in some.items())}"
        for where, some in counts.items()
    ]


def _summary(prepared: "Prepared", found: Mapping[str, State]) -> str:
    counts = Counter(found.values())
    files = sum(len(step.outputs) for step in prepared.plan.steps if found[step.name] != "unchanged")
    parts = [
        f"{counts['write']:,} to write",
        f"{counts['update']:,} to update",
        f"{counts['unchanged']:,} unchanged",
        f"{len(prepared.plan.skipped):,} skipped",
    ]
    return f"{amount(len(found), 'step')}, {amount(files, 'file')}: {', '.join(parts)}; nothing is removed"


def _document(checked: Checked, prepared: "Prepared", found: Mapping[str, State]) -> dict[str, Any]:
    plan = prepared.plan
    counts = Counter(found.values())
    return {
        "file": checked.file,
        "source": str(prepared.source),
        "steps": [asdict(step) | {"state": found[step.name]} for step in plan.steps],
        "targets": [
            {
                "type": target.entity.type,
                "name": target.entity.name,
                "identity": target.identity,
                "parent": target.parent,
                "number": target.number,
                "folder": target.folder,
                "document": target.document,
                "alignment": target.alignment,
                "written": target.is_written,
            }
            for target in plan.targets
        ],
        "skipped": [asdict(one) for one in plan.skipped],
        "left_alone": prepared.left_alone,
        "removed": [],
        "problems": [asdict(problem) for problem in prepared.problems],
        "write": counts["write"],
        "update": counts["update"],
        "unchanged": counts["unchanged"],
    }
