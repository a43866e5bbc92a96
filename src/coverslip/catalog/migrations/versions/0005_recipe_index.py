"""On SQLite, old recipes are found by an index that marks and builds leave alone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_artifact_recipe", "artifact")
        op.create_index("ix_artifact_recipe", "artifact", ["kind", "version"], sqlite_where=sa.text("version > 0"))
