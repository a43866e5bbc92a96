"""Alembic's entry point: runs the steps in the transaction that ``opening`` has begun and locked."""

from alembic import context

from coverslip.catalog.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
