"""A front for a node's WHIP that sends media through a UDP relay, for publishers that take but a URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.udp_relay import UdpRelay

__all__ = ["relayed_whip"]

PASSED_ON = ("Authorization", "Content-Type", "If-Match")
ANSWERED = ("Content-Type", "ETag", "Link", "Location")


@asynccontextmanager
async def relayed_whip(node_url: str, relay: UdpRelay) -> AsyncIterator[str]:
    """Yields the URL to use in place of the node's."""
    async with aiohttp.ClientSession(node_url) as http:

        async def forward(request: web.Request) -> web.Response:
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            body = await request.read()
            async with http.request(request.method, request.path_qs, data=body, headers=headers) as answer:
                text = await answer.text()
                kept = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
                return web.Response(status=answer.status, body=relay.through(text).encode(), headers=kept)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
