"""``coverslip backup``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli.clean_bytes import DbUri
from coverslip.cli.output import console, size_text
from coverslip.derive import open_catalog
from coverslip.settings import Settings


def run(
    file: Annotated[Path, typer.Argument(help="Where to write; must not be there yet.")],
    db_uri: DbUri = "",
) -> None:
    """Write a copy of the catalog while it may be in use. Images and artifacts are not in it.

    A catalog in SQLite is copied whole. For one in PostgreSQL the command that copies it is shown, because its own
    program does it best.
    """
    settings = Settings.load(**({"database_url": db_uri} if db_uri else {}))
    target = Path(os.path.abspath(file))  # noqa: PTH100  # resolve() would follow links
    with open_catalog(settings.catalog_url) as catalog:
        command = catalog.backup(target)
    if command:
        console().print(f"The catalog is in PostgreSQL. This copies it:\n  {command}")
        raise typer.Exit(1)
    console().print(
        f"{target}: {size_text(target.stat().st_size)} written. Restore it by COVERSLIP_DATABASE_URL or --db-uri."
    )
