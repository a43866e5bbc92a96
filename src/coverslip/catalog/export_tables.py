"""The tables of exports: jobs, and their items."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from coverslip.catalog.tables import Base
from coverslip.catalog.types import PathText

STATES = ("pending", "running", "paused", "cancelling", "cancelled", "completed", "failed", "partial")


class ExportJobRow(Base):
    """Somebody asked for pictures."""

    __tablename__ = "export_job"
    __table_args__ = (
        CheckConstraint("mode IN ('fov', 'cells', 'rois')", name="mode"),
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name="lease"),
        Index("ix_export_job_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str]
    state: Mapped[str]
    message: Mapped[str | None]
    output_dir: Mapped[str] = mapped_column(PathText())
    document: Mapped[dict[str, Any]]
    total: Mapped[int]
    token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ExportItemRow(Base):
    """One picture of a job."""

    __tablename__ = "export_item"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'ok', 'failed')", name="state"),
        Index("ix_export_item_state", "job_id", "state"),
    )

    job_id: Mapped[str] = mapped_column(ForeignKey("export_job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    path: Mapped[str] = mapped_column(PathText())
    group: Mapped[str]
    document: Mapped[dict[str, Any]]
    state: Mapped[str]
    error_type: Mapped[str | None]
    message: Mapped[str | None]
    traceback: Mapped[str | None]
    is_retryable: Mapped[bool]
    checksum: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Double)
    attempts: Mapped[int]
    details: Mapped[dict[str, Any]]
