"""``coverslip status``."""

from dataclasses import asdict
from typing import Annotated

import typer

from coverslip.cli.output import console, one_line
from coverslip.derive import VERSIONS, open_catalog
from coverslip.settings import Settings


def run(
    broken: Annotated[int, typer.Option(min=0, help="How many broken files to list.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what the catalog holds and what waits to be built."""
    settings = Settings.load()
    with open_catalog(settings.catalog_url) as catalog:
        counts = catalog.counts(VERSIONS)
        problems = catalog.problems(broken)
        place = catalog.url
    out = console()
    if as_json:
        files = [{"path": asset.path, "reason": asset.reason} for asset in problems]
        out.print_json(data={"catalog": place, **asdict(counts), "problems": files})
        return
    out.print(f"catalog    {place}")
    out.print(f"images     {counts.images:,} ({counts.images_missing:,} missing, {counts.images_deleted:,} deleted)")
    out.print(f"files      {counts.assets:,} ({counts.broken:,} broken, {counts.unknown:,} of unknown formats)")
    out.print(
        f"artifacts  {counts.artifacts_fresh:,} fresh, {counts.artifacts_stale:,} stale "
        f"({counts.artifacts_building:,} being built, {counts.artifacts_failed:,} failed and waiting to be tried again)"
    )
    for asset in problems:
        out.print(f"  broken: {one_line(asset.reason or asset.path)}")
