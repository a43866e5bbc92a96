"""Entities of depositions, the steps of ingests, kept views; artifacts may be of an entity."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OF_IMAGE = sa.text("annotation_id IS NULL AND entity_id IS NULL")
OF_ENTITY = sa.text("entity_id IS NOT NULL")


def upgrade() -> None:
    _create_entity()
    op.create_table(
        "ingest_step",
        sa.Column("layout", BY_CODE_POINT, nullable=False),
        sa.Column("name", BY_CODE_POINT, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("done_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("layout", "name", name="pk_ingest_step"),
    )
    op.create_table(
        "view",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_frozen", sa.Boolean(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_view"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_view_image_id", ondelete="CASCADE"),
    )
    op.create_index("ix_view_image_id", "view", ["image_id"])
    _change_artifact()


def _create_entity() -> None:
    op.create_table(
        "entity",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("layout", BY_CODE_POINT, nullable=False),
        sa.Column("identity", BY_CODE_POINT, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.BigInteger()),
        sa.Column("run_id", sa.BigInteger()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deposition", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("alignment", BY_CODE_POINT, nullable=False),
        sa.Column("image_key", sa.Text(), nullable=False),
        sa.Column("image_path", BY_CODE_POINT),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entity"),
        sa.UniqueConstraint("layout", "identity", name="uq_entity_layout_identity"),
        sa.ForeignKeyConstraint(["parent_id"], ["entity.id"], name="fk_entity_parent_id", ondelete="CASCADE"),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_entity_revision")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entity_run", "entity", ["run_id", "type"])
    op.create_index("ix_entity_parent", "entity", ["parent_id"])
    op.create_index("ix_entity_image", "entity", ["image_path"])


def _change_artifact() -> None:
    op.add_column("artifact", sa.Column("entity_id", sa.BigInteger()))
    op.drop_index("uq_artifact_image", "artifact")
    for name, columns, which in (
        ("uq_artifact_image", ["image_id", "kind"], OF_IMAGE),
        ("uq_artifact_entity", ["entity_id", "kind"], OF_ENTITY),
    ):
        op.create_index(name, "artifact", columns, unique=True, sqlite_where=which, postgresql_where=which)
