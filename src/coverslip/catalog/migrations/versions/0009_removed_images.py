"""Images may be removed by a cleanup; numbers of merged records lead to the record that stayed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("image", sa.Column("removed_by", sa.Text()))
    op.create_table(
        "entity_alias",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entity_alias"),
    )
