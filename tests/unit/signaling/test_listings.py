"""Pages of streams, on each kind of database."""

from __future__ import annotations

import base64
import json
from typing import Literal

import pytest

from signaling.store.interfaces import BadCursor
from signaling.store.records import Account, Audience
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_streams import SqlStreams
from tests.unit.signaling.conftest import ManualClock
from tests.unit.signaling.test_store import accounts, new_stream, streams

__all__ = ["accounts", "streams"]


async def walk(streams: SqlStreams, sort: str, limit: int, category: str | None = None) -> list[list[str]]:
    pages: list[list[str]] = []
    cursor = None
    while True:
        page = await streams.discover(category=category, sort=sort, limit=limit, cursor=cursor)  # type: ignore[arg-type]
        pages.append([each.stream_id for each in page.streams])
        cursor = page.next_cursor
        if cursor is None:
            return pages


async def test_discover_ranks_pages_and_hides(streams: SqlStreams, clock: ManualClock) -> None:
    for number in range(7):
        await streams.create(new_stream(clock, f"s{number}", category="music" if number % 2 else "games"))
        await streams.went_live(f"s{number}", "n1", clock.now())
        clock.advance(1)
    await streams.create(new_stream(clock, "hidden", visibility="unlisted"))
    await streams.went_live("hidden", "n1", clock.now())
    await streams.create(new_stream(clock, "secret", visibility="private"))
    await streams.went_live("secret", "n1", clock.now())
    await streams.create(new_stream(clock, "over"))
    await streams.went_live("over", "n1", clock.now())
    await streams.went_off("over", clock.now())
    await streams.create(new_stream(clock, "new"))
    await streams.set_audiences(
        {
            "s1": Audience(1, 1),
            "s2": Audience(5, 0),
            "s3": Audience(0, 2),
            "s6": Audience(2, 9),
            "gone": Audience(9, 9),
        }
    )
    # Equal audiences fall by id.
    assert await walk(streams, "viewers", 3) == [["s6", "s2", "s3"], ["s1", "s5", "s4"], ["s0"]]
    assert await walk(streams, "recent", 4) == [["s6", "s5", "s4", "s3"], ["s2", "s1", "s0"]]
    assert await walk(streams, "viewers", 7) == [["s6", "s2", "s3", "s1", "s5", "s4", "s0"]]
    assert await walk(streams, "viewers", 2, "music") == [["s3", "s1"], ["s5"]]
    assert await walk(streams, "viewers", 2, "none") == [[]]


async def test_owned_lists_everything_of_one_account(
    streams: SqlStreams, accounts: SqlAccounts, clock: ManualClock
) -> None:
    await accounts.create(Account("a2", "Bob"), "hash", clock.now())
    for number in range(5):
        owner = "a2" if number == 2 else "a1"
        visibility = "private" if number == 3 else "public"
        await streams.create(new_stream(clock, f"s{number}", broadcaster_id=owner, visibility=visibility))
    first = await streams.owned_by("a1", limit=3, cursor=None)
    assert [each.stream_id for each in first.streams] == ["s4", "s3", "s1"]
    second = await streams.owned_by("a1", limit=3, cursor=first.next_cursor)
    assert [each.stream_id for each in second.streams] == ["s0"]
    assert second.next_cursor is None


@pytest.mark.parametrize(
    ("sort", "key", "stream_id"),
    [
        ("viewers", 1, "\ud800"),
        ("viewers", 1, "\x00"),
        ("recent", "0001-01-01T00:00:00+14:00", "s1"),
        ("recent", "9999-12-31T23:59:59-14:00", "s1"),
        ("recent", "2030-01-01T00:00:00", "s1"),
    ],
)
async def test_a_cursor_that_no_database_takes_is_refused(
    streams: SqlStreams, sort: Literal["viewers", "recent"], key: object, stream_id: str
) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps([sort, key, stream_id]).encode()).decode().rstrip("=")
    with pytest.raises(BadCursor):
        await streams.discover(category=None, sort=sort, limit=3, cursor=cursor)


@pytest.mark.parametrize(
    "cursor", ["", "x", "=", "a" * 5000, "W10", "bnVsbA", "ü", "WyJ2aWV3ZXJzIiwieCIsInMxIl0"]
)
async def test_a_made_up_cursor_is_refused(streams: SqlStreams, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await streams.discover(category=None, sort="viewers", limit=3, cursor=cursor)
    with pytest.raises(BadCursor):
        await streams.owned_by("a1", limit=3, cursor=cursor)
