"""Uploaded images of a stage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from signaling.store.tables import Utc

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("asset_id", sa.String(), nullable=False),
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("asset_id", name="pk_assets"),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.stream_id"], name="fk_assets_stream_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_assets_stream_id", "assets", ["stream_id"])


def downgrade() -> None:
    op.drop_table("assets")
