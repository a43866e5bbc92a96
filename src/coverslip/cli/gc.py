"""``coverslip gc``."""

from typing import Annotated

import typer

from coverslip.cleanup import GcPlan, announce, collect, plan_gc
from coverslip.cli.output import EXIT_CODES, amount, console, one_line, size_text
from coverslip.derive import open_catalog_of
from coverslip.errors import StorageError
from coverslip.settings import Settings
from coverslip.storage import open_storage


def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Most bytes to keep, 0 for all; left out: COVERSLIP_STORAGE_LIMIT_BYTES.")
    ] = None,
) -> None:
    """Remove superseded artifacts and, over the limit, those not used for longest. All can be made again.

    Exit code 5 when something could not be removed.
    """
    settings = Settings.load()
    limit_bytes = settings.storage_limit_bytes if limit is None else limit
    out = console()
    with open_catalog_of(settings) as catalog:
        storage = open_storage(settings.artifacts_url)
        plan = plan_gc(catalog, storage, limit_bytes=limit_bytes, grace_seconds=settings.gc_grace_seconds)
        for line in _described(plan, limit_bytes):
            out.print(line)
        if dry_run:
            out.print(f"{size_text(plan.removed_bytes)} ({plan.removed_bytes:,} bytes) would be removed.")
            return
        announce(catalog, storage)
        removed = collect(catalog, storage, plan)
    out.print(f"{amount(removed.files, 'artifact')} removed, {size_text(removed.bytes)} ({removed.bytes:,} bytes).")
    if removed.problems:
        for problem in removed.problems:
            console(stderr=True).print(f"coverslip: {one_line(problem)}")
        raise typer.Exit(EXIT_CODES[StorageError])


def _described(plan: GcPlan, limit_bytes: int) -> list[str]:
    superseded, unused = (sum(item.size for item in items) for items in (plan.superseded, plan.unused))
    lines = [f"  superseded: {amount(len(plan.superseded), 'artifact')}, {size_text(superseded)}"]
    if limit_bytes:
        lines.append(f"  over the limit: {amount(len(plan.unused), 'artifact')}, {size_text(unused)}")
    lines.append(f"  kept: {size_text(plan.kept_bytes)}")
    if plan.over_bytes:
        lines.append(f"  still {size_text(plan.over_bytes)} over the limit: made or used within the grace period")
    if plan.other_catalogs:
        lines.append(
            f"  {amount(len(plan.other_catalogs), 'other catalog')} used this storage lately: artifacts that this one "
            "does not know are left alone"
        )
    return lines
