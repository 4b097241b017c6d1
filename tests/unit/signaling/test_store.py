"""One suite that every store of accounts and streams must pass."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.store.interfaces import NameTaken
from signaling.store.records import Account, Audience, NewStream, NewToken, StreamRecord
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_streams import SqlStreams
from tests.unit.signaling.conftest import ManualClock


@pytest.fixture
def accounts(engine: AsyncEngine) -> SqlAccounts:
    return SqlAccounts(engine)


@pytest.fixture
async def streams(engine: AsyncEngine, accounts: SqlAccounts, clock: ManualClock) -> SqlStreams:
    await accounts.create(Account("a1", "Ada"), "hash", clock.now())
    return SqlStreams(engine)


def new_stream(clock: ManualClock, stream_id: str, **values: object) -> NewStream:
    fields: dict[str, object] = {
        "stream_id": stream_id,
        "broadcaster_id": "a1",
        "key_hash": f"key of {stream_id}",
        "title": f"Title {stream_id}",
        "category": "music",
        "record": True,
        "visibility": "public",
        "scheduled_at": None,
        "created_at": clock.now(),
    }
    return NewStream(**(fields | values))  # type: ignore[arg-type]


async def test_an_account_is_found_by_any_spelling_of_its_name(
    accounts: SqlAccounts, clock: ManualClock
) -> None:
    await accounts.create(Account("a1", "Straße"), "hash", clock.now())
    assert await accounts.credentials("STRASSE") == (Account("a1", "Straße"), "hash")
    assert await accounts.credentials("Strase") is None
    assert await accounts.get("a1") == Account("a1", "Straße")
    with pytest.raises(NameTaken):
        await accounts.create(Account("a2", "strasse"), "hash", clock.now())
    assert await accounts.get("a2") is None


async def test_a_token_ends_with_its_time(accounts: SqlAccounts, clock: ManualClock) -> None:
    await accounts.create(Account("a1", "Ada"), "hash", clock.now())
    await accounts.add_token(NewToken("t1", "a1", clock.now(), clock.now() + timedelta(seconds=10)))
    clock.advance(9.9)
    assert await accounts.by_token("t1", clock.now()) == Account("a1", "Ada")
    clock.advance(0.1)
    assert await accounts.by_token("t1", clock.now()) is None
    assert await accounts.by_token("t2", clock.now()) is None


async def test_many_tokens_are_looked_up_at_once(accounts: SqlAccounts, clock: ManualClock) -> None:
    ada, bob = Account("a1", "Ada"), Account("b1", "Bob")
    for account, tokens in ((ada, ("t1", "t2")), (bob, ("t3",))):
        await accounts.create(account, "hash", clock.now())
        for each in tokens:
            end = clock.now() + timedelta(seconds=10 if each == "t2" else 20)
            await accounts.add_token(NewToken(each, account.account_id, clock.now(), end))
    unknown = [f"x{number}" for number in range(2000)]
    assert await accounts.by_tokens(["t1", *unknown, "t3"], clock.now()) == {"t1": ada, "t3": bob}
    clock.advance(10)
    assert await accounts.by_tokens(["t1", "t2"], clock.now()) == {"t1": ada}
    await accounts.delete_token("t1")
    assert await accounts.by_tokens(["t1", "t3"], clock.now()) == {"t3": bob}
    assert await accounts.by_tokens([], clock.now()) == {}


async def test_a_new_password_ends_every_token(accounts: SqlAccounts, clock: ManualClock) -> None:
    await accounts.create(Account("a1", "Ada"), "hash", clock.now())
    later = clock.now() + timedelta(days=1)
    await accounts.add_token(NewToken("t1", "a1", clock.now(), later))
    await accounts.rehash_password("a1", "stronger")
    assert await accounts.by_token("t1", clock.now()) == Account("a1", "Ada")
    await accounts.set_password("a1", "other")
    assert await accounts.by_token("t1", clock.now()) is None
    assert await accounts.credentials("ada") == (Account("a1", "Ada"), "other")


async def test_a_stream_is_kept_whole(streams: SqlStreams, clock: ManualClock) -> None:
    made = await streams.create(new_stream(clock, "s1", record=False, visibility="private"))
    assert made == StreamRecord(
        stream_id="s1",
        broadcaster_id="a1",
        broadcaster_name="Ada",
        title="Title s1",
        category="music",
        record=False,
        visibility="private",
        status="created",
        scheduled_at=None,
        created_at=clock.now(),
        started_at=None,
        ended_at=None,
        audience=Audience(),
    )
    assert await streams.get("s1") == made
    assert await streams.get("s2") is None


async def test_live_ended_and_live_again(streams: SqlStreams, clock: ManualClock) -> None:
    await streams.create(new_stream(clock, "s1"))
    first = clock.now()
    live = await streams.went_live("s1", "n1", first)
    assert live is not None
    assert (live.status, live.started_at, live.ended_at) == ("live", first, None)
    await streams.set_audiences({"s1": Audience(3, 4)})
    clock.advance(60)
    ended = await streams.went_off("s1", clock.now())
    assert ended is not None
    assert (ended.status, ended.started_at, ended.ended_at) == ("ended", first, clock.now())
    assert ended.audience == Audience()
    end = clock.now()
    clock.advance(60)
    assert await streams.went_off("s1", clock.now()) == ended, "a second end changes nothing"
    assert ended.ended_at == end
    again = await streams.went_live("s1", "n1", clock.now())
    assert again is not None
    assert (again.status, again.started_at, again.ended_at) == ("live", clock.now(), None)
    assert await streams.went_live("s2", "n1", clock.now()) is None


async def test_scheduling_moves_the_status(streams: SqlStreams, clock: ManualClock) -> None:
    at = clock.now() + timedelta(days=1)
    made = await streams.create(new_stream(clock, "s1", scheduled_at=at))
    assert (made.status, made.scheduled_at) == ("scheduled", at)
    plain = await streams.change("s1", {"scheduled_at": None})
    assert plain is not None
    assert (plain.status, plain.scheduled_at) == ("created", None)
    await streams.went_live("s1", "n1", clock.now())
    live = await streams.change("s1", {"scheduled_at": at})
    assert live is not None
    assert live.status == "live"
    await streams.went_off("s1", clock.now())
    again = await streams.change("s1", {"scheduled_at": at, "title": "Second night"})
    assert again is not None
    assert (again.status, again.title) == ("scheduled", "Second night")
    ended = await streams.change("s1", {"scheduled_at": None})
    assert ended is not None
    assert ended.status == "ended"
    assert await streams.change("s2", {"title": "x"}) is None
    with pytest.raises(ValueError, match="status"):
        await streams.change("s1", {"status": "live"})


async def test_a_rotated_key_is_unknown_at_once(streams: SqlStreams, clock: ManualClock) -> None:
    await streams.create(new_stream(clock, "s1"))
    assert await streams.by_key("key of s1") == "s1"
    assert await streams.set_key("s1", "new")
    assert await streams.by_key("key of s1") is None
    assert await streams.by_key("new") == "s1"
    assert not await streams.set_key("s2", "newer")


async def test_a_deleted_stream_takes_its_audience_along(streams: SqlStreams, clock: ManualClock) -> None:
    await streams.create(new_stream(clock, "s1"))
    await streams.set_audiences({"s1": Audience(1, 0)})
    assert await streams.delete("s1")
    assert await streams.get("s1") is None
    assert not await streams.delete("s1")


async def test_what_a_dead_node_left_live_ends(streams: SqlStreams, clock: ManualClock) -> None:
    for stream_id, node in (("s1", "n1"), ("s2", "n2"), ("s3", "n1")):
        await streams.create(new_stream(clock, stream_id))
        await streams.went_live(stream_id, node, clock.now())
    await streams.set_audiences({"s1": Audience(1, 1), "s2": Audience(2, 2)})
    assert await streams.end_all_of("n1", clock.now()) == 2
    states = {each: await streams.get(each) for each in ("s1", "s2", "s3")}
    assert {each: state.status for each, state in states.items() if state} == {
        "s1": "ended",
        "s2": "live",
        "s3": "ended",
    }
    assert states["s1"] is not None
    assert states["s1"].audience == Audience()
    assert states["s2"] is not None
    assert states["s2"].audience == Audience(2, 2)


async def test_an_id_with_a_nul_is_unknown(streams: SqlStreams) -> None:
    assert await streams.get("s\x00") is None
