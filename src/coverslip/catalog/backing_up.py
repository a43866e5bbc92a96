"""A copy of the catalog, made while it is in use."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from coverslip.catalog.address import Address, parse_address
from coverslip.catalog.database import BUSY_SECONDS, Database
from coverslip.catalog.dumping import Dump, write_dump
from coverslip.catalog.opening import prepare
from coverslip.catalog.part import Part
from coverslip.errors import CatalogError, ConflictError

PAGES_AT_ONCE = 4096
"""Pages of 4 KiB copied before others may write again."""


class Backups(Part):
    """Copies of the whole catalog."""

    def backup(self, target: Path, *, portable: bool = False) -> int | None:
        """Write a copy of the catalog as it is now; return its number of rows where it is one in lines of JSON.

        Parameters
        ----------
        target
            Absolute, in a folder that is there; nothing may be there yet. It appears when it is whole.
        portable
            Write lines of JSON, which fill an empty catalog in SQLite or PostgreSQL. A catalog in PostgreSQL always
            is; one in SQLite otherwise becomes a catalog in SQLite.

        Raises
        ------
        ConflictError
            Something is there already.
        CatalogError
            It cannot be written or read.
        """
        path = self._database.address.path
        with _appearing(target) as part:
            if path is not None and not portable:
                _copy(path, part, target)
                return None
            with self._database.reading() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
                return write_dump(connection, part)


def restore_backup(url: str, file: Path) -> None:
    """Make a catalog at an address from a backup in lines of JSON. It is there as a whole or not at all.

    Raises
    ------
    ConflictError
        There is a catalog already.
    CatalogError
        The file is damaged, is no such backup, or is of a newer version; or the database refuses.
    """
    address = parse_address(url)
    with Dump(file) as dump:
        if address.path is None or address.path.exists():
            _fill(address, dump)
        else:
            _fill_new(address.path, dump)


def _fill(address: Address, dump: Dump) -> None:
    database = Database(address)
    try:
        prepare(database, dump)
    finally:
        database.close()


def _fill_new(path: Path, dump: Dump) -> None:
    """Make a new file beside its place and put it there when it is whole; leave nothing where that fails."""
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as beside:
            part = Path(beside) / path.name
            _fill(parse_address(f"sqlite:///{part}"), dump)
            if path.exists():
                raise ConflictError(f"sqlite:///{path}: there is a catalog by now. Nothing was restored")
            part.rename(path)
    except OSError as error:
        _remove_empty(made)
        raise CatalogError(f"{path}: cannot be written: {error.strerror or error}") from error
    except BaseException:
        _remove_empty(made)
        raise


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the innermost first, as long as nobody has put anything into them."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Give the name under which a file is written; it appears under its own when the ``with`` statement ends well."""
    if target.exists():
        raise ConflictError(f"{target}: something is there already")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed
        yield part
        part.rename(target)
    except (sqlite3.Error, OSError) as error:
        raise CatalogError(f"{target}: cannot be written: {error}") from error
    finally:
        if not target.exists() or part.exists():
            _discard(part)


def _discard(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # what kept it from being written keeps it from being removed


def _copy(path: Path, part: Path, target: Path) -> None:
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
