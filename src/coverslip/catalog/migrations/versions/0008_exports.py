"""Jobs that export pictures, and their items."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STATES = "'pending', 'running', 'paused', 'cancelling', 'cancelled', 'completed', 'failed', 'partial'"


def upgrade() -> None:
    op.create_table(
        "export_job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("output_dir", BY_CODE_POINT, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("lease_until", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_export_job"),
        sa.CheckConstraint("mode IN ('fov', 'cells', 'rois')", name=op.f("ck_export_job_mode")),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_export_job_state")),
        sa.CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name=op.f("ck_export_job_lease")),
    )
    op.create_index("ix_export_job_created_at", "export_job", ["created_at"])
    op.create_table(
        "export_item",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", BY_CODE_POINT, nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error_type", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.Column("traceback", sa.Text()),
        sa.Column("is_retryable", sa.Boolean(), nullable=False),
        sa.Column("checksum", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_export_item"),
        sa.ForeignKeyConstraint(["job_id"], ["export_job.id"], name="fk_export_item_job_id", ondelete="CASCADE"),
        sa.CheckConstraint("state IN ('pending', 'ok', 'failed')", name=op.f("ck_export_item_state")),
    )
    op.create_index("ix_export_item_state", "export_item", ["job_id", "state"])
