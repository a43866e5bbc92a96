"""``coverslip backup``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from coverslip.catalog.backing_up import restore_backup
from coverslip.cli.clean_bytes import DbUri
from coverslip.cli.output import amount, console, size_text
from coverslip.derive import open_catalog
from coverslip.settings import Settings


def run(
    file: Annotated[Path, typer.Argument(help="Where to write; must not be there yet. With --restore: what to read.")],
    portable: Annotated[
        bool, typer.Option("--portable", help="Write lines of JSON, for SQLite and PostgreSQL; .gz compresses them.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Make a catalog at --db-uri from such a file instead.")
    ] = False,
    db_uri: DbUri = "",
) -> None:
    """Write a copy of the catalog while it may be in use. Images and artifacts are not in it.

    A catalog in SQLite becomes a catalog in SQLite, one in PostgreSQL lines of JSON that --restore makes a catalog of,
    in either database. Exit code 4 when something is there already, 5 when it cannot be written or read.
    """
    settings = Settings.load(**({"database_url": db_uri} if db_uri else {}))
    target = Path(os.path.abspath(file))  # noqa: PTH100  # resolve() would follow links
    if restore:
        restore_backup(settings.catalog_url, target)
        with open_catalog(settings.catalog_url, must_exist=True) as catalog:
            console().print(f"{catalog.url}: restored from {target}.")
        return
    with open_catalog(settings.catalog_url, must_exist=True) as catalog:
        rows = catalog.backup(target, portable=portable)
    size = size_text(target.stat().st_size)
    if rows is None:
        console().print(f"{target}: {size} written. Restore it by COVERSLIP_DATABASE_URL or --db-uri.")
    else:
        console().print(
            f"{target}: {amount(rows, 'row')}, {size} written. "
            f"`coverslip backup {file} --restore --db-uri ...` makes a catalog of it."
        )
