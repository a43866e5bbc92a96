"""``coverslip undo``."""

import json
from typing import Annotated

import typer

from coverslip.cli import acting
from coverslip.cli.acting import actor
from coverslip.cli.clean_bytes import AsJson, DbUri
from coverslip.cli.clean_report import counted
from coverslip.cli.output import console
from coverslip.derive import open_catalog
from coverslip.settings import Settings


def run(
    plan_id: Annotated[str, typer.Argument(help="The plan whose removals are taken back.")],
    db_uri: DbUri = "",
    as_json: AsJson = False,
) -> None:
    """Bring back what a cleanup or an import removed: the same records and images with their numbers and artifacts.

    Exit code 1 when a part of it is purged and only the rest came back, 3 when there is no such plan, 4 when it was not
    applied, or all of it is purged.
    """
    settings = Settings.load(**({"database_url": db_uri} if db_uri else {}))
    with open_catalog(settings.catalog_url, must_exist=True) as catalog:
        plan = catalog.plan(plan_id, actor=actor(), permitted=acting.PERMIT)
        done = catalog.undo_plan(plan_id, actor=actor(), permitted=acting.PERMIT)
    restored = [*done.restored, *done.restored_images]
    purged = [*done.purged, *done.purged_images]
    if as_json:
        typer.echo(json.dumps({"plan_id": plan_id, "restored": restored, "purged": purged}))
    else:
        console().print(f"{counted(len(restored), plan.scope.type)} brought back.")
        if purged:
            console().print(f"{counted(len(purged), plan.scope.type)} cannot be brought back: removed for good.")
    raise typer.Exit(1 if purged else 0)
