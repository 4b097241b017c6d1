"""Uploaded images in a relational database."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.records import Asset
from signaling.store.tables import assets

__all__ = ["SqlAssets"]


class SqlAssets:
    """``Assets`` on SQLAlchemy."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, asset: Asset, data: bytes, most: int) -> bool:
        columns = ("asset_id", "stream_id", "width", "height", "size", "data", "created_at")
        values = [
            literal(data if name == "data" else getattr(asset, name), assets.c[name].type) for name in columns
        ]
        count = select(func.count()).where(assets.c.stream_id == asset.stream_id).scalar_subquery()
        # One statement: SQLite has one writer; on PostgreSQL uploads at the same moment may pass by one each.
        adding = insert(assets).from_select(columns, select(*values).where(count < most))
        async with self._engine.begin() as connection:
            return bool((await connection.execute(adding)).rowcount)

    async def of(self, stream_id: str) -> list[Asset]:
        wanted = [
            assets.c[name] for name in ("stream_id", "asset_id", "width", "height", "size", "created_at")
        ]
        query = (
            select(*wanted)
            .where(assets.c.stream_id == stream_id)
            .order_by(assets.c.created_at.desc(), assets.c.asset_id)
        )
        async with self._engine.connect() as connection:
            return [Asset(*row) for row in await connection.execute(query)]

    async def data(self, stream_id: str, asset_id: str) -> bytes | None:
        query = select(assets.c.data).where(assets.c.stream_id == stream_id, assets.c.asset_id == asset_id)
        async with self._engine.connect() as connection:
            found: bytes | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def delete(self, stream_id: str, asset_id: str) -> bool:
        chosen = (assets.c.stream_id == stream_id, assets.c.asset_id == asset_id)
        async with self._engine.begin() as connection:
            result = await connection.execute(delete(assets).where(*chosen))
        return bool(result.rowcount)
