"""Opening a database: its tables, and what is said of one that can't be had."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.database import HEAD, open_database
from signaling.store.interfaces import StoreUnreachable
from signaling.store.records import Account
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_streams import SqlStreams
from signaling.store.tables import metadata
from tests.unit.signaling.conftest import ManualClock
from tests.unit.signaling.test_store import accounts, new_stream, streams

__all__ = ["accounts", "streams"]


async def test_the_tables_are_what_the_migrations_make(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert differences == []


def test_the_newest_migration_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", "signaling.store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_a_second_start_finds_everything_again(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("the server of the suite outlives the engine anyway")
    await SqlAccounts(engine).create(Account("a1", "Ada"), "hash", clock.now())
    again = await open_database(None, tmp_path)
    assert await SqlAccounts(again).get("a1") == Account("a1", "Ada")
    await again.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://spillway:secret-password@127.0.0.1:1/x",
        "postgresql://spillway:secret-password@nowhere.invalid/x",
    ],
)
async def test_an_unreachable_database_says_where_and_keeps_the_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="can't open PostgreSQL at ") as caught:
        await open_database(url, tmp_path)
    assert "secret-password" not in str(caught.value)


async def test_a_database_that_is_not_there_is_unreachable(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match='database "nothing" does not exist'):
        await open_database(postgres.replace("/postgres", "/nothing"), tmp_path)


async def test_a_data_folder_that_is_none_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "spillway.db").mkdir()
    with pytest.raises(StoreUnreachable, match="SQLite"):
        await open_database(None, tmp_path)


async def test_a_write_that_is_cancelled_locks_nobody_out(streams: SqlStreams, clock: ManualClock) -> None:
    await streams.create(new_stream(clock, "s1"))
    for number in range(30):
        write = asyncio.create_task(streams.went_live("s1", "n1", clock.now()))
        for _ in range(number // 2):  # each time it has come a little further
            await asyncio.sleep(0.0001)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
        await streams.end_all_of("n1", clock.now())
    (stream,) = [await streams.get("s1")]
    assert stream is not None
    assert stream.status != "live"


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    engine = await open_database(None, tmp_path)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(StoreUnreachable, match="a newer version of Spillway wrote it"):
        await open_database(None, tmp_path)
