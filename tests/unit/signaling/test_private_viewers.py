"""What let a viewer into a private stream over WHEP ends, and with it their session; the engine is fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from signaling import judgement
from signaling.node import open_node
from tests.unit.signaling.conftest import Api, ManualClock, node_settings
from tests.unit.signaling.test_signed_out import End, ends
from tests.unit.signaling.test_turning_private import FakeMedia, engine, go_live, watch

__all__ = ["engine"]


@dataclass
class Show:
    """A private stream that is live, and its owner's token."""

    api: Api
    owner: str
    stream_id: str

    @property
    def path(self) -> str:
        return f"/api/v1/streams/{self.stream_id}"

    async def ticket(self, ttl_s: int) -> str:
        made = await self.api.call("POST", f"{self.path}/playback-tokens", {"ttl_s": ttl_s}, self.owner)
        token: str = made.json["token"]
        return token

    async def watch(self, token: str) -> str:
        """Path of the session."""
        answer = await watch(self.api.node, self.api.session, self.stream_id, token)
        assert answer.status == 201
        return answer.headers["Location"]

    async def status(self, session: str) -> int:
        return (await self.api.call("GET", session)).status

    async def ended(self, session: str) -> str:
        """Why, once it is."""
        async with asyncio.timeout(10):
            while (answer := await self.api.call("GET", session)).status == 204:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert answer.problem == "session-closed"
        reason: str = answer.json["reason"]
        return reason


@pytest.fixture
async def show(
    tmp_path: Path, clock: ManualClock, engine: FakeMedia, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Show]:
    monkeypatch.setattr(judgement, "JUDGED_S", 0.02)
    settings = node_settings(tmp_path, roles=["api", "engine"], rtc_port=0)
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        api = Api(node, session)
        owner = await api.sign_up("Ada")
        made = await api.make_stream(owner, visibility="private")
        await go_live(node, session, engine, made)
        yield Show(api, owner, made["stream_id"])


@ends
async def test_an_owner_who_is_signed_out_watches_no_longer(show: Show, clock: ManualClock, end: End) -> None:
    other = (await show.api.call("POST", "/api/v1/tokens", {"name": "Ada", "password": "correct horse"})).json
    first, second = await show.watch(show.owner), await show.watch(other["token"])
    friend = await show.watch(await show.ticket(31 * 86_400))
    await end(show.api, show.owner, clock)
    assert await show.ended(first) == "token-ended"
    if end.__name__ == "signs_out":
        assert await show.status(second) == 204, "the other sign-in has not ended"
    else:
        assert await show.ended(second) == "token-ended"
    assert await show.status(friend) == 204, "the playback token has not ended"


async def test_a_playback_token_that_ends_ends_the_watching(show: Show, clock: ManualClock) -> None:
    owner, friend = await show.watch(show.owner), await show.watch(await show.ticket(60))
    later = await show.watch(await show.ticket(61))
    clock.advance(60)
    assert await show.ended(friend) == "token-ended"
    assert await show.status(later) == 204
    clock.advance(1)
    assert await show.ended(later) == "token-ended"
    assert await show.status(owner) == 204


async def test_who_needs_no_token_any_more_stays(show: Show, clock: ManualClock) -> None:
    friend, other = await show.watch(await show.ticket(60)), await show.watch(await show.ticket(120))
    assert (await show.api.call("PATCH", show.path, {"visibility": "public"}, show.owner)).status == 200
    clock.advance(60)
    await asyncio.sleep(0.2)  # ten judgements
    assert await show.status(friend) == 204
    assert (await show.api.call("PATCH", show.path, {"visibility": "private"}, show.owner)).status == 200
    for session in (friend, other):
        assert await show.ended(session) == "private"
