"""The tables of depositions: entities, the steps that wrote them, and the views people keep of images."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from coverslip.catalog.tables import Base
from coverslip.catalog.types import CodePointText, PathText

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_IS_DELETED = text("deleted_at IS NOT NULL")


class Entity(Base):
    """Something a deposition consists of."""

    __tablename__ = "entity"
    __table_args__ = (
        UniqueConstraint("layout", "identity"),
        CheckConstraint("revision >= 1", name="revision"),
        Index("ix_entity_run", "run_id", "type"),
        Index("ix_entity_parent", "parent_id"),
        Index("ix_entity_image", "image_path"),
        Index("ix_entity_deleted", "deleted_at", sqlite_where=_IS_DELETED, postgresql_where=_IS_DELETED),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    layout: Mapped[str] = mapped_column(PathText())
    identity: Mapped[str] = mapped_column(CodePointText())
    type: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("entity.id", ondelete="CASCADE"))
    run_id: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[str]
    deposition: Mapped[str]
    number: Mapped[int | None] = mapped_column(BigInteger)
    key: Mapped[str]
    document: Mapped[dict[str, Any]]
    files: Mapped[dict[str, Any]]
    alignment: Mapped[str] = mapped_column(CodePointText())
    image_key: Mapped[str]
    image_path: Mapped[str | None] = mapped_column(PathText())
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    removed_by: Mapped[str | None]
    incomplete_since: Mapped[datetime | None]


class IngestStep(Base):
    """A step of an ingest that was done."""

    __tablename__ = "ingest_step"

    layout: Mapped[str] = mapped_column(PathText(), primary_key=True)
    name: Mapped[str] = mapped_column(CodePointText(), primary_key=True)
    digest: Mapped[str]
    facts: Mapped[dict[str, Any]]
    outputs: Mapped[dict[str, Any]]
    done_at: Mapped[datetime]


class View(Base):
    """What somebody kept of a viewer."""

    __tablename__ = "view"
    __table_args__ = (Index("ix_view_image_id", "image_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    name: Mapped[str]
    is_frozen: Mapped[bool]
    state: Mapped[dict[str, Any]]
    author: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
