"""``coverslip clean files`` and ``clean artifacts``: bytes that no record refers to."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from coverslip.catalog import Catalog
from coverslip.cleanup import (
    Loose,
    OwnFile,
    OwnFiles,
    asking,
    loose_files,
    own_files,
    plan_artifacts,
    remove_artifacts_of,
    remove_own_files,
)
from coverslip.cleanup.removing import Removed
from coverslip.cli import acting
from coverslip.cli.output import EXIT_CODES, amount, console, one_line, size_text
from coverslip.derive import KINDS, open_catalog
from coverslip.errors import StorageError
from coverslip.model.removal import Scope
from coverslip.settings import Settings
from coverslip.sources import RemoteRules
from coverslip.storage import Storage, open_storage

SHOWN = 50
"""Artifacts that are printed; ``--json`` has all."""
LayoutOnly = Annotated[str, typer.Option("--layout", help="Only of the layout in this folder or at this address.")]
All = Annotated[bool, typer.Option("--all", help="All layouts, and Coverslip's own storage.")]
DryRun = Annotated[bool, typer.Option("--dry-run/--no-dry-run", help="Only say what would be removed.")]
DbUri = Annotated[str, typer.Option(help="The catalog; left out: COVERSLIP_DATABASE_URL.")]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Ask the bucket without credentials.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask no questions.")]
AllowBytes = Annotated[
    int, typer.Option("--allow-removal", min=0, help="Let so many removals through where the brake holds.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def confirmed(question: str, *, yes: bool) -> bool:
    """Return whether a person says yes; where nobody can be asked, no."""
    if yes:
        return True
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def files(  # noqa: PLR0917  # the options of a command
    layout: LayoutOnly = "",
    everything: All = False,
    dry_run: DryRun = True,
    db_uri: DbUri = "",
    anonymous: Anonymous = False,
    yes: Yes = False,
    allow: AllowBytes = 0,
    as_json: AsJson = False,
) -> None:
    """List files that no record refers to, and with --all --no-dry-run remove those in Coverslip's own storage.

    Files of layouts are never removed here: they are not Coverslip's. Of its own, unused artifacts go and what is left
    of interrupted uploads. Exit code 1 when something could not be listed, the brake holds, or the question was
    answered with no.
    """
    if anonymous:
        os.environ["AWS_SKIP_SIGNATURE"] = "true"
    settings = _settings(db_uri)
    removed: Removed | None = None
    with open_catalog(settings.catalog_url, must_exist=True) as catalog:
        found = loose_files(
            catalog, Scope("file", layout=layout, everything=everything), asking(RemoteRules.of(settings))
        )
        storage = open_storage(settings.artifacts_url)
        own = _own_files(catalog, storage, settings) if everything else None
        going, held = ((), "") if own is None else (own.going, own.artifacts.held(allow))
        if not as_json:
            _print_files(found, () if own is None else own.files)
            if held:
                console().print(f"The brake holds: {held}")
        may_go = bool(not dry_run and going and not held)
        is_no = may_go and not confirmed(f"Remove {amount(len(going), 'file')}?", yes=yes)
        if own is not None and may_go and not is_no:
            removed = remove_own_files(
                *(catalog, storage, settings.uploads_folder, own),
                actor=acting.actor(),
                command="coverslip clean files",
                allow=allow,
            )
    if as_json:
        pieces = [] if own is None else [{**asdict(one), "may_go": one.may_go} for one in own.files]
        number = 0 if removed is None else removed.files
        document = {**asdict(found), "own": pieces, "held": held, "removed": number}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif removed is not None:
        console().print(f"{amount(removed.files, 'file')} removed.")
    elif going:
        console().print("Dry run: nothing was removed." if dry_run else "Nothing was removed.")
    _tell_problems(removed)
    raise typer.Exit(1 if found.unlisted or is_no or (held and not dry_run) else 0)


def _own_files(catalog: Catalog, storage: Storage, settings: Settings) -> OwnFiles:
    return own_files(
        *(catalog, storage, settings.uploads_folder),
        grace_seconds=settings.gc_grace_seconds,
        actor=acting.actor(),
        permitted=acting.PERMIT,
    )


def _print_files(found: Loose, own: Sequence[OwnFile]) -> None:
    out = console()
    for one in found.files:
        what = f" ({one.type.replace('_', ' ')})" if one.type else ""
        out.print(f"  {one_line(f'{one.layout}/{one.key}')}  {size_text(one.size)}{what}")
    for place in found.unlisted:
        out.print(f"Could not be listed: {one_line(place)}")
    size = size_text(sum(one.size for one in found.files))
    out.print(f"{amount(len(found.files), 'file')} ({size}) that no record refers to; nothing was removed.")
    for piece in own[:SHOWN]:
        out.print(f"  {one_line(piece.place)}  {size_text(piece.size)} ({piece.kind})")
    if len(own) > SHOWN:
        out.print(f"  ... and {len(own) - SHOWN:,} more; --json has all")
    if own:
        going = [piece for piece in own if piece.may_go]
        size = size_text(sum(piece.size for piece in going))
        out.print(f"{amount(len(own), 'file')} of Coverslip's own; {len(going):,} of them may go ({size}).")


def artifacts(
    dry_run: DryRun = True,
    db_uri: DbUri = "",
    yes: Yes = False,
    allow: AllowBytes = 0,
    as_json: AsJson = False,
) -> None:
    """Remove artifacts that no record refers to, and records of kinds that this version has no recipe for.

    All of them can be made again where anything needs them. Exit code 1 when the brake holds or the question was
    answered with no, 5 when something could not be removed.
    """
    settings = _settings(db_uri)
    rows, removed = 0, None
    with open_catalog(settings.catalog_url, must_exist=True) as catalog:
        storage = open_storage(settings.artifacts_url)
        plan = plan_artifacts(
            *(catalog, storage, KINDS),
            grace_seconds=settings.gc_grace_seconds,
            actor=acting.actor(),
            permitted=acting.PERMIT,
        )
        objects, held = plan.collected.superseded, plan.held(allow)
        number = len(objects) + sum(plan.kinds.values())
        if not as_json:
            for kind, count in plan.kinds.items():
                console().print(f"  {one_line(kind)}: {amount(count, 'row')} of a kind that nothing makes any more")
            for one in objects[:SHOWN]:
                console().print(f"  {one_line(one.key)}  {size_text(one.size)}")
            if len(objects) > SHOWN:
                console().print(f"  ... and {len(objects) - SHOWN:,} more; --json has all")
            size = size_text(plan.collected.removed_bytes)
            console().print(
                f"{amount(len(objects), 'artifact')} ({size}) that no record refers to, and "
                f"{amount(sum(plan.kinds.values()), 'row')} without a recipe, would be removed."
            )
            if held:
                console().print(f"The brake holds: {held}")
        is_no = bool(not dry_run and number and not held and not confirmed(f"Remove {number:,} of them?", yes=yes))
        if not dry_run and number and not held and not is_no:
            rows, removed = remove_artifacts_of(
                catalog, storage, plan, actor=acting.actor(), command="coverslip clean artifacts", allow=allow
            )
    if as_json:
        document = {
            "artifacts": [{"key": one.key, "size": one.size} for one in objects],
            "kinds": dict(plan.kinds),
            "held": held,
            "removed": {"rows": rows, "artifacts": 0 if removed is None else removed.files},
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif removed is not None:
        console().print(f"{amount(removed.files, 'artifact')} and {amount(rows, 'row')} removed.")
    else:
        console().print("Dry run: nothing was removed." if dry_run else "Nothing was removed.")
    _tell_problems(removed)
    raise typer.Exit(1 if is_no or (held and not dry_run) else 0)


def _tell_problems(removed: Removed | None) -> None:
    if removed is not None and removed.problems:
        for problem in removed.problems:
            console(stderr=True).print(f"coverslip: {one_line(problem)}")
        raise typer.Exit(EXIT_CODES[StorageError])


def _settings(db_uri: str) -> Settings:
    return Settings.load(**({"database_url": db_uri} if db_uri else {}))
