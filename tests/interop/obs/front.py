"""A WHIP endpoint in front of a node: keeps what is said, and may put a lossy network between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientConnectorError, ClientSession, web

from tests.udp_relay import CANDIDATE, UdpRelay

__all__ = ["Exchange", "Front", "front"]

PASSED_ON = ("Authorization", "Content-Type", "User-Agent", "If-Match")
HANDED_BACK = ("Content-Type", "Location", "ETag")


@dataclass
class Exchange:
    """One request and its answer, as they were on the wire."""

    method: str
    path: str
    body: str
    status: int
    answer: str
    links: list[str]


@dataclass
class Front:
    node_url: str
    relay: UdpRelay | None
    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        try:
            return await self._pass_on(request, body)
        except ClientConnectorError:
            # what a reverse proxy says while the node behind it is down
            self.exchanges.append(Exchange(request.method, request.path, body, 502, "", []))
            return web.Response(status=502)

    async def _pass_on(self, request: web.Request, body: str) -> web.Response:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        async with (
            ClientSession() as http,
            http.request(
                request.method, self.node_url + request.path_qs, data=body, headers=headers
            ) as answer,
        ):
            text = await answer.text()
            links = answer.headers.getall("Link", [])
            self.exchanges.append(Exchange(request.method, request.path, body, answer.status, text, links))
            response = web.Response(status=answer.status, text=self._rerouted(text))
            for name in HANDED_BACK:
                if name in answer.headers:
                    response.headers[name] = answer.headers[name]
            for link in links:
                response.headers.add("Link", link)
            return response

    def _rerouted(self, answer: str) -> str:
        """The answer with the relay for its only candidate."""
        match = CANDIDATE.search(answer)
        if self.relay is None or match is None:
            return answer
        self.relay.node = (match[1], int(match[2]))
        ours = match[0].replace(f" {match[1]} {match[2]} typ", f" 127.0.0.1 {self.relay.port} typ")
        others = "".join(
            line for line in answer.splitlines(keepends=True) if not line.startswith("a=candidate")
        )
        return others.replace("a=end-of-candidates\r\n", ours + "a=end-of-candidates\r\n")


@asynccontextmanager
async def front(node_url: str, relay: UdpRelay | None = None) -> AsyncIterator[Front]:
    """On a free port of loopback; ``relay`` carries the media of whoever publishes through here."""
    passing = Front(node_url, relay)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", passing.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        passing.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield passing
    finally:
        await runner.cleanup()
