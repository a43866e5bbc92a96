"""What makes artifacts stale, the rows they begin with, and the conditions that tell stale from fresh."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    case,
    literal_column,
    or_,
    select,
    text,
    update,
)

from coverslip.catalog.annotation_tables import Annotation
from coverslip.catalog.database import MARKED
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.part import chunks, execute_many, new_id, upsert
from coverslip.catalog.tables import Artifact, Image
from coverslip.catalog.types import UtcTime
from coverslip.model.records import ArtifactRecord

ARTIFACT = tuple(getattr(Artifact, field.name) for field in fields(ArtifactRecord))
"""The columns of a record."""


OF_IMAGE = and_(Artifact.annotation_id.is_(None), Artifact.entity_id.is_(None))
"""The condition for artifacts of the whole image."""

LOCK_ORDER = (Artifact.image_id, Artifact.kind, Artifact.id)
"""In this order several artifacts are locked, so that two transactions wait for each other instead of deadlocking."""


class Kinds(NamedTuple):
    """The kinds of artifact that every one has."""

    of_images: tuple[str, ...]
    of_annotations: tuple[str, ...]


def note_marked(connection: Connection, image_ids: Iterable[str]) -> None:
    """Note of which images something is stale once this transaction is done; an empty text is any image."""
    connection.info.setdefault(MARKED, set()).update(image_ids)


def is_stale(versions: Mapping[str, int]) -> ColumnElement[bool]:
    """Return the condition for what may not be shown as current: changed since, or built by an older recipe."""
    return or_(Artifact.built < Artifact.wanted, *are_of_older_recipes(versions))


def new_artifacts(image_ids: Iterable[str], kinds: Iterable[str], now: datetime) -> list[dict[str, Any]]:
    """Return the rows of artifacts that have never been built."""
    return [new_artifact(kind, image_id, now, "never built before") for image_id, kind in product(image_ids, kinds)]


def new_artifact(
    kind: str,
    image_id: str,
    now: datetime,
    cause: str,
    annotation_id: str | None = None,
    entity_id: int | None = None,
) -> dict[str, Any]:
    """Return the row of an artifact that has never been built."""
    counters = {"wanted": 1, "built": 0, "version": 0, "attempts": 0}
    of = {"kind": kind, "image_id": image_id, "annotation_id": annotation_id, "entity_id": entity_id}
    return {"id": new_id(), **of, **counters, "marked_at": now, "cause": cause}


def missing_artifacts(
    connection: Connection, kinds: Kinds, now: datetime, *conditions: ColumnElement[bool]
) -> list[dict[str, Any]]:
    """Return the rows that are lacking: of a kind that came with a newer version, or after a purge was undone."""
    rows: list[dict[str, Any]] = []
    for kind in kinds.of_images:
        is_it = and_(Artifact.image_id == Image.id, Artifact.kind == kind, OF_IMAGE)
        has_row = select(Artifact.id).where(is_it).exists()
        images = connection.scalars(select(Image.id).where(Image.purged_at.is_(None), ~has_row, *conditions))
        rows += new_artifacts(images, [kind], now)
    for kind in kinds.of_annotations:
        has_row = select(Artifact.id).where(Artifact.annotation_id == Annotation.id, Artifact.kind == kind).exists()
        annotations = select(Annotation.id, Annotation.image_id).join(Image, Image.id == Annotation.image_id)
        for row in connection.execute(annotations.where(Image.purged_at.is_(None), ~has_row, *conditions)):
            rows.append(new_artifact(kind, row.image_id, now, "never built before", row.id))
    return rows


def add_missing_artifacts(
    connection: Connection, kinds: Kinds, now: datetime, *conditions: ColumnElement[bool]
) -> None:
    """Add the rows that images and annotations lack. Somebody else may add them at the same time."""
    rows = missing_artifacts(connection, kinds, now, *conditions)
    execute_many(connection, upsert(connection, Artifact).on_conflict_do_nothing(), rows)


def expect_many(connection: Connection) -> None:
    """Let PostgreSQL order what is marked in memory: by itself it has 4 MB for that, of 20,000 rows."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL work_mem = '64MB'"))


def mark_stale(
    connection: Connection, image_ids: Iterable[str], now: datetime, *conditions: ColumnElement[bool], cause: str
) -> int:
    """Count one more change of the images' artifacts, those of their annotations too. Returns how many rows.

    What is of an entity only goes along with an image: its pixels have nothing to do with it.
    """
    conditions = (*conditions, Artifact.entity_id.is_(None))
    ids = sorted(set(image_ids))
    note_marked(connection, ids)
    expect_many(connection)
    return sum(count_change(connection, now, cause, Artifact.image_id.in_(some), *conditions) for some in chunks(ids))


def mark_annotations_stale(
    connection: Connection, annotation_ids: Iterable[str], now: datetime, *, cause: str, beside: str, asked: str
) -> None:
    """Count one more change of the artifacts of annotations that one save moves, all in one statement.

    ``cause`` is said of the annotation that was ``asked`` for, ``beside`` of its neighbours.
    """
    changed = _OF_ANNOTATIONS[connection.dialect.name == "sqlite"]
    given = {"now": now, "new_cause": cause, "beside": beside, "asked": asked}
    for some in chunks(annotation_ids):
        connection.execute(changed, {**given, "annotation_ids": some})


def count_change(connection: Connection, now: datetime, cause: str, *conditions: ColumnElement[bool]) -> int:
    """Count one more change of the sources; a failure of the old ones no longer counts.

    ``marked_at`` stays for what is stale already: an image that keeps changing must not fall behind for ever.
    """
    changed = changing(connection.dialect.name == "sqlite", *conditions)
    return connection.execute(changed, {"now": now, "new_cause": cause}).rowcount


def changing(is_sqlite: bool, *conditions: ColumnElement[bool]) -> Update:
    """Return the statement that counts one more change."""
    changed = update(Artifact).values(
        wanted=Artifact.wanted + 1,
        marked_at=case((Artifact.built < Artifact.wanted, Artifact.marked_at), else_=bindparam("now", type_=UtcTime())),
        cause=bindparam("new_cause"),
        attempts=0,
        next_try_at=None,
        error=None,
        ignored_at=None,
    )
    if is_sqlite:  # one writer: nobody else holds a row
        return changed.where(*conditions)
    chosen = select(Artifact.id).where(*conditions).order_by(*LOCK_ORDER).with_for_update().subquery()
    return changed.where(Artifact.id == chosen.c.id)


_OF_ANNOTATIONS = {
    is_sqlite: changing(is_sqlite, Artifact.annotation_id.in_(bindparam("annotation_ids", expanding=True))).values(
        cause=case((Artifact.annotation_id == bindparam("asked"), bindparam("new_cause")), else_=bindparam("beside"))
    )
    for is_sqlite in (True, False)
}
"""For every save: made once, because making it takes as long as executing it."""


def is_past(column: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that a time is over, or none is set."""
    return or_(column.is_(None), column <= now)


def is_behind(versions: Mapping[str, int]) -> ColumnElement[bool]:
    """Return the condition for what has not seen every change of its sources."""
    return and_(Artifact.built < Artifact.wanted, Artifact.kind.in_(list(versions)))


def are_of_older_recipes(versions: Mapping[str, int]) -> list[ColumnElement[bool]]:
    """Return the conditions for what has seen every change, but was built by an older recipe.

    What a newer one built is fresh: while two versions of Coverslip run, they would build each other's artifacts
    for ever. One range of an index each: no database answers all of them together by looking into an index.
    """
    return [
        and_(
            Artifact.built >= Artifact.wanted,
            Artifact.kind == kind,
            Artifact.version > literal_column("0"),  # as the index of SQLite says it
            Artifact.version < version,
        )
        for kind, version in versions.items()
    ]


def select_shown(*columns: Any) -> Select[*tuple[Any, ...]]:
    """Return the query for artifacts of images, annotations and entities that are not deleted."""
    return (
        select(*columns)
        .select_from(Artifact)
        .join(Image, Image.id == Artifact.image_id)
        .outerjoin(Annotation, Annotation.id == Artifact.annotation_id)
        .outerjoin(Entity, Entity.id == Artifact.entity_id)
        .where(Image.deleted_at.is_(None), Annotation.deleted_at.is_(None), Entity.deleted_at.is_(None))
    )
