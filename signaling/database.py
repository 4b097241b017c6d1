"""Opens the node's database."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.clock import Clock
from signaling.errors import StartError
from signaling.settings import Settings
from signaling.store.database import open_database
from signaling.store.interfaces import StoreUnreachable
from signaling.store.sql_streams import SqlStreams

__all__ = ["node_database"]


@contextlib.asynccontextmanager
async def node_database(settings: Settings, node_id: str, clock: Clock) -> AsyncIterator[AsyncEngine]:
    """The database that the settings name, without streams that the node left live when it was killed.

    Raises StartError."""
    where = "data_dir" if settings.database_url is None else "database_url"
    url = settings.database_url.get_secret_value() if settings.database_url else None
    try:
        database = await open_database(url, settings.data_dir)
    except StoreUnreachable as error:
        raise StartError(f"{where}: {error}") from None
    try:
        try:
            await SqlStreams(database).end_all_of(node_id, clock.now())
        except DBAPIError as error:
            raise StartError(f"{where}: the database can't be written: {error.orig}") from None
        yield database
    finally:
        await database.dispose()
