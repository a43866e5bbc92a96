"""The first tables: asset, image, artifact, event."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
IS_BEHIND = sa.text("built < wanted")
HAS_SEEN_ALL = sa.text("built >= wanted")


def upgrade() -> None:
    _create_asset()
    _create_image()
    _create_artifact()
    op.create_table(
        "event",
        sa.Column("seq", SEQ, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_event"),
    )


def _create_asset() -> None:
    op.create_table(
        "asset",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("is_folder", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("part_of", PATH),
        sa.Column("read_by", sa.Text(), nullable=False),
        sa.Column("missing_since", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_asset"),
        sa.UniqueConstraint("path", name="uq_asset_path"),
        sa.CheckConstraint("origin IN ('added', 'uploaded')", name=op.f("ck_asset_origin")),
        sa.CheckConstraint("state IN ('ok', 'broken', 'unknown', 'part')", name=op.f("ck_asset_state")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_asset_size")),
    )


def _create_image() -> None:
    op.create_table(
        "image",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("vendor", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("missing_since", TIME),
        sa.Column("deleted_at", TIME),
        sa.Column("purged_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name="fk_image_asset_id", ondelete="CASCADE"),
        sa.UniqueConstraint("asset_id", "index", name="uq_image_asset_id_index"),
        sa.CheckConstraint('"index" >= 0', name=op.f("ck_image_index")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_image_revision")),
        sa.CheckConstraint("purged_at IS NULL OR deleted_at IS NOT NULL", name=op.f("ck_image_purged_after_deleted")),
    )
    op.create_index("ix_image_newest", "image", ["created_at", "place", "id"])


def _create_artifact() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("built", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("marked_at", TIME, nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("etag", sa.Text()),
        sa.Column("media_type", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", TIME),
        sa.Column("error", sa.Text()),
        sa.Column("lease_until", TIME),
        sa.Column("token", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_artifact_image_id", ondelete="CASCADE"),
        sa.UniqueConstraint("image_id", "kind", name="uq_artifact_image_id_kind"),
        sa.CheckConstraint("built >= 0 AND built <= wanted", name=op.f("ck_artifact_counters")),
        sa.CheckConstraint("built = 0 OR (key IS NOT NULL AND etag IS NOT NULL)", name=op.f("ck_artifact_published")),
        sa.CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name=op.f("ck_artifact_lease")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_artifact_attempts")),
    )
    _create_partial_index("ix_artifact_stale", ["marked_at"], IS_BEHIND)
    _create_partial_index("ix_artifact_recipe", ["kind", "version"], HAS_SEEN_ALL)
    op.create_index("ix_artifact_key", "artifact", ["key"])


def _create_partial_index(name: str, columns: list[str], condition: sa.TextClause) -> None:
    op.create_index(name, "artifact", columns, sqlite_where=condition, postgresql_where=condition)
