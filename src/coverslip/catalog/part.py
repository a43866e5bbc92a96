"""What the parts of the catalog share."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from coverslip.catalog.database import Database
from coverslip.catalog.tables import Base
from coverslip.errors import NotFoundError
from coverslip.model.entities import EntityKinds

VALUES_PER_STATEMENT = 1000
"""Both databases limit the values of one statement (SQLite 32,766; PostgreSQL 65,535)."""
LARGEST = 2**63 - 1
"""The largest integer that both databases keep."""
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Part:
    """One part of the catalog's front door.

    Parameters
    ----------
    database
        Hands out transactions.
    versions
        Present recipe version of each kind of artifact that every image has.
    annotation_versions
        The same for annotations.
    entity_kinds
        What entities and annotations have to do with artifacts.
    """

    def __init__(
        self,
        database: Database,
        versions: Mapping[str, int],
        annotation_versions: Mapping[str, int] | None = None,
        entity_kinds: EntityKinds | None = None,
    ) -> None:
        self._database = database
        self._entity_kinds = entity_kinds or EntityKinds()
        self._versions = dict(versions)
        self._kinds = tuple(versions)
        self._annotation_kinds = tuple(annotation_versions or {})

    @property
    def _clock(self) -> Callable[[], datetime]:
        return self._database.clock


def new_id() -> str:
    """Return a new random identifier."""
    return str(uuid4())


def known_form(image_id: str) -> str:
    """Return the identifier, once it has the form of one.

    Raises
    ------
    NotFoundError
        No image can have this identifier.
    """
    if not _ID.fullmatch(image_id):
        raise no_such_image(image_id)
    return image_id


def no_such_image(image_id: str) -> NotFoundError:
    """Return the error for an image that is not there (any more)."""
    return NotFoundError(f"there is no image {image_id[:64]!r}")


def chunks(values: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield distinct values in a fixed order, in portions that fit one statement.

    The order is the same for everybody, so two transactions that lock the same rows wait instead of deadlocking.
    """
    return batched(sorted(set(values)), VALUES_PER_STATEMENT)


def upsert(connection: Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT of this database that can be told what to do on a conflict."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def execute_many(connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute one statement for many rows; nothing for none."""
    if rows:
        connection.execute(statement, list(rows))
