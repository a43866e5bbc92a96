"""A copy of the catalog, made while it is in use."""

import os
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from coverslip.catalog.database import BUSY_SECONDS
from coverslip.catalog.part import Part
from coverslip.errors import CatalogError, ConflictError

PAGES_AT_ONCE = 4096
"""Pages of 4 KiB copied before others may write again."""


class Backups(Part):
    """Copies of the whole catalog."""

    def backup(self, target: Path) -> str:
        """Write a copy of the catalog as it is now; of one in PostgreSQL return the command that does.

        Parameters
        ----------
        target
            Absolute, in a folder that is there; nothing may be there yet. It appears when it is whole.

        Raises
        ------
        ConflictError
            Something is there already.
        CatalogError
            It cannot be written or read.
        """
        path = self._database.address.path
        if path is None:
            url = self._database.address.shown.replace("postgresql+psycopg://", "postgresql://")
            return f"pg_dump --format=custom --file={shlex.quote(str(target))} {shlex.quote(url)}"
        if target.exists():
            raise ConflictError(f"{target}: something is there already")
        part = target.with_name(f"{target.name}.part")
        try:
            with (
                closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as source,
                closing(sqlite3.connect(part)) as copy,
            ):
                source.backup(copy, pages=PAGES_AT_ONCE)
                copy.execute("PRAGMA journal_mode=DELETE")
                if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
                    raise CatalogError(f"{target}: the copy is damaged")
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.rename(target)
        except (sqlite3.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise CatalogError(f"{target}: cannot be written: {error}") from error
        return ""
