"""Who may come back to a stage, in a relational database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.records import KnownHost
from signaling.store.tables import reentries, streams

__all__ = ["SqlReentries"]


class SqlReentries:
    """``ReentryStore`` on SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def set(
        self, reentry_hash: str, host: KnownHost, entered_at: datetime, older_than: datetime
    ) -> None:
        news = {"reentry_hash": reentry_hash, "name": host.name, "entered_at": entered_at}
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        columns = {"participant_id": host.participant_id, **news}
        values = [literal(value, reentries.c[name].type) for name, value in columns.items()]
        # One statement: the stream may be deleted meanwhile.
        known = select(streams.c.stream_id, *values).where(streams.c.stream_id == host.stream_id)
        adding = dialect.insert(reentries).from_select(["stream_id", *columns], known)
        upsert = adding.on_conflict_do_update(
            index_elements=["stream_id", "participant_id"],
            set_={name: adding.excluded[name] for name in news},
        )
        stale = delete(reentries).where(
            reentries.c.stream_id == host.stream_id, reentries.c.entered_at <= older_than
        )
        async with self._engine.begin() as connection:
            await connection.execute(stale)
            await connection.execute(upsert)

    async def get(self, reentry_hash: str, entered_after: datetime) -> KnownHost | None:
        query = select(reentries.c.stream_id, reentries.c.participant_id, reentries.c.name).where(
            reentries.c.reentry_hash == reentry_hash, reentries.c.entered_at > entered_after
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return KnownHost(*row) if row else None

    async def delete(self, stream_id: str, participant_id: str) -> None:
        chosen = (reentries.c.stream_id == stream_id, reentries.c.participant_id == participant_id)
        async with self._engine.begin() as connection:
            await connection.execute(delete(reentries).where(*chosen))
