"""One engine, two kinds of transaction (reading, writing), and database errors as one sentence."""

import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from coverslip.catalog.address import Address
from coverslip.errors import CatalogError
from coverslip.model.speaking import speaker

BUSY_SECONDS = 30.0
"""How long a SQLite transaction waits for another writer."""
CHECKPOINT_PAGES = 8_000
"""Pages of 4 KiB after which a commit moves what was written into the database file. SQLite's own thousand makes one
save in forty wait for that."""
CONNECT_SECONDS = 10
"""How long PostgreSQL may take to answer at all."""
_WRITES = "coverslip_writes"
WHO = "coverslip_who"
"""Names the one for whom a catalog was opened among the options of a transaction that writes."""


def utc_now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


MARKED = "coverslip.marked"
"""What a transaction has made stale, in the notes of its connection: subjects of ``Database.on_marked``."""


class Database:
    """A pool of connections that hands out short transactions. Safe to use from many threads.

    Parameters
    ----------
    address
        Where it is. Nothing is opened before the first transaction.
    clock
        Tells the time; leases and back-off are compared with it.

    Raises
    ------
    CatalogError
        The driver of PostgreSQL is not installed.
    """

    def __init__(self, address: Address, clock: Callable[[], datetime] = utc_now) -> None:
        self.address = address
        self.clock = clock
        self.on_marked: Callable[[frozenset[str]], None] | None = None
        self._reader = _engine(address)
        self._writer = self._reader.execution_options(**{_WRITES: True, WHO: speaker()})

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; otherwise PostgreSQL."""
        return self.address.path is not None

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a transaction that only reads; on SQLite it sees one moment and waits for no writer."""
        return self._transaction(self._reader)

    def writing(self) -> AbstractContextManager[Connection]:
        """Return a transaction that writes; on SQLite it is the only one from its first statement on.

        A deferred transaction that reads first and writes later fails at once when another wrote in between,
        without waiting: hence immediate.
        """
        return self._transaction(self._writer)

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                connection.info.pop(MARKED, None)  # of a transaction that was taken back
                yield connection
                marked = frozenset(connection.info.pop(MARKED, ()))
        except SQLAlchemyError as error:
            raise CatalogError(self.explain(error)) from error
        if marked and self.on_marked is not None:
            self.on_marked(marked)

    def explain(self, error: Exception) -> str:
        """Return what a database error means, in one sentence without a password."""
        place = self.address.shown
        cause = (error.orig if isinstance(error, DBAPIError) else None) or error
        code = str(getattr(cause, "sqlite_errorname", ""))
        for prefix, sentence in _SQLITE_SENTENCES.items():
            if code.startswith(prefix):
                return f"the catalog {place} {sentence}"
        detail = _NOISE.sub("", " ".join(str(cause).split())) or type(cause).__name__
        secret = self.address.url.password
        return f"the catalog {place} cannot be used: {detail.replace(secret, '***') if secret else detail}"


_NOISE = re.compile(r"^connection failed: .* failed: | (Is the server running on that host|This probably means ).*$")
"""What PostgreSQL's library says around the one thing that matters; the address is said already."""

_SQLITE_SENTENCES = {
    "SQLITE_NOTADB": "is not a SQLite database: choose another path or move that file away",
    "SQLITE_CANTOPEN": "cannot be opened: its folder must exist and be writable for this user",
    "SQLITE_READONLY": "is read-only: the file and its folder must be writable for this user",
    "SQLITE_PERM": "may not be opened by this user",
    "SQLITE_BUSY": f"is busy: another process has been writing to it for {BUSY_SECONDS:.0f} seconds",
    "SQLITE_FULL": "cannot grow: the disk is full",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup, or move it away and add the files again",
}


def _engine(address: Address) -> Engine:
    if address.path is not None:
        engine = create_engine(address.url, connect_args={"timeout": BUSY_SECONDS}, max_overflow=15)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = {"connect_timeout": CONNECT_SECONDS, "application_name": "coverslip"}
    given = {name: value for name, value in options.items() if name not in address.url.query}
    try:
        return create_engine(address.url, connect_args=given, max_overflow=15, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise CatalogError("a catalog in PostgreSQL needs psycopg: pip install 'coverslip[postgres]'") from error


def _configure_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Prepare a new connection.

    ``isolation_level = None`` leaves BEGIN to us. ``synchronous=FULL``: with NORMAL, a power failure may take back
    the last commits of a WAL database, and an upload that was answered with "created" would be gone; it costs one
    fsync a transaction, and the transactions are batches.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        _begin_immediate(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Become the one writer, waiting in turns.

    SQLite's own waiting sleeps longer each time, up to 0.1 s, so that a process that has just written takes the
    lock again and others wait for seconds. Short random pauses give all the same chance.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while not _try_immediate(connection, time.monotonic() > deadline):
            time.sleep(random.uniform(0.0005, 0.004))  # noqa: S311  # spreads waiters; no secret
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")


def _try_immediate(connection: Connection, is_last: bool) -> bool:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0)
        if is_last or code & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
