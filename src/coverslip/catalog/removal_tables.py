"""The tables of removals: plans of cleanups, the log of what was removed, and where numbers lead that are no more."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from coverslip.catalog.tables import Base


class Plan(Base):
    """What a cleanup would remove, or removed."""

    __tablename__ = "cleanup_plan"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'applied', 'undone', 'purged')", name="state"),
        CheckConstraint("(audit_seq IS NULL) = (audit_hash IS NULL)", name="audit"),
        Index("ix_cleanup_plan_created", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    scope: Mapped[dict[str, Any]]
    state: Mapped[str]
    actor: Mapped[str]
    command: Mapped[str]
    counts: Mapped[dict[str, Any]]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    audit_seq: Mapped[int | None] = mapped_column(BigInteger)
    audit_hash: Mapped[str | None]


class Alias(Base):
    """A public number whose record became part of another one."""

    __tablename__ = "entity_alias"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    entity_id: Mapped[int] = mapped_column(BigInteger)


class Audit(Base):
    """One line of the log. Lines are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_plan", "plan_id"),)

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    plan_id: Mapped[str]
    command: Mapped[str]
    scope: Mapped[str]
    reason: Mapped[str]
    record: Mapped[str]
    hash: Mapped[str]


class AuditHead(Base):
    """The newest line of the log, in one row; none before the first line."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    hash: Mapped[str]
