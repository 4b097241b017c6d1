"""Invites to a stage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from signaling.store.tables import Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invites",
        sa.Column("invite_hash", sa.String(), nullable=False),
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("participant_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.Column("used_from", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("invite_hash", name="pk_invites"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.stream_id"], name="fk_invites_stream_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_invites_stream_id", "invites", ["stream_id"])


def downgrade() -> None:
    op.drop_table("invites")
