"""Bringing a catalog up to date when it is opened, by one process at a time."""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from coverslip.catalog.database import BUSY_SECONDS, Database
from coverslip.catalog.dumping import Dump, write_facts
from coverslip.errors import CatalogError, ConflictError, NotFoundError

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_SECONDS = 60.0
"""How long to wait for another process that is creating or upgrading the same catalog."""
_LOCK_NUMBER = 0x636F766572736C70
"""Names our advisory lock in PostgreSQL: the letters of "coverslp"."""


def prepare(database: Database, dump: Dump | None = None) -> None:
    """Create the catalog where there is none and run the migrations it has not seen.

    The steps run in one transaction, so a process killed at any instant leaves the catalog as it was or as it
    should be.

    Parameters
    ----------
    database
        Where it is.
    dump
        What a new catalog is filled from; the migrations that are newer than it are run afterwards.

    Raises
    ------
    CatalogError
        It cannot be reached or written, is of another program, or was written by a newer Coverslip; or the dump is
        damaged or newer.
    ConflictError
        A dump is given, and there is a catalog.
    """
    config = Config()
    # The configuration file's syntax gives % a meaning.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    if database.address.path is None:
        _prepare_postgresql(database, config, script, dump)
    else:
        _prepare_sqlite(database, database.address.path, config, script, dump)


def must_be_there(database: Database) -> None:
    """Refuse a place without a catalog, and make nothing there; one of another program is refused when it is prepared.

    Raises
    ------
    NotFoundError
        There is none.
    CatalogError
        It cannot be reached.
    """
    path = database.address.path
    missing = NotFoundError(f"there is no catalog at {database.address.shown}")
    if path is not None and (not path.is_file() or path.stat().st_size == 0):
        raise missing
    with database.reading() as connection:
        is_ours = MigrationContext.configure(connection).get_current_revision() is not None
        if not is_ours and not (database.is_sqlite and inspect(connection).get_table_names()):
            raise missing


def _prepare_postgresql(database: Database, config: Config, script: ScriptDirectory, dump: Dump | None) -> None:
    with database.reading() as connection:
        if dump is None and _is_current(connection, database, script):
            return
    with database.writing() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS:.0f}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
        _upgrade(connection, database, config, script, dump)


def _prepare_sqlite(database: Database, path: Path, config: Config, script: ScriptDirectory, dump: Dump | None) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if dump is None and _is_ready(database, path, script):
            return
        with _locked(path.with_name(f"{path.name}.lock"), database):
            _switch_to_wal(database, path)
            with database.writing() as connection:
                _upgrade(connection, database, config, script, dump)
    except OSError as error:
        cause = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise CatalogError(f"the catalog {database.address.shown} cannot be opened: {cause}") from error


def _is_ready(database: Database, path: Path, script: ScriptDirectory) -> bool:
    """Return whether nothing needs to be done.

    The file is only looked at through SQLite: opening and closing it ourselves would drop the locks that other
    connections of this process hold on it (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    if not path.exists() or path.stat().st_size == 0:
        return False
    with database.reading() as connection:
        is_wal = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        return _is_current(connection, database, script) and is_wal


@contextmanager
def _locked(path: Path, database: Database) -> Iterator[None]:
    """Hold a lock that ends with the process at the latest. The file stays: removing it would let two in at once."""
    deadline = time.monotonic() + LOCK_SECONDS
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    message = f"the catalog {database.address.shown} is being upgraded by another process: try later"
                    raise CatalogError(message) from error
                time.sleep(0.01)
        yield


def _switch_to_wal(database: Database, path: Path) -> None:
    """Let readers and the writer work at the same time, for good: the mode is kept in the file.

    To be done by one at a time: others get "database is locked" at once, whatever their timeout (seen by 2 % of
    six threads on one new file).
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlite3.Error as error:
        raise CatalogError(database.explain(error)) from error
    if mode != "wal":
        raise CatalogError(f"{path.parent} cannot hold a SQLite catalog: its file system does not support WAL")


def _is_current(connection: Connection, database: Database, script: ScriptDirectory) -> bool:
    """Return whether every migration has been run.

    Raises
    ------
    CatalogError
        Migrations have been run that this version does not know, or the tables are not ours.
    """
    shown = database.address.shown
    found = MigrationContext.configure(connection).get_current_revision()
    known = {step.revision for step in script.walk_revisions()}
    if found is None and database.is_sqlite and inspect(connection).get_table_names():
        raise CatalogError(f"{shown} is a SQLite database of another program: choose another path")
    if found is not None and found not in known:
        newest = script.get_current_head()
        raise CatalogError(
            f"the catalog {shown} was written by a newer version of Coverslip "
            f"(its tables are at revision {found}, this version knows up to {newest}): upgrade Coverslip"
        )
    return found == script.get_current_head()


def _upgrade(
    connection: Connection, database: Database, config: Config, script: ScriptDirectory, dump: Dump | None
) -> None:
    if dump is not None:
        _fill(connection, database, config, script, dump)
    elif not _is_current(connection, database, script):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _fill(connection: Connection, database: Database, config: Config, script: ScriptDirectory, dump: Dump) -> None:
    """Create the tables of a dump's revision, fill them, and bring them up to date."""
    is_current = _is_current(connection, database, script)
    if is_current or MigrationContext.configure(connection).get_current_revision() is not None:
        raise ConflictError(f"{database.address.shown}: there is a catalog already. Nothing was restored")
    if dump.revision not in {step.revision for step in script.walk_revisions()}:
        newest = script.get_current_head()
        raise CatalogError(
            f"{dump.path} was written by a newer version of Coverslip (its tables are at revision "
            f"{dump.revision[:64]!r}, this version knows up to {newest}): upgrade Coverslip"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, dump.revision)
    dump.load(connection)
    command.upgrade(config, "head")
    write_facts(connection)
