"""The tables. Portable between SQLite and PostgreSQL: text, booleans, integers, JSON and UTC times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)

__all__ = [
    "Utc",
    "accounts",
    "assets",
    "audiences",
    "directions",
    "invites",
    "metadata",
    "reentries",
    "streams",
    "tokens",
]


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime, ``timestamptz`` in PostgreSQL, naive UTC text in SQLite (it knows no zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("name", String, nullable=False),
    # NFKC, case folded: what must be unique.
    Column("name_key", String, nullable=False, unique=True),
    Column("password_hash", String, nullable=False),
    Column("created_at", Utc, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
)

streams = Table(
    "streams",
    metadata,
    Column("stream_id", String, primary_key=True),
    Column("broadcaster_id", ForeignKey("accounts.account_id", ondelete="CASCADE"), nullable=False),
    Column("key_hash", String, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("category", String, nullable=False),
    Column("record", Boolean, nullable=False),
    Column("visibility", String, nullable=False),
    Column("status", String, nullable=False),
    Column("scheduled_at", Utc),
    Column("created_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    # Which node carries it while it is live.
    Column("node_id", String),
    Index("ix_streams_broadcaster_id_created_at", "broadcaster_id", "created_at", "stream_id"),
    Index(
        "ix_streams_live",
        "started_at",
        "stream_id",
        sqlite_where=text("status = 'live'"),
        postgresql_where=text("status = 'live'"),
    ),
)

# Apart from `streams`: it changes every few seconds, and an update of an indexed column rewrites every
# index of its row (PostgreSQL, heap-only tuples).
audiences = Table(
    "audiences",
    metadata,
    Column("stream_id", ForeignKey("streams.stream_id", ondelete="CASCADE"), primary_key=True),
    Column("webrtc", Integer, nullable=False),
    Column("hls", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Index("ix_audiences_total", "total", "stream_id"),
)

invites = Table(
    "invites",
    metadata,
    Column("invite_hash", String, primary_key=True),
    Column("stream_id", ForeignKey("streams.stream_id", ondelete="CASCADE"), nullable=False, index=True),
    # Who enters with it, drawn when it is made.
    Column("participant_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    # The door that it was used at.
    Column("used_from", String),
)

# The files too: few and small, they go with their stream.
assets = Table(
    "assets",
    metadata,
    Column("asset_id", String, primary_key=True),
    Column("stream_id", ForeignKey("streams.stream_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
)

# What the owner decided for the stage.
directions = Table(
    "directions",
    metadata,
    Column("stream_id", ForeignKey("streams.stream_id", ondelete="CASCADE"), primary_key=True),
    Column("layout", JSON, nullable=False),
    # By participant id.
    Column("controls", JSON, nullable=False),
)

# What the newest page of a host has for coming back.
reentries = Table(
    "reentries",
    metadata,
    Column("stream_id", ForeignKey("streams.stream_id", ondelete="CASCADE"), primary_key=True),
    Column("participant_id", String, primary_key=True),
    Column("reentry_hash", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("entered_at", Utc, nullable=False),
)
