"""Entities may be deleted or incomplete; plans of cleanups, and the log of removals."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("entity", sa.Column("deleted_at", TIME))
    op.add_column("entity", sa.Column("removed_by", sa.Text()))
    op.add_column("entity", sa.Column("incomplete_since", TIME))
    op.create_index("ix_entity_deleted", "entity", ["deleted_at"], sqlite_where=IS_DELETED, postgresql_where=IS_DELETED)
    op.create_table(
        "cleanup_plan",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("applied_at", TIME),
        sa.Column("undone_at", TIME),
        sa.Column("audit_seq", sa.BigInteger()),
        sa.Column("audit_hash", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_cleanup_plan"),
        sa.CheckConstraint("state IN ('open', 'applied', 'undone', 'purged')", name=op.f("ck_cleanup_plan_state")),
        sa.CheckConstraint("(audit_seq IS NULL) = (audit_hash IS NULL)", name=op.f("ck_cleanup_plan_audit")),
    )
    op.create_index("ix_cleanup_plan_created", "cleanup_plan", ["created_at"])
    op.create_table(
        "audit",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_plan", "audit", ["plan_id"])
