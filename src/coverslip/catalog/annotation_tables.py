"""The three tables of annotations: as they are, what was done to them, and as they were."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from coverslip.catalog.tables import Base
from coverslip.catalog.types import CodePointText


class Annotation(Base):
    """What somebody says about a range of frames, as it is now."""

    __tablename__ = "annotation"
    __table_args__ = (
        CheckConstraint("axis IN ('t', 'z')", name="axis"),
        CheckConstraint("first >= 0 AND first <= last", name="frames"),
        CheckConstraint("revision >= 1", name="revision"),
        Index("ix_annotation_track", "image_id", "axis", "track", "first"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(ForeignKey("image.id", ondelete="CASCADE"))
    axis: Mapped[str]
    track: Mapped[str] = mapped_column(CodePointText())
    first: Mapped[int]
    last: Mapped[int]
    content: Mapped[dict[str, Any]]
    revision: Mapped[int]
    author: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class AnnotationChange(Base):
    """One save, deletion or undo with everything that followed from it."""

    __tablename__ = "annotation_change"
    __table_args__ = (
        UniqueConstraint("save_id"),
        CheckConstraint("action IN ('create', 'save', 'delete', 'undo')", name="action"),
        Index("ix_annotation_change_annotation_id", "annotation_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    annotation_id: Mapped[str] = mapped_column(ForeignKey("annotation.id", ondelete="CASCADE"))
    action: Mapped[str]
    author: Mapped[str]
    at: Mapped[datetime]
    save_id: Mapped[str | None]
    undone_by: Mapped[str | None]


class AnnotationRevision(Base):
    """An annotation as it was after one change."""

    __tablename__ = "annotation_revision"
    __table_args__ = (
        CheckConstraint("action IN ('create', 'save', 'neighbour', 'split', 'delete', 'undo')", name="action"),
        Index("ix_annotation_revision_change_id", "change_id"),
    )

    annotation_id: Mapped[str] = mapped_column(ForeignKey("annotation.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    change_id: Mapped[str] = mapped_column(ForeignKey("annotation_change.id", ondelete="CASCADE"))
    action: Mapped[str]
    content: Mapped[dict[str, Any]]
    is_deleted: Mapped[bool]
