"""A real node in a real HTTP server on loopback, grants in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiohttp import ClientSession, web

from sfu.config import SfuConfig
from sfu.events import StreamEvent
from sfu.identity import utc_now
from sfu.node import Sfu
from sfu.problem import Problem
from sfu.publisher import PublishGrant
from sfu.whep import WatchGrant, whep_routes
from sfu.whip import whip_routes

__all__ = ["NodeApp", "eventually", "running_node"]

LOOPBACK = SfuConfig(host=("127.0.0.1",), rtc_port=0, advertise_ip=("127.0.0.1",), workers=2)


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        return web.json_response(problem.document(), status=problem.status, headers=problem.headers)


async def authorize(key: str) -> PublishGrant:
    """The key of every stream is its id."""
    return PublishGrant(key)


async def admit(stream_id: str, token: str | None) -> WatchGrant:
    return WatchGrant(stream_id)


class NodeApp:
    def __init__(self, sfu: Sfu, url: str, http: ClientSession) -> None:
        self.sfu = sfu
        self.url = url
        self.http = http
        self.events: list[StreamEvent] = []
        sfu.listeners.append(self.events.append)

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        """Returns the answer and the session's URL."""
        headers = {"Content-Type": "application/sdp"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        async with self.http.post(f"{self.url}{path}", data=sdp, headers=headers) as response:
            text = await response.text()
            assert response.status == 201, text
            return text, self.url + response.headers["Location"]


@asynccontextmanager
async def running_node(
    config: SfuConfig = LOOPBACK, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[NodeApp]:
    async with Sfu(config, now=now) as sfu:
        app = web.Application(middlewares=[problems])
        app.add_routes([*whip_routes(sfu, authorize), *whep_routes(sfu, admit)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with ClientSession() as http:
                yield NodeApp(sfu, f"http://127.0.0.1:{runner.addresses[0][1]}", http)
        finally:
            await runner.cleanup()


async def eventually(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    """Until ``condition`` holds; TimeoutError after ``within_s``."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # the condition is anything, there is no event of it
            await asyncio.sleep(0.02)
