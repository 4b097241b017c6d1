"""Streams in a relational database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from signaling.store.cursor import decode_cursor, encode_cursor
from signaling.store.interfaces import Page
from signaling.store.records import Audience, NewStream, StreamRecord
from signaling.store.tables import accounts, audiences, streams

__all__ = ["SqlStreams"]

CHANGEABLE = frozenset({"title", "category", "record", "visibility", "scheduled_at"})
TOTAL = func.coalesce(audiences.c.total, 0)


class SqlStreams:
    """``Streams`` on SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(self, stream: NewStream) -> StreamRecord:
        row = {name: getattr(stream, name) for name in stream.__slots__}
        row["status"] = "scheduled" if stream.scheduled_at else "created"
        async with self._engine.begin() as connection:
            await connection.execute(insert(streams).values(row))
            record = await _get(connection, stream.stream_id)
        assert record is not None
        return record

    async def get(self, stream_id: str) -> StreamRecord | None:
        # It comes from URLs, and PostgreSQL refuses text with a NUL.
        if "\0" in stream_id:
            return None
        async with self._engine.connect() as connection:
            return await _get(connection, stream_id)

    async def by_key(self, key_hash: str) -> str | None:
        async with self._engine.connect() as connection:
            found: str | None = await connection.scalar(
                select(streams.c.stream_id).where(streams.c.key_hash == key_hash)
            )
        return found

    async def change(self, stream_id: str, values: Mapping[str, Any]) -> StreamRecord | None:
        if not CHANGEABLE.issuperset(values):
            raise ValueError(f"can't change {sorted(set(values) - CHANGEABLE)}")
        row = dict(values)
        if "scheduled_at" in row:
            row["status"] = _rescheduled(row["scheduled_at"])
        async with self._engine.begin() as connection:
            if row:
                await connection.execute(update(streams).where(streams.c.stream_id == stream_id).values(row))
            return await _get(connection, stream_id)

    async def delete(self, stream_id: str) -> bool:
        async with self._engine.begin() as connection:
            result = await connection.execute(delete(streams).where(streams.c.stream_id == stream_id))
        return result.rowcount > 0

    async def set_key(self, stream_id: str, key_hash: str) -> bool:
        async with self._engine.begin() as connection:
            result = await connection.execute(
                update(streams).where(streams.c.stream_id == stream_id).values(key_hash=key_hash)
            )
        return result.rowcount > 0

    async def went_live(self, stream_id: str, node_id: str, now: datetime) -> StreamRecord | None:
        row = {
            "status": "live",
            "started_at": now,
            "ended_at": None,
            "scheduled_at": None,
            "node_id": node_id,
        }
        async with self._engine.begin() as connection:
            await connection.execute(update(streams).where(streams.c.stream_id == stream_id).values(row))
            await connection.execute(delete(audiences).where(audiences.c.stream_id == stream_id))
            return await _get(connection, stream_id)

    async def went_off(self, stream_id: str, now: datetime) -> StreamRecord | None:
        live = and_(streams.c.stream_id == stream_id, streams.c.status == "live")
        async with self._engine.begin() as connection:
            await connection.execute(update(streams).where(live).values(_ended(now)))
            await connection.execute(delete(audiences).where(audiences.c.stream_id == stream_id))
            return await _get(connection, stream_id)

    async def end_all_of(self, node_id: str, now: datetime) -> int:
        theirs = and_(streams.c.node_id == node_id, streams.c.status == "live")
        ids = select(streams.c.stream_id).where(theirs)
        async with self._engine.begin() as connection:
            await connection.execute(delete(audiences).where(audiences.c.stream_id.in_(ids)))
            result = await connection.execute(update(streams).where(theirs).values(_ended(now)))
        return result.rowcount

    async def set_audiences(self, counts: Mapping[str, Audience]) -> None:
        if not counts:
            return
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        async with self._engine.begin() as connection:
            wanted = select(streams.c.stream_id).where(streams.c.stream_id.in_(counts))
            known = [(each, counts[each]) for each in await connection.scalars(wanted)]
            rows = [
                {"stream_id": each, "webrtc": audience.webrtc, "hls": audience.hls, "total": audience.total}
                for each, audience in known
            ]
            if not rows:
                return
            upsert = dialect.insert(audiences).values(rows)
            news = {name: upsert.excluded[name] for name in ("webrtc", "hls", "total")}
            await connection.execute(upsert.on_conflict_do_update(index_elements=["stream_id"], set_=news))

    async def discover(
        self, *, category: str | None, sort: Literal["viewers", "recent"], limit: int, cursor: str | None
    ) -> Page:
        query = _select().where(streams.c.status == "live", streams.c.visibility == "public")
        if category is not None:
            query = query.where(streams.c.category == category)
        key = TOTAL if sort == "viewers" else streams.c.started_at
        return await self._page(query, sort, key, limit, cursor)

    async def owned_by(self, account_id: str, *, limit: int, cursor: str | None) -> Page:
        query = _select().where(streams.c.broadcaster_id == account_id)
        return await self._page(query, "owned", streams.c.created_at, limit, cursor)

    async def _page(
        self, query: Select[Any], listing: str, key: ColumnElement[Any], limit: int, cursor: str | None
    ) -> Page:
        """Falling by (key, id), beginning after the cursor."""
        if cursor is not None:
            last, last_id = decode_cursor(listing, cursor)
            query = query.where(or_(key < last, and_(key == last, streams.c.stream_id < last_id)))
        query = query.order_by(key.desc(), streams.c.stream_id.desc()).limit(limit + 1)
        async with self._engine.connect() as connection:
            records = [_record(row) for row in await connection.execute(query)]
        if len(records) <= limit:
            return Page(records, None)
        end = records[limit - 1]
        value = {"viewers": end.audience.total, "recent": end.started_at, "owned": end.created_at}[listing]
        assert value is not None
        return Page(records[:limit], encode_cursor(listing, value, end.stream_id))


def _select() -> Select[Any]:
    return (
        select(streams, accounts.c.name.label("broadcaster_name"), audiences.c.webrtc, audiences.c.hls)
        .join(accounts, accounts.c.account_id == streams.c.broadcaster_id)
        .outerjoin(audiences, audiences.c.stream_id == streams.c.stream_id)
    )


async def _get(connection: AsyncConnection, stream_id: str) -> StreamRecord | None:
    row = (await connection.execute(_select().where(streams.c.stream_id == stream_id))).one_or_none()
    return _record(row) if row else None


def _record(row: Row[Any]) -> StreamRecord:
    return StreamRecord(
        stream_id=row.stream_id,
        broadcaster_id=row.broadcaster_id,
        broadcaster_name=row.broadcaster_name,
        title=row.title,
        category=row.category,
        record=row.record,
        visibility=row.visibility,
        status=row.status,
        scheduled_at=row.scheduled_at,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        audience=Audience(row.webrtc or 0, row.hls or 0),
    )


def _ended(now: datetime) -> dict[str, Any]:
    return {"status": "ended", "ended_at": now, "node_id": None}


def _rescheduled(at: datetime | None) -> ColumnElement[str]:
    """The status after the time to start at was set or taken away."""
    if at is not None:
        return case((streams.c.status == "live", "live"), else_="scheduled")
    before = case((streams.c.ended_at.is_not(None), "ended"), else_="created")
    return case((streams.c.status == "scheduled", before), else_=streams.c.status)
