"""What happens between two awaits: rotation, deletion, faults of one peer beside others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sfu.events import StreamEnded, StreamEvent, StreamLive
from sfu.problem import Problem
from sfu.publisher import Publisher, PublishGrant
from sfu.whip import whip_routes
from tests.unit.sfu import conftest
from tests.unit.sfu.conftest import Node
from tests.unit.sfu.offers import offer
from tests.unit.sfu.waiting import eventually


class Keys:
    """One key, which may be withdrawn."""

    def __init__(self) -> None:
        self.valid = True

    async def authorize(self, key: str) -> PublishGrant:
        if not self.valid:
            raise Problem("wrong-key", 401, "Wrong key")
        return PublishGrant("show")


async def test_a_key_that_was_replaced_while_it_waited_opens_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.go_live()
    keys = Keys()
    app = web.Application(middlewares=[conftest.problems])
    app.add_routes(whip_routes(node.sfu, keys.authorize))
    (older,) = node.sfu.sessions
    closing, go_on = asyncio.Event(), asyncio.Event()
    close = older.close

    async def close_slowly(reason: str) -> None:
        closing.set()
        await go_on.wait()
        await close(reason)

    monkeypatch.setattr(older, "close", close_slowly)
    async with TestClient(TestServer(app)) as client:
        door = Node(node.sfu, node.engine, client, node.clock)
        waiting = asyncio.create_task(door.whip())
        await closing.wait()
        keys.valid = False  # the owner rotates the key now, which closes what is published
        stream = node.sfu.router.get("show")
        assert stream is not None
        rotation = asyncio.create_task(stream.close_publishers("revoked"))
        go_on.set()
        await rotation
        assert (await waiting).status == 401
        assert not [each for each in node.sfu.sessions if isinstance(each, Publisher)]


async def test_a_stream_that_ends_does_not_go_live_again(node: Node) -> None:
    await node.go_live()
    await node.go_live(query="?slot=backup")
    stream = node.sfu.router.get("show")
    assert stream is not None
    await stream.end("deleted")
    assert [e for e in node.events if isinstance(e, StreamLive | StreamEnded)] == [
        StreamLive("show"),
        StreamEnded("show", "deleted"),
    ]
    assert node.sfu.router.get("show") is None


async def test_a_fault_at_one_event_does_not_cost_the_next(node: Node) -> None:
    await node.whip()
    transport = node.transports()[-1]
    tracks = {order["kind"]: order["id"] for order in node.engine.named("add_track")}

    def fail(event: StreamEvent) -> None:
        if isinstance(event, StreamLive):
            raise RuntimeError("a listener's fault")

    node.sfu.listeners.insert(0, fail)
    node.engine.push("flowing", tracks["video"], "", conftest.H264, 1)
    await node.push("closed", transport, "consent")
    await eventually(lambda: len(node.sfu.sessions) == 0)


async def test_events_lost_to_overflow_leave_no_session_behind(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.go_live()
    await node.whep()
    publisher, viewer = node.transports()
    alive: dict[int, dict[str, int]] = {publisher: {}, viewer: {}}
    monkeypatch.setattr(node.engine, "transport_stats", alive.get)
    await node.push("overflow", 3)
    await asyncio.sleep(0.05)
    assert len(node.sfu.sessions) == 2
    del alive[viewer]  # its "closed" was among the lost
    await node.push("overflow", 1)
    await eventually(lambda: len(node.sfu.sessions) == 1)
    assert node.sfu.seats.total == 0


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_a_refusal_of_the_engine_leaves_nothing_behind(
    node: Node, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    await node.go_live()

    def refuse(**_: Any) -> int:
        raise ValueError("no such transport")

    monkeypatch.setattr(node.engine, "open_transport", refuse)
    response = await (node.whep() if kind == "whep" else node.whip(query="?slot=backup"))
    assert response.status == 400
    assert node.sfu.seats.total == 0
    assert len(node.sfu.sessions) == 1


async def test_a_refused_first_publisher_leaves_no_stream(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> int:
        raise ValueError("bad credentials")

    monkeypatch.setattr(node.engine, "open_transport", refuse)
    assert (await node.whip()).status == 400
    assert len(node.sfu.router) == 0


async def test_credentials_that_are_no_ice_chars_cost_no_seat(node: Node) -> None:
    await node.go_live()
    body = offer("chromium-watch").replace("a=ice-ufrag:", "a=ice-ufrag:" + "é" * 200)
    response = await node.client.post("/whep/show", data=body, headers={"Content-Type": "application/sdp"})
    assert (response.status, (await response.json())["type"]) == (400, "/problems/bad-sdp")
    assert node.sfu.seats.total == 0


async def test_closing_viewers_leaves_who_publishes(node: Node) -> None:
    await node.go_live()
    viewer = await node.whep()
    await node.push("connected", node.transports()[-1])
    stream = node.sfu.router.get("show")
    assert stream is not None
    await stream.close_viewers("private")
    gone = await node.client.delete(viewer.headers["Location"])
    assert (gone.status, (await gone.json())["reason"]) == (410, "private")
    assert (stream.live, stream.viewers, node.sfu.seats.total) == (True, 0, 0)


@pytest.mark.parametrize("fault", [RuntimeError("in the goodbye"), asyncio.CancelledError()])
async def test_a_goodbye_that_fails_leaves_no_session(
    node: Node, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    await node.whip()
    (session,) = node.sfu.sessions

    async def fail() -> None:
        raise fault

    monkeypatch.setattr(session.transport._dtls, "close", fail)
    with pytest.raises(type(fault)):
        await session.close("stopped")
    async with asyncio.timeout(5):
        await session.close("stopped")
    assert len(node.sfu.sessions) == 0
    assert node.engine.named("close_transport") == [{"transport": node.transports()[-1]}]
