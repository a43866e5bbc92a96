"""What images are found and sorted by: the table facts with its full-text index, filled for the images there are."""

import os
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from coverslip.catalog.facts import facts_of
from coverslip.catalog.types import CleanText, CodePointText, PathText, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AT_ONCE = 200
"""Images whose documents are in memory at a time."""
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
IS_SHOWN = sa.text("deleted_at IS NULL")
WORDS = sa.Text().with_variant(TSVECTOR(), "postgresql")
ON_SQLITE = (
    """
    CREATE VIRTUAL TABLE facts_text
    USING fts5(text, content='facts', content_rowid='id', tokenize='ascii', detail=none, columnsize=0)
    """,
    """
    CREATE TRIGGER facts_text_added AFTER INSERT ON facts BEGIN
    INSERT INTO facts_text(rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER facts_text_removed AFTER DELETE ON facts BEGIN
    INSERT INTO facts_text(facts_text, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE TRIGGER facts_text_changed AFTER UPDATE OF text ON facts WHEN old.text <> new.text BEGIN
    INSERT INTO facts_text(facts_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO facts_text(rowid, text) VALUES (new.id, new.text);
    END
    """,
)
ON_POSTGRESQL = ("CREATE INDEX facts_text ON facts USING gin (text)",)

FACTS = sa.table(
    "facts",
    sa.column("image_id", sa.Text()),
    sa.column("format", CleanText()),
    sa.column("variant", CleanText()),
    sa.column("name", CodePointText()),
    sa.column("pixels", sa.BigInteger()),
    sa.column("pixel_size_um", sa.Double()),
    sa.column("acquired_at", UtcTime()),
    sa.column("channels", CleanText()),
    sa.column("objective", CleanText()),
    sa.column("text", WORDS),
)
IMAGE = sa.table(
    "image",
    sa.column("id", sa.Text()),
    sa.column("asset_id", sa.Text()),
    sa.column("document", sa.JSON()),
    sa.column("vendor", sa.JSON()),
)
ASSET = sa.table("asset", sa.column("id", sa.Text()), sa.column("path", PathText()))


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("id", ID, nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.Column("pixel_size_um", sa.Double()),
        sa.Column("acquired_at", sa.DateTime(timezone=True)),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("text", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_facts"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_facts_image_id", ondelete="CASCADE"),
        sa.UniqueConstraint("image_id", name="uq_facts_image_id"),
    )
    op.create_index("ix_facts_name", "facts", ["name", "image_id"])
    op.create_index("ix_facts_pixels", "facts", ["pixels", "image_id"])
    op.create_index("ix_facts_pixel_size", "facts", ["pixel_size_um", "image_id"])
    op.create_index("ix_facts_acquired", "facts", ["acquired_at", "image_id"])
    op.drop_index("ix_image_newest", "image")
    shown = ["created_at", "place", "id", "deleted_at"]
    op.create_index("ix_image_shown", "image", shown, sqlite_where=IS_SHOWN, postgresql_where=IS_SHOWN)
    connection = op.get_bind()
    for statement in ON_SQLITE if connection.dialect.name == "sqlite" else ON_POSTGRESQL:
        connection.exec_driver_sql(statement)
    _fill(connection)


def _fill(connection: sa.Connection) -> None:
    """Give every image its facts, a few at a time: the documents of all would not fit in memory."""
    last = ""
    while rows := connection.execute(_next_images(last)).all():
        connection.execute(sa.insert(FACTS), [_facts(row) for row in rows])
        last = rows[-1].id


def _next_images(last: str) -> sa.Select[*tuple[Any, ...]]:
    wanted = sa.select(IMAGE.c.id, IMAGE.c.document, IMAGE.c.vendor, ASSET.c.path)
    joined = wanted.select_from(IMAGE.join(ASSET, ASSET.c.id == IMAGE.c.asset_id))
    return joined.where(IMAGE.c.id > last).order_by(IMAGE.c.id).limit(AT_ONCE)


def _facts(row: Any) -> dict[str, Any]:
    """Return the columns that this migration knows; a later version may find more."""
    found = facts_of(os.path.basename(row.path), row.document, row.vendor)  # noqa: PTH119  # text, not a file
    return {"image_id": row.id, **{name: found[name] for name in FACTS.c.keys() if name != "image_id"}}  # noqa: SIM118
