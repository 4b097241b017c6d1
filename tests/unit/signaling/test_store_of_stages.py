"""What every store of directions and of re-entries must do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sfu.stage import HostControls
from signaling.store.records import Account, Direction, KnownHost
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_directions import SqlDirections
from signaling.store.sql_reentries import SqlReentries
from signaling.store.sql_streams import SqlStreams
from tests.unit.signaling.conftest import ManualClock
from tests.unit.signaling.test_store import new_stream

WEEK = timedelta(days=7)


@pytest.fixture
async def streams(engine: AsyncEngine, clock: ManualClock) -> SqlStreams:
    await SqlAccounts(engine).create(Account("a1", "Ada"), "hash", clock.now())
    streams = SqlStreams(engine)
    await streams.create(new_stream(clock, "s1"))
    return streams


async def test_the_last_direction_is_kept_while_its_stream_is_there(
    engine: AsyncEngine, streams: SqlStreams
) -> None:
    store = SqlDirections(engine)
    assert await store.get("s1") is None
    first = Direction({"layout": "grid", "lower_third": {"text": "Zoë's \0 “show”"}})
    second = Direction(
        {"layout": "spotlight"}, {"bob": HostControls(True, False, -6.5), "cy": HostControls()}
    )
    for direction in (first, second):
        await store.set("s1", direction)
        assert await store.get("s1") == direction
        assert list((await store.get("s1") or first).controls) == list(direction.controls)
    await streams.delete("s1")
    assert await store.get("s1") is None
    await store.set("s1", first)
    assert await store.get("s1") is None


async def test_the_last_entry_of_a_host_is_kept_for_its_time(
    engine: AsyncEngine, streams: SqlStreams, clock: ManualClock
) -> None:
    store, now = SqlReentries(engine), clock.now()
    bob, cy = KnownHost("s1", "bob", "Bob"), KnownHost("s1", "cy", "Cy")
    for secret in ("first", "second"):
        await store.set(secret, bob, now, now - WEEK)
    assert await store.get("first", now - WEEK) is None
    assert await store.get("second", now - WEEK) == bob
    assert await store.get("second", now) is None
    await store.set("third", cy, now + WEEK, now)
    assert await store.get("second", now - WEEK) is None, "forgotten with the next entry"
    assert await store.get("third", now - WEEK) == cy
    await store.set("fourth", KnownHost("no such stream", "dee", "Dee"), now, now - WEEK)
    assert await store.get("fourth", now - WEEK) is None
    await store.delete("s1", "cy")
    assert await store.get("third", now - WEEK) is None
    await store.set("second", bob, now, now - WEEK)
    await streams.delete("s1")
    assert await store.get("second", now - WEEK) is None
