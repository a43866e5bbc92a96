"""Annotations of frames, what was done to them, and as they were."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TRACK = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ACTIONS = "action IN ('create', 'save', 'delete', 'undo')"
ALL_ACTIONS = "action IN ('create', 'save', 'neighbour', 'split', 'delete', 'undo')"


def upgrade() -> None:
    op.create_table(
        "annotation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("axis", sa.Text(), nullable=False),
        sa.Column("track", TRACK, nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_annotation"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_annotation_image_id", ondelete="CASCADE"),
        sa.CheckConstraint("axis IN ('t', 'z')", name="ck_annotation_axis"),
        sa.CheckConstraint("first >= 0 AND first <= last", name="ck_annotation_frames"),
        sa.CheckConstraint("revision >= 1", name="ck_annotation_revision"),
    )
    op.create_index("ix_annotation_track", "annotation", ["image_id", "axis", "track", "first"])
    op.create_table(
        "annotation_change",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("annotation_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("save_id", sa.Text()),
        sa.Column("undone_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_annotation_change"),
        sa.ForeignKeyConstraint(
            ["annotation_id"], ["annotation.id"], name="fk_annotation_change_annotation_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("save_id", name="uq_annotation_change_save_id"),
        sa.CheckConstraint(ACTIONS, name="ck_annotation_change_action"),
    )
    op.create_index("ix_annotation_change_annotation_id", "annotation_change", ["annotation_id"])
    op.create_table(
        "annotation_revision",
        sa.Column("annotation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("annotation_id", "revision", name="pk_annotation_revision"),
        sa.ForeignKeyConstraint(
            ["annotation_id"], ["annotation.id"], name="fk_annotation_revision_annotation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["annotation_change.id"], name="fk_annotation_revision_change_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(ALL_ACTIONS, name="ck_annotation_revision_action"),
    )
    op.create_index("ix_annotation_revision_change_id", "annotation_revision", ["change_id"])
