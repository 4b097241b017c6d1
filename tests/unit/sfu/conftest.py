"""A node whose engine is fake, and the application around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sfu.config import IceServer, SfuConfig
from sfu.events import StreamEvent
from sfu.node import Sfu
from sfu.problem import Problem
from sfu.publisher import PublishGrant
from sfu.whep import WatchGrant, whep_routes
from sfu.whip import whip_routes
from tests.unit.sfu.fake_engine import FakeEngine
from tests.unit.sfu.offers import offer

H264 = {"payload_type": 102, "name": "H264", "clock_rate": 90000, "fmtp": "packetization-mode=1"}
OPUS = {"payload_type": 111, "name": "opus", "clock_rate": 48000, "channels": 2}


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        response = web.json_response(problem.document(), status=problem.status, headers=problem.headers)
        response.content_type = "application/problem+json"
        return response


async def authorize(key: str) -> PublishGrant:
    if key != "the-key":
        raise Problem("unauthorized", 401, "Unauthorized")
    return PublishGrant("show")


async def admit(stream_id: str, token: str | None) -> WatchGrant:
    if stream_id != "show":
        raise Problem("stream-not-found", 404, "Stream not found")
    return WatchGrant(stream_id, manifest_url="https://cdn.example/show.m3u8")


class Clock:
    """The event loop's, which can be put forward: timers that are to run out are too long to do so before,
    however slow the machine is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._real = loop.time
        self._ahead_s = 0.0

    def time(self) -> float:
        return self._real() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


class Node:
    """The node, its fake engine, its HTTP client and the events it told."""

    def __init__(self, sfu: Sfu, engine: FakeEngine, client: TestClient[Any, Any], clock: Clock) -> None:
        self.sfu = sfu
        self.engine = engine
        self.client = client
        self.clock = clock
        self.events: list[StreamEvent] = []
        sfu.listeners.append(self.events.append)

    async def push(self, *event: Any) -> None:
        """Give an engine event and let the node handle it."""
        self.engine.push(*event)
        await self._settle()

    async def pass_time(self, seconds: float) -> None:
        """Let the timers run out that are due within this."""
        self.clock.advance(seconds)
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def whip(self, name: str = "chromium-publish", query: str = "", **headers: str) -> Any:
        return await self.client.post(
            f"/whip{query}",
            data=offer(name),
            headers={"Authorization": "Bearer the-key", "Content-Type": "application/sdp", **headers},
        )

    async def whep(self, name: str = "chromium-watch") -> Any:
        return await self.client.post(
            "/whep/show", data=offer(name), headers={"Content-Type": "application/sdp"}
        )

    def transports(self) -> list[int]:
        return [order["id"] for order in self.engine.named("open_transport")]

    async def go_live(self, name: str = "chromium-publish", query: str = "") -> Any:
        """Publish and let media flow."""
        response = await self.whip(name, query)
        assert response.status == 201, await response.text()
        transport = self.transports()[-1]
        await self.push("connected", transport)
        for track in self.engine.named("add_track"):
            if track["transport"] == transport:
                codec = H264 if track["kind"] == "video" else OPUS
                for rid in track["rids"] or [""]:
                    await self.push("flowing", track["id"], rid, codec, 1)
        return response


@pytest.fixture
def config() -> SfuConfig:
    return SfuConfig(
        advertise_ip=("192.0.2.7",),
        ice_servers=(IceServer("stun:stun.example"), IceServer("turn:turn.example", "user", "secret")),
    )


@pytest.fixture
async def node(config: SfuConfig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    loop = asyncio.get_running_loop()
    clock = Clock(loop)
    monkeypatch.setattr(loop, "time", clock.time)
    engine = FakeEngine()
    async with Sfu(config, engine=engine) as sfu:
        app = web.Application(middlewares=[problems])
        app.add_routes([*whip_routes(sfu, authorize), *whep_routes(sfu, admit)])
        async with TestClient(TestServer(app)) as client:
            yield Node(sfu, engine, client, clock)
