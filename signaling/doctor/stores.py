"""Whether the stores answer."""

from __future__ import annotations

import asyncio

from signaling.archive import open_index, open_store
from signaling.doctor.finding import Finding
from signaling.errors import StartError
from signaling.settings import Settings
from signaling.store.database import open_database
from signaling.store.interfaces import StoreUnreachable

__all__ = ["check"]


async def check(settings: Settings) -> list[Finding]:
    return [await _database(settings), await _recordings(settings), await _index(settings)]


async def _recordings(settings: Settings) -> Finding:
    if settings.s3_url is None:
        return Finding("ok", "recordings", "a directory in data_dir")
    try:
        await asyncio.to_thread(open_store, settings)
    except StartError as error:
        return Finding("fix", "recordings", str(error), "start it, or mend s3_url, s3_bucket, credentials")
    return Finding("ok", "recordings", "S3 answers")


async def _index(settings: Settings) -> Finding:
    if settings.redis_url is None:
        return Finding("ok", "index of recordings", "files in data_dir")
    try:
        await asyncio.to_thread(open_index, settings)
    except StartError as error:
        return Finding("fix", "index of recordings", str(error), "start it, or mend redis_url")
    return Finding("ok", "index of recordings", "Redis answers")


async def _database(settings: Settings) -> Finding:
    if settings.database_url is None:
        return Finding("ok", "database", "a SQLite file in data_dir")
    try:
        engine = await open_database(
            settings.database_url.get_secret_value(), settings.data_dir, migrated=False
        )
    except StoreUnreachable as error:
        return Finding("fix", "database", str(error), "start it, or mend database_url")
    await engine.dispose()
    return Finding("ok", "database", "PostgreSQL answers")
