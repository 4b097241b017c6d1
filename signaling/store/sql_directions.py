"""What owners decided for their stages, in a relational database."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from sfu.stage import HostControls
from signaling.store.records import Direction
from signaling.store.tables import directions, streams

__all__ = ["SqlDirections"]


class SqlDirections:
    """``DirectionStore`` on SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, stream_id: str) -> Direction | None:
        query = select(directions.c.layout, directions.c.controls).where(directions.c.stream_id == stream_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Direction(row.layout, {host: HostControls(**each) for host, each in row.controls.items()})

    async def set(self, stream_id: str, direction: Direction) -> None:
        news = {
            "layout": dict(direction.layout),
            "controls": {host: asdict(each) for host, each in direction.controls.items()},
        }
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        values = [literal(value, directions.c[name].type) for name, value in news.items()]
        # One statement: the stream may be deleted meanwhile.
        known = select(streams.c.stream_id, *values).where(streams.c.stream_id == stream_id)
        adding = dialect.insert(directions).from_select(["stream_id", *news], known)
        upsert = adding.on_conflict_do_update(
            index_elements=["stream_id"], set_={name: adding.excluded[name] for name in news}
        )
        async with self._engine.begin() as connection:
            await connection.execute(upsert)
