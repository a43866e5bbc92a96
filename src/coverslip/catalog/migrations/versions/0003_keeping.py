"""When artifacts were last used, and chores that one process at a time does."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("artifact", sa.Column("used_at", sa.DateTime(timezone=True)))
    op.create_table(
        "chore",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_chore"),
        sa.UniqueConstraint("name", name="uq_chore_name"),
        sa.CheckConstraint("(lease_until IS NULL) = (token IS NULL)", name=op.f("ck_chore_lease")),
    )
