"""What happens to a stream while the store answers, or does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from signaling.live import LiveStreams
from signaling.store.database import open_database
from signaling.store.records import Account, Audience, NewStream, StreamRecord
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_streams import SqlStreams
from tests.unit.signaling.conftest import ManualClock


class Store(SqlStreams):
    """Whose answer to what went live comes when the test says so, and which may be away."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.away = False

    async def went_live(self, stream_id: str, node_id: str, now: datetime) -> StreamRecord | None:
        if self.away:
            raise ConnectionError("no database")
        stream = await super().went_live(stream_id, node_id, now)
        self.asked.set()
        await self.answer.wait()
        return stream


class Told:
    """A ``Listener``."""

    def __init__(self) -> None:
        self.news: list[str] = []

    def stream_changed(self, stream: StreamRecord) -> None:
        self.news.append(f"{stream.status} {stream.visibility}")

    def stream_deleted(self, stream_id: str) -> None:
        self.news.append("deleted")

    def playback_changed(self, stream: StreamRecord) -> None: ...

    def audience_changed(self, stream_id: str, audience: Audience) -> None: ...

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None: ...


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """With the stream ``s1``."""
    database = await open_database(None, tmp_path)
    await SqlAccounts(database).create(Account("a1", "Ada"), "hash", clock.now())
    store = Store(database)
    await store.create(
        NewStream(
            stream_id="s1",
            broadcaster_id="a1",
            key_hash="k1",
            title="A title",
            category="music",
            record=False,
            visibility="public",
            scheduled_at=None,
            created_at=clock.now(),
        )
    )
    yield store
    await database.dispose()


async def test_nobody_hears_of_a_stream_after_its_end(store: Store, clock: ManualClock) -> None:
    live, told = LiveStreams(store, "n1", clock), Told()
    live.listen(told)
    running = asyncio.create_task(live.run())
    live.report_live("s1")
    await store.asked.wait()
    await store.delete("s1")
    live.tell_deleted("s1")
    live.report_off("s1")
    store.answer.set()
    await live.drain()
    running.cancel()
    assert told.news == ["deleted"]


async def test_what_the_owner_changes_meanwhile_is_not_told_as_it_was(
    store: Store, clock: ManualClock
) -> None:
    live, told = LiveStreams(store, "n1", clock), Told()
    live.listen(told)
    running = asyncio.create_task(live.run())
    live.report_live("s1")
    await store.asked.wait()
    changed = await store.change("s1", {"visibility": "private"})
    assert changed is not None
    live.tell_changed(changed)
    store.answer.set()
    await live.drain()
    running.cancel()
    assert told.news[:2] == ["live private", "live private"]


async def test_a_store_that_is_away_lets_the_node_end(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveStreams(store, "n1", clock)
    live.report_live("s1")
    store.away = True
    await live.drain()
    assert "ended at the next start" in caplog.text
