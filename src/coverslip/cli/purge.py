"""``coverslip purge``."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from coverslip.catalog import Catalog
from coverslip.cleanup import ArtifactPlan, GcPlan, Removed, collect, plan_gc, plan_purge, purge, sweep_uploads
from coverslip.cli import acting
from coverslip.cli.acting import actor
from coverslip.cli.clean_bytes import DbUri
from coverslip.cli.output import EXIT_CODES, amount, console, one_line, size_text
from coverslip.derive import open_catalog_of
from coverslip.errors import StorageError
from coverslip.model.records import ImageRecord
from coverslip.settings import Settings
from coverslip.storage import Storage, open_storage

SHOWN = 50
"""Removed records that are printed."""


def run(
    older_than_days: Annotated[float, typer.Option(min=0, help="Only what was deleted longer ago than this.")] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove; without it only says what would go.")] = False,
    db_uri: DbUri = "",
) -> None:
    """Remove for good what was deleted some time ago: uploaded originals, records and artifacts.

    Files added in place and files of layouts are never removed. Artifacts that nothing refers to any more go too.
    Cleanups whose records are purged can no longer be undone. Exit code 5 when something could not be removed.
    """
    settings = Settings.load(**({"database_url": db_uri} if db_uri else {}))
    out = console()
    with open_catalog_of(settings, must_exist=True) as catalog:
        storage = open_storage(settings.artifacts_url)
        plan = plan_purge(catalog, older_than_days=older_than_days, actor=actor(), permitted=acting.PERMIT)
        for image in plan:
            kept = "" if image.origin == "uploaded" else "; its file was added in place and stays"
            out.print(f"  {image.id}  {one_line(image.filename)} ({size_text(image.size_bytes)}){kept}")
        before = catalog.now() - timedelta(days=older_than_days)
        records = catalog.tombstones(before, actor=actor(), permitted=acting.PERMIT)
        for record in records[:SHOWN]:
            out.print(f"  {record.type} {record.id}  {one_line(record.path)}")
        if len(records) > SHOWN:
            out.print(f"  ... and {len(records) - SHOWN:,} more records")
        if not yes:
            unused = plan_gc(catalog, storage, grace_seconds=settings.gc_grace_seconds)
            out.print(f"{_amounts(plan, unused, len(records))} would be purged. Nothing was removed; --yes removes.")
            return
        purged = catalog.purge_tombstones(before, actor=actor(), permitted=acting.PERMIT)
        removed = purge(catalog, storage, settings.uploads_folder, plan, actor=actor())
        removed += Removed(sweep_uploads(catalog, settings.uploads_folder))
        swept, problems = _sweep(catalog, storage, settings.gc_grace_seconds)
    removed += problems
    out.print(f"{_amounts(plan, swept, len(purged.ids))} purged, {amount(removed.files, 'file')} removed.")
    if removed.problems:
        for problem in removed.problems:
            console(stderr=True).print(f"coverslip: {one_line(problem)}")
        raise typer.Exit(EXIT_CODES[StorageError])


def _sweep(catalog: Catalog, storage: Storage, grace_seconds: float) -> tuple[GcPlan | None, Removed]:
    try:
        unused = plan_gc(catalog, storage, grace_seconds=grace_seconds)
    except StorageError as error:
        return None, Removed(0, (str(error),))
    held = ArtifactPlan(unused, {}, 0).held()
    if held:
        console().print(f"The brake holds: {held}. `coverslip clean artifacts` removes them when somebody has looked.")
        return None, Removed()
    return unused, collect(catalog, storage, unused)


def _amounts(images: Sequence[ImageRecord], unused: GcPlan | None, records: int) -> str:
    parts = [amount(len(images), "image")]
    if records:
        parts.append(amount(records, "removed record"))
    if unused is not None and unused.superseded:
        parts.append(f"{amount(len(unused.superseded), 'unused artifact')} ({size_text(unused.removed_bytes)})")
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
