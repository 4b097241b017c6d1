"""What the owner decided for a stage, and who may come back to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from signaling.store.tables import Utc

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directions",
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("layout", sa.JSON(), nullable=False),
        sa.Column("controls", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name="pk_directions"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.stream_id"], name="fk_directions_stream_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "reentries",
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("participant_id", sa.String(), nullable=False),
        sa.Column("reentry_hash", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("entered_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "participant_id", name="pk_reentries"),
        sa.UniqueConstraint("reentry_hash", name="uq_reentries_reentry_hash"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.stream_id"], name="fk_reentries_stream_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    for table in ("reentries", "directions"):
        op.drop_table(table)
