"""``coverslip purge``."""

from typing import Annotated

import typer

from coverslip.catalog import Catalog
from coverslip.cleanup import plan_purge, purge
from coverslip.cli.output import amount, console, size_text
from coverslip.settings import Settings
from coverslip.storage import open_storage


def run(
    older_than_days: Annotated[float, typer.Option(min=0, help="Only what was deleted longer ago than this.")] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove; without it only says what would go.")] = False,
) -> None:
    """Remove for good what was deleted some time ago: uploaded originals and artifacts, never files added in place."""
    settings = Settings.load()
    out = console()
    with Catalog.open(settings.catalog_url) as catalog:
        plan = plan_purge(catalog, older_than_days=older_than_days)
        for image in plan:
            kept = "" if image.origin == "uploaded" else "; its file was added in place and stays"
            out.print(f"  {image.id}  {image.filename} ({size_text(image.size_bytes)}){kept}")
        if not yes:
            out.print(f"{amount(len(plan), 'image')} would be purged. Nothing was removed; --yes removes.")
            return
        removed = purge(catalog, open_storage(settings.artifacts_url), settings.uploads_folder, plan)
    out.print(f"{amount(len(plan), 'image')} purged, {amount(removed, 'file')} removed.")
