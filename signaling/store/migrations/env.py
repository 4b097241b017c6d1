"""Alembic's entry point; the connection comes from ``signaling.store.database``."""

from __future__ import annotations

from alembic import context

from signaling.store.tables import metadata

# render_as_batch: SQLite can't alter most of a table, Alembic copies it instead.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
