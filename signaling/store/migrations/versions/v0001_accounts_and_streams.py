"""Accounts, tokens, streams and their audiences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from signaling.store.tables import Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
        sa.UniqueConstraint("name_key", name="uq_accounts_name_key"),
    )
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("expires_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_tokens"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_tokens_account_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_tokens_account_id", "tokens", ["account_id"])
    op.create_table(
        "streams",
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("broadcaster_id", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("scheduled_at", Utc()),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("started_at", Utc()),
        sa.Column("ended_at", Utc()),
        sa.Column("node_id", sa.String()),
        sa.PrimaryKeyConstraint("stream_id", name="pk_streams"),
        sa.UniqueConstraint("key_hash", name="uq_streams_key_hash"),
        sa.ForeignKeyConstraint(
            ["broadcaster_id"], ["accounts.account_id"], name="fk_streams_broadcaster_id", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_streams_broadcaster_id_created_at", "streams", ["broadcaster_id", "created_at", "stream_id"]
    )
    op.create_index(
        "ix_streams_live",
        "streams",
        ["started_at", "stream_id"],
        sqlite_where=sa.text("status = 'live'"),
        postgresql_where=sa.text("status = 'live'"),
    )
    op.create_table(
        "audiences",
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("webrtc", sa.Integer(), nullable=False),
        sa.Column("hls", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name="pk_audiences"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.stream_id"], name="fk_audiences_stream_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_audiences_total", "audiences", ["total", "stream_id"])


def downgrade() -> None:
    for table in ("audiences", "streams", "tokens", "accounts"):
        op.drop_table(table)
