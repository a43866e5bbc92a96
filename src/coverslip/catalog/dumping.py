"""The whole catalog as lines of JSON, which either database can be filled from.

The first line says what it is, with the revision of the tables. Each table follows with a line that names its columns
and a line for each row. The last line counts the rows and holds the SHA-256 of all lines before it, so that a file
that was cut off or changed is noticed. What is made of other columns (``facts``, for searching) is not in it.
"""

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import Connection, Table, bindparam, insert, select, text, update
from sqlalchemy.exc import OperationalError, StatementError

from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.facts import facts_of
from coverslip.catalog.part import execute_many
from coverslip.catalog.sync import put_facts
from coverslip.catalog.tables import Asset, Base, Facts, Image
from coverslip.catalog.types import UtcTime
from coverslip.errors import CatalogError

FORMAT = "coverslip-catalog-1"
ROWS = 500
"""Rows that are read or written at a time."""
IMAGES = 100
"""The same of images, whose documents may be long."""
LONGEST = 1 << 30
"""Bytes of a line: a plan of a cleanup of a million rows is some hundred megabytes."""
_GZIP = b"\x1f\x8b"
_REVISION = text("SELECT version_num FROM alembic_version")
_LAST = {
    "sqlite": text("SELECT seq FROM sqlite_sequence WHERE name = 'entity'"),
    "postgresql": text("SELECT pg_sequence_last_value(pg_get_serial_sequence('entity', 'id')::regclass)"),
}
"""The highest public number that was ever given: numbers of purged records are never given again."""
_GO_ON = {
    "sqlite": text("INSERT INTO sqlite_sequence (name, seq) VALUES ('entity', :number)"),
    "postgresql": text("SELECT setval(pg_get_serial_sequence('entity', 'id'), :number)"),
}


def write_dump(connection: Connection, target: Path) -> int:
    """Write everything that a transaction sees; return how many rows that is.

    Parameters
    ----------
    connection
        One moment of the catalog: on PostgreSQL with ``REPEATABLE READ``.
    target
        Written as it goes; compressed with gzip where its name ends in ``.gz``.

    Raises
    ------
    OSError
        It cannot be written.
    """
    digest, count = sha256(), 0
    with _writing(target) as file:

        def say(line: Any) -> None:
            data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
            digest.update(data)
            file.write(data)

        numbers = {"entity": connection.execute(_LAST[connection.dialect.name]).scalar() or 0}
        revision = connection.execute(_REVISION).scalar_one()
        say({"format": FORMAT, "version": version("coverslip"), "revision": revision, "numbers": numbers})
        for table in _tables():
            say({"table": table.name, "columns": [column.name for column in table.columns]})
            page = IMAGES if table.name == Image.__tablename__ else ROWS
            wanted = select(*table.columns).order_by(*table.primary_key.columns)
            for row in connection.execution_options(yield_per=page).execute(wanted):
                say([value.isoformat() if isinstance(value, datetime) else value for value in row])
                count += 1
        say({"rows": count, "sha256": digest.hexdigest()})
    return count


class Dump:
    """A dump that is read. A context manager.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    CatalogError
        It cannot be opened, or is no dump of a catalog.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = sha256()
        self._count = 0
        try:
            with path.open("rb") as file:
                is_packed = file.read(2) == _GZIP
            self._file = cast(IO[bytes], gzip.open(path) if is_packed else path.open("rb"))  # noqa: SIM115  # closed below
        except OSError as error:
            raise CatalogError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            head = self._line()
            if not isinstance(head, dict) or head.get("format") != FORMAT:
                raise self._damaged("this is no backup of a catalog in lines of JSON")
            self.revision = str(head.get("revision"))
            last = head.get("numbers", {}).get("entity", 0)
        except (AttributeError, CatalogError) as error:
            self._file.close()
            raise self._damaged("this is no backup of a catalog in lines of JSON") from error
        self._last_number = last if isinstance(last, int) else 0

    def __enter__(self) -> "Dump":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def load(self, connection: Connection) -> int:
        """Fill empty tables of the dump's revision; return how many rows that were.

        Raises
        ------
        CatalogError
            It is damaged, or ends before its end. The transaction has to be taken back.
        """
        tables = {table.name: table for table in _tables()}
        line = self._line()
        while isinstance(line, dict) and "table" in line:
            table, names = tables.get(str(line["table"])), line.get("columns")
            if table is None or not isinstance(names, list) or not set(names) <= set(table.columns.keys()):
                raise self._damaged(f"it has a table {str(line['table'])[:64]!r} that this version does not know")
            try:
                line = self._load_table(connection, table, names)
            except StatementError as error:
                if isinstance(error, OperationalError):  # of the database, not of what it was given
                    raise
                raise self._damaged(f"rows of {table.name} cannot be: {error.orig or error}") from error
        if not isinstance(line, dict) or line.get("rows") != self._count or line.get("sha256") != self._before:
            raise self._damaged("it is not as it was written, or ends before its end")
        if self._last_number:
            if connection.dialect.name == "sqlite":
                connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'entity'"))
            connection.execute(_GO_ON[connection.dialect.name], {"number": self._last_number})
        return self._count

    def _load_table(self, connection: Connection, table: Table, names: Sequence[str]) -> Any:
        """Write the rows of one table; return the line after them."""
        times = frozenset(column.name for column in table.columns if isinstance(column.type, UtcTime))
        is_entity = table.name == Entity.__tablename__
        parents: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        while isinstance(line := self._line(), list):
            if len(line) != len(names):
                raise self._damaged(f"a row of {table.name} has {len(line)} values for {len(names)} columns")
            row = {name: self._value(name, value, times) for name, value in zip(names, line, strict=True)}
            if is_entity and row.get("parent_id") is not None:  # may come later: duplicates went to older rows
                parents.append({"child": row["id"], "parent": row["parent_id"]})
                row["parent_id"] = None
            rows.append(row)
            self._count += 1
            if len(rows) == ROWS:
                execute_many(connection, insert(table), rows)
                rows = []
        execute_many(connection, insert(table), rows)
        moved = update(Entity.__table__).where(Entity.id == bindparam("child")).values(parent_id=bindparam("parent"))  # type: ignore[arg-type]  # a table
        execute_many(connection, moved, parents)
        return line

    def _value(self, name: str, value: Any, times: frozenset[str]) -> Any:
        if name not in times or value is None:
            return value
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise self._damaged(f"{value!r} is no time") from error

    def _line(self) -> Any:
        self._before = self._digest.hexdigest()
        try:
            data = self._file.readline(LONGEST)
        except (OSError, EOFError) as error:
            raise self._damaged(f"it cannot be read: {error}") from error
        self._digest.update(data)
        if not data.endswith(b"\n"):
            raise self._damaged("it ends before its end")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._damaged("a line of it is no JSON") from error

    def _damaged(self, why: str) -> CatalogError:
        return CatalogError(f"{self.path}: {why}. Nothing was restored")


def write_facts(connection: Connection) -> None:
    """Write what images are searched by, from their documents."""
    after = ""
    columns = (Image.id, Asset.path, Image.document, Image.vendor)
    wanted = select(*columns).join(Asset, Asset.id == Image.asset_id).order_by(Image.id).limit(IMAGES)
    while rows := connection.execute(wanted.where(Image.id > after)).all():
        facts = [
            {"image_id": row.id, **facts_of(os.path.basename(row.path), row.document, row.vendor)}  # noqa: PTH119  # text
            for row in rows
        ]
        execute_many(connection, put_facts(connection), facts)
        after = rows[-1].id


def _tables() -> list[Table]:
    """Return the tables that hold what nothing else tells, each after those that it refers to."""
    return [table for table in Base.metadata.sorted_tables if table.name != Facts.__tablename__]


@contextmanager
def _writing(target: Path) -> Iterator[IO[bytes]]:
    with target.open("xb") as raw:
        if target.name.removesuffix(".part").endswith(".gz"):
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
                yield cast(IO[bytes], packed)
        else:
            yield raw
        raw.flush()
        os.fsync(raw.fileno())
