"""The gateway judges its clients again when they join and when what they showed ends, and counts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from signaling import judgement
from signaling.gateway import transport
from signaling.node import Node, open_node
from tests.unit.signaling.conftest import Api, ManualClock, node_settings, until
from tests.unit.signaling.test_gateway import Open, open_page

__all__ = ["open_page"]

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
async def node(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """That judges at once, and takes few connections."""
    monkeypatch.setattr(judgement, "JUDGED_S", 0.02)
    settings = node_settings(
        tmp_path,
        roles=["api", "gateway", "engine"],
        rtc_port=0,
        sockets_per_address=3,
        sockets_per_node=4,
        trusted_proxies=["127.0.0.1"],
    )
    async with open_node(settings, clock) as running:
        yield running


class Private:
    """A private stream, its owner's token, and what opens it for 60 s."""

    def __init__(self, api: Api, owner: str, stream_id: str, ticket: str) -> None:
        self.api, self.owner, self.stream_id, self.ticket = api, owner, stream_id, ticket
        self.path = f"/api/v1/streams/{stream_id}"

    async def rename(self, title: str) -> None:
        assert (await self.api.call("PATCH", self.path, {"title": title}, self.owner)).status == 200

    def members(self) -> int:
        return len(self.api.node.gateway.members(self.stream_id))


@pytest.fixture
async def private(api: Api) -> Private:
    owner = await api.sign_up("Ada")
    stream_id = (await api.make_stream(owner, visibility="private"))["stream_id"]
    made = await api.call("POST", f"/api/v1/streams/{stream_id}/playback-tokens", {"ttl_s": 60}, owner)
    return Private(api, owner, stream_id, made.json["token"])


async def test_a_token_that_ends_ends_the_watching(
    private: Private, open_page: Open, clock: ManualClock
) -> None:
    friend, owner = (
        await open_page({"playback_token": private.ticket}),
        await open_page({"token": private.owner}),
    )
    for page in (friend, owner):
        assert (await page.call("join", {"stream_id": private.stream_id}))["ok"]
    clock.advance(59)
    await private.rename("still")
    assert (await friend.next("stream"))["title"] == "still"
    clock.advance(1)
    assert (await friend.next("notice"))["type"] == "unauthorized"
    assert private.members() == 1
    await private.rename("secret")
    assert (await owner.next("stream"))["title"] == "still"
    assert (await owner.next("stream"))["title"] == "secret"
    refused = await friend.call("join", {"stream_id": private.stream_id})
    assert refused["problem"]["type"] == "/problems/unauthorized"
    assert all(name != "stream" for name, _ in _left(friend))


async def test_a_join_is_judged_by_what_is_valid_then(
    private: Private, open_page: Open, clock: ManualClock
) -> None:
    friend, owner = (
        await open_page({"playback_token": private.ticket}),
        await open_page({"token": private.owner}),
    )
    clock.advance(61)
    refused = await friend.call("join", {"stream_id": private.stream_id})
    assert refused["problem"]["type"] == "/problems/unauthorized"
    assert (await owner.call("join", {"stream_id": private.stream_id}))["ok"]
    clock.advance(31 * 86_400)
    refused = await owner.call("join", {"stream_id": private.stream_id})
    assert refused["problem"]["type"] == "/problems/unauthorized"


async def test_a_public_stream_needs_no_token_that_is_valid(
    api: Api, private: Private, open_page: Open, clock: ManualClock
) -> None:
    page = await open_page({"playback_token": private.ticket})
    public = (await api.make_stream(private.owner))["stream_id"]
    assert (await page.call("join", {"stream_id": public}))["ok"]
    clock.advance(61)
    members = api.node.gateway.members(public)
    await until(lambda: members[0].visitor.until is None)
    assert api.node.gateway.members(public) == members


@pytest.mark.parametrize("way", ["leave", "revoke"])
async def test_a_guest_of_a_private_stage_sees_it_while_on_stage(
    private: Private, open_page: Open, way: str
) -> None:
    made = await private.api.call("POST", f"{private.path}/invites", {}, private.owner)
    guest = await open_page()
    assert (await guest.call("stage:enter", {"invite": made.json["invite"], "name": "Bob"}))["ok"]
    assert (await guest.call("join", {"stream_id": private.stream_id}))["ok"]
    await private.rename("for hosts")
    assert (await guest.next("stream"))["title"] == "for hosts"
    if way == "leave":
        await guest.call("stage:leave")
    else:
        await private.api.call("DELETE", f"{private.path}/invites/{made.json['invite']}", token=private.owner)
    await until(lambda: private.members() == 0)
    refused = await guest.call("join", {"stream_id": private.stream_id})
    assert refused["problem"]["type"] == "/problems/unauthorized"


async def test_a_join_that_is_refused_hides_no_token_that_has_ended(
    private: Private, open_page: Open, clock: ManualClock
) -> None:
    friend = await open_page({"playback_token": private.ticket})
    assert (await friend.call("join", {"stream_id": private.stream_id}))["ok"]
    clock.advance(60)
    assert not (await friend.call("join", {"stream_id": "unknown"}))["ok"]
    await until(lambda: private.members() == 0)


async def test_a_guest_whose_next_invite_is_wrong_is_on_no_stage(private: Private, open_page: Open) -> None:
    made = await private.api.call("POST", f"{private.path}/invites", {}, private.owner)
    guest = await open_page()
    assert (await guest.call("stage:enter", {"invite": made.json["invite"], "name": "Bob"}))["ok"]
    assert not (await guest.call("stage:enter", {"invite": "si_wrong"}))["ok"]
    await until(lambda: private.members() == 0)
    refused = await guest.call("join", {"stream_id": private.stream_id})
    assert refused["problem"]["type"] == "/problems/unauthorized"


async def test_who_has_gone_enters_nowhere(private: Private, open_page: Open) -> None:
    owner, gateway = await open_page({"token": private.owner}), private.api.node.gateway
    assert (await owner.call("join", {"stream_id": private.stream_id}))["ok"]
    [client] = gateway.members(private.stream_id)
    await owner.client.disconnect()
    await until(lambda: private.members() == 0)
    gateway.enter(client, private.stream_id, owner=True)
    assert private.members() == 0


async def test_a_store_that_fails_is_asked_again_and_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(judgement, "JUDGED_S", 0.001)
    asked, answered = 0, asyncio.Event()

    async def judge() -> None:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise ConnectionError("no database")
        answered.set()

    judging = asyncio.create_task(judgement.judge_forever(judge))
    async with asyncio.timeout(10):
        await answered.wait()
    judging.cancel()
    assert [each.name for each in caplog.records] == ["spillway.judgement"]


async def test_connections_are_bounded_per_address_and_in_all(api: Api) -> None:
    async def connect(address: str) -> aiohttp.ClientWebSocketResponse:
        url = api.node.url.replace("http", "ws") + WEBSOCKET
        return await api.session.ws_connect(url, headers={"X-Forwarded-For": address})

    async def refused(address: str) -> Any:
        return await api.call("GET", WEBSOCKET, headers=UPGRADE | {"X-Forwarded-For": address})

    mine = [await connect("192.0.2.1") for _ in range(3)]
    answer = await refused("192.0.2.1")
    assert (answer.status, answer.problem, answer.json["limit"]) == (429, "too-many-connections", 3)
    assert int(answer.headers["Retry-After"]) > 0
    other = await connect("192.0.2.2")
    answer = await refused("192.0.2.3")
    assert (answer.status, answer.problem) == (503, "overloaded")
    await mine.pop().close()
    again = await _until_taken(connect, "192.0.2.3")
    for each in (*mine, other, again):
        await each.close()


async def test_who_never_says_connect_is_cut_off(
    api: Api, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "GREETING_S", 0.2)
    page = await open_page()
    async with api.session.ws_connect(api.node.url.replace("http", "ws") + WEBSOCKET) as idle:
        assert (await idle.receive()).type is aiohttp.WSMsgType.TEXT
        closed = await idle.receive(timeout=10)
        assert closed.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert (await page.call("leave"))["ok"]


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


async def _until_taken(connect: Any, address: str) -> aiohttp.ClientWebSocketResponse:
    """The server notices a moment later that one has left."""
    for _ in range(500):
        try:
            socket: aiohttp.ClientWebSocketResponse = await connect(address)
        except aiohttp.WSServerHandshakeError:
            continue
        return socket
    raise AssertionError("never taken")


def _left(page: Any) -> list[tuple[str, Any]]:
    return [page.events.get_nowait() for _ in range(page.events.qsize())]
