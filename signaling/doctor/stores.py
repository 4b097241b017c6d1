"""Whether the stores answer."""

from __future__ import annotations

from signaling.doctor.finding import Finding
from signaling.settings import Settings
from signaling.store.database import open_database
from signaling.store.interfaces import StoreUnreachable

__all__ = ["check"]


async def check(settings: Settings) -> list[Finding]:
    if settings.database_url is None:
        return [Finding("ok", "database", "a SQLite file in data_dir")]
    try:
        engine = await open_database(
            settings.database_url.get_secret_value(), settings.data_dir, migrated=False
        )
    except StoreUnreachable as error:
        return [Finding("fix", "database", str(error), "start it, or mend database_url")]
    await engine.dispose()
    return [Finding("ok", "database", "PostgreSQL answers")]
