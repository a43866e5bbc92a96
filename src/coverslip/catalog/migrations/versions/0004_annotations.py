"""Annotations of frames, what was done to them, and as they were; artifacts of annotations."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TRACK = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ACTIONS = "action IN ('create', 'save', 'delete', 'undo')"
ALL_ACTIONS = "action IN ('create', 'save', 'neighbour', 'split', 'delete', 'undo')"


TIME = sa.DateTime(timezone=True)
IS_BEHIND = sa.text("built < wanted")
HAS_SEEN_ALL = sa.text("built >= wanted")
OF_IMAGE = sa.text("annotation_id IS NULL")
OF_ANNOTATION = sa.text("annotation_id IS NOT NULL")
ARTIFACT_BEFORE = (
    *("id", "kind", "image_id", "wanted", "built", "version", "marked_at", "key", "etag", "media_type", "size"),
    *("attempts", "next_try_at", "error", "lease_until", "token", "used_at"),
)
OLD_CAUSE = "before version 0004 of the catalog"


def upgrade() -> None:
    _create_annotations()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_artifact()
    else:
        _change_artifact()
    _create_partial_index("uq_artifact_image", ["image_id", "kind"], OF_IMAGE, unique=True)
    _create_partial_index("uq_artifact_annotation", ["annotation_id", "kind"], OF_ANNOTATION, unique=True)
    op.create_index("ix_artifact_image_id", "artifact", ["image_id"])


def _create_annotations() -> None:
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
        sa.CheckConstraint("axis IN ('t', 'z')", name=op.f("ck_annotation_axis")),
        sa.CheckConstraint("first >= 0 AND first <= last", name=op.f("ck_annotation_frames")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_annotation_revision")),
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
        sa.CheckConstraint(ACTIONS, name=op.f("ck_annotation_change_action")),
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
        sa.CheckConstraint(ALL_ACTIONS, name=op.f("ck_annotation_revision_action")),
    )
    op.create_index("ix_annotation_revision_change_id", "annotation_revision", ["change_id"])


def _change_artifact() -> None:
    op.drop_constraint("uq_artifact_image_id_kind", "artifact")
    op.add_column("artifact", sa.Column("annotation_id", sa.Text()))
    op.create_foreign_key(
        "fk_artifact_annotation_id", "artifact", "annotation", ["annotation_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column("artifact", sa.Column("cause", sa.Text(), nullable=False, server_default=OLD_CAUSE))
    op.alter_column("artifact", "cause", server_default=None)
    op.add_column("artifact", sa.Column("ignored_at", TIME))


def _rebuild_artifact() -> None:
    """SQLite cannot drop a constraint: the rows move to a new table, which takes the name of the old one."""
    op.create_table(
        "artifact_new",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("annotation_id", sa.Text()),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("built", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("marked_at", TIME, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("etag", sa.Text()),
        sa.Column("media_type", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", TIME),
        sa.Column("error", sa.Text()),
        sa.Column("lease_until", TIME),
        sa.Column("token", sa.Text()),
        sa.Column("used_at", TIME),
        sa.Column("ignored_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_artifact_image_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["annotation_id"], ["annotation.id"], name="fk_artifact_annotation_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("built >= 0 AND built <= wanted", name=op.f("ck_artifact_counters")),
        sa.CheckConstraint("built = 0 OR (key IS NOT NULL AND etag IS NOT NULL)", name=op.f("ck_artifact_published")),
        sa.CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name=op.f("ck_artifact_lease")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_artifact_attempts")),
    )
    names = ", ".join(f'"{name}"' for name in ARTIFACT_BEFORE)
    op.execute(f"INSERT INTO artifact_new ({names}, cause) SELECT {names}, '{OLD_CAUSE}' FROM artifact")  # noqa: S608
    op.drop_table("artifact")
    op.rename_table("artifact_new", "artifact")
    _create_partial_index("ix_artifact_stale", ["marked_at"], IS_BEHIND)
    _create_partial_index("ix_artifact_recipe", ["kind", "version"], HAS_SEEN_ALL)
    op.create_index("ix_artifact_key", "artifact", ["key"])


def _create_partial_index(name: str, columns: list[str], condition: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, "artifact", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
