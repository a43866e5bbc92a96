"""The six tables. ``docs/catalog.md`` explains every column; a test holds the two together."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from coverslip.catalog.types import CleanText, CodePointText, PathText, UtcTime


class Base(DeclarativeBase):
    """The metadata of all tables; constraints have the same names everywhere."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # the name and form are SQLAlchemy's
        str: CleanText(),
        datetime: UtcTime(),
        dict[str, Any]: JSON(),
    }


class Asset(Base):
    """Bytes: one file or folder, where it is and what became of it."""

    __tablename__ = "asset"
    __table_args__ = (
        CheckConstraint("origin IN ('added', 'uploaded')", name="origin"),
        CheckConstraint("state IN ('ok', 'broken', 'unknown', 'part')", name="state"),
        CheckConstraint("size >= 0", name="size"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathText(), unique=True)
    origin: Mapped[str]
    is_folder: Mapped[bool]
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[str | None]
    state: Mapped[str]
    reason: Mapped[str | None]
    part_of: Mapped[str | None] = mapped_column(PathText())
    read_by: Mapped[str]
    missing_since: Mapped[datetime | None]


_IS_SHOWN = text("deleted_at IS NULL")


class Image(Base):
    """What people see: one image of an asset."""

    __tablename__ = "image"
    __table_args__ = (
        UniqueConstraint("asset_id", "index"),
        CheckConstraint('"index" >= 0', name="index"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("purged_at IS NULL OR deleted_at IS NOT NULL", name="purged_after_deleted"),
        Index(
            "ix_image_shown",
            *("created_at", "place", "id", "deleted_at"),
            sqlite_where=_IS_SHOWN,
            postgresql_where=_IS_SHOWN,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("asset.id", ondelete="CASCADE"))
    index: Mapped[int]
    place: Mapped[int]
    name: Mapped[str]
    search: Mapped[str]
    document: Mapped[dict[str, Any]]
    vendor: Mapped[dict[str, Any]]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    missing_since: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]
    removed_by: Mapped[str | None]


class Facts(Base):
    """What one image is found and sorted by: a short row, made from its documents whenever they are written."""

    __tablename__ = "facts"
    __table_args__ = (
        Index("ix_facts_name", "name", "image_id"),
        Index("ix_facts_pixels", "pixels", "image_id"),
        Index("ix_facts_pixel_size", "pixel_size_um", "image_id"),
        Index("ix_facts_acquired", "acquired_at", "image_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"), unique=True)
    format: Mapped[str]
    variant: Mapped[str]
    name: Mapped[str] = mapped_column(CodePointText())
    pixels: Mapped[int] = mapped_column(BigInteger)
    pixel_size_um: Mapped[float | None] = mapped_column(Double)
    acquired_at: Mapped[datetime | None]
    channels: Mapped[str]
    objective: Mapped[str]
    text: Mapped[str] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))


FULL_TEXT = "facts_text"
"""The full-text index: a table of SQLite's FTS5, an index of PostgreSQL. Alembic has no words for either."""
_FULL_TEXT_ON_SQLITE = (
    """
    CREATE VIRTUAL TABLE facts_text
    USING fts5(text, content='facts', content_rowid='id', tokenize='ascii', detail=none, columnsize=0)
    """,
    """
    CREATE TRIGGER facts_text_added AFTER INSERT ON facts BEGIN
    INSERT INTO facts_text(rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER facts_text_removed AFTER DELETE ON facts BEGIN
    INSERT INTO facts_text(facts_text, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE TRIGGER facts_text_changed AFTER UPDATE OF text ON facts WHEN old.text <> new.text BEGIN
    INSERT INTO facts_text(facts_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO facts_text(rowid, text) VALUES (new.id, new.text);
    END
    """,
)
_FULL_TEXT_ON_POSTGRESQL = "CREATE INDEX facts_text ON facts USING gin (text)"
for _statement in _FULL_TEXT_ON_SQLITE:
    event.listen(Facts.__table__, "after_create", DDL(_statement).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]
event.listen(Facts.__table__, "after_create", DDL(_FULL_TEXT_ON_POSTGRESQL).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]


_IS_BEHIND = text("built < wanted")
_HAS_SEEN_ALL = text("built >= wanted")
_HAS_BEEN_BUILT = text("version > 0")
_OF_IMAGE = text("annotation_id IS NULL AND entity_id IS NULL")
_OF_ANNOTATION = text("annotation_id IS NOT NULL")
_OF_ENTITY = text("entity_id IS NOT NULL")


class Artifact(Base):
    """One derived view of one image, annotation or entity, with the counters that say whether it is fresh."""

    __tablename__ = "artifact"
    __table_args__ = (
        Index("uq_artifact_image", "image_id", "kind", unique=True, sqlite_where=_OF_IMAGE, postgresql_where=_OF_IMAGE),
        Index(
            "uq_artifact_annotation",
            *("annotation_id", "kind"),
            unique=True,
            sqlite_where=_OF_ANNOTATION,
            postgresql_where=_OF_ANNOTATION,
        ),
        Index(
            "uq_artifact_entity",
            *("entity_id", "kind"),
            unique=True,
            sqlite_where=_OF_ENTITY,
            postgresql_where=_OF_ENTITY,
        ),
        Index("ix_artifact_image_id", "image_id"),
        CheckConstraint("built >= 0 AND built <= wanted", name="counters"),
        CheckConstraint("built = 0 OR (key IS NOT NULL AND etag IS NOT NULL)", name="published"),
        CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name="lease"),
        CheckConstraint("attempts >= 0", name="attempts"),
        Index("ix_artifact_stale", "marked_at", sqlite_where=_IS_BEHIND, postgresql_where=_IS_BEHIND),
        # on SQLite without what a mark changes, or the index would be a third of what a mark costs. PostgreSQL writes a
        # new entry into each index anyway, but for a partial one that does not hold the row
        Index("ix_artifact_recipe", "kind", "version", sqlite_where=_HAS_BEEN_BUILT, postgresql_where=_HAS_SEEN_ALL),
        Index("ix_artifact_key", "key"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    annotation_id: Mapped[str | None] = mapped_column(ForeignKey("annotation.id", ondelete="CASCADE"))
    wanted: Mapped[int] = mapped_column(BigInteger)
    built: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int]
    marked_at: Mapped[datetime]
    cause: Mapped[str]
    key: Mapped[str | None]
    etag: Mapped[str | None]
    media_type: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int]
    next_try_at: Mapped[datetime | None]
    error: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    token: Mapped[str | None]
    used_at: Mapped[datetime | None]
    ignored_at: Mapped[datetime | None]
    entity_id: Mapped[int | None] = mapped_column(BigInteger)


class Chore(Base):
    """Something that is done now and then, by one process at a time."""

    __tablename__ = "chore"
    __table_args__ = (CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name="lease"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class Event(Base):
    """What happened, in order, for whoever listens."""

    __tablename__ = "event"

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    type: Mapped[str]
    image_id: Mapped[str]
    data: Mapped[dict[str, Any]]
