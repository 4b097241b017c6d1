"""The endpoint under test, over HTTP, and peers that go on from its answers over UDP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import urljoin

import aiohttp
from multidict import CIMultiDictProxy

from tests.conformance import sdp
from tests.conformance.peer import Peer, identity

__all__ = ["FRAGMENT", "SDP", "Created", "Endpoint", "Reply", "connected", "opened", "until"]

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    body: str

    def __str__(self) -> str:
        return f"{self.status} {self.body[:80]!r}"


@dataclass(frozen=True, slots=True)
class Created:
    """A session that the server has made."""

    reply: Reply
    url: str
    answer: sdp.Answer


@dataclass
class Endpoint:
    http: aiohttp.ClientSession
    url: str
    token: str | None
    protocol: Literal["whip", "whep"]
    sessions: list[str] = field(default_factory=list)

    @property
    def direction(self) -> str:
        """What a client offers."""
        return "sendonly" if self.protocol == "whip" else "recvonly"

    @property
    def answered_direction(self) -> str:
        return "recvonly" if self.protocol == "whip" else "sendonly"

    def offer(self, peer: Peer, **changes: object) -> str:
        options = {"direction": self.direction, "setup": peer.setup} | changes
        return sdp.offer(peer.ufrag, peer.pwd, identity().fingerprint, **options)  # type: ignore[arg-type]

    async def request(
        self,
        method: str,
        url: str | None = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: bool = True,
    ) -> Reply:
        """Nothing is added but the bearer token."""
        sent = dict(headers or {})
        if token and self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        skip = () if "Content-Type" in sent else ("Content-Type",)
        data = body.encode() if isinstance(body, str) else body
        async with self.http.request(
            method,
            url or self.url,
            data=data,
            headers=sent,
            skip_auto_headers=skip,
            allow_redirects=False,
        ) as response:
            text = (await response.read()).decode(errors="replace")
            reply = Reply(response.status, response.headers, text)
        if method == "POST" and reply.status == 201 and "Location" in reply.headers:
            self.sessions.append(urljoin(self.url, reply.headers["Location"]))
        return reply

    async def post(self, body: str | bytes, content_type: str = SDP) -> Reply:
        return await self.request("POST", body=body, headers={"Content-Type": content_type})

    async def patch(self, url: str, body: str, match: str | None, content_type: str = FRAGMENT) -> Reply:
        headers = {"Content-Type": content_type} | ({"If-Match": match} if match is not None else {})
        return await self.request("PATCH", url, body, headers)

    async def open(self, peer: Peer, **changes: object) -> Created:
        """Raises ValueError with what came instead of 201."""
        reply = await self.post(self.offer(peer, **changes))
        if reply.status != 201 or "Location" not in reply.headers:
            raise ValueError(f"an ordinary offer was answered {reply}")
        return Created(reply, urljoin(self.url, reply.headers["Location"]), sdp.parse_answer(reply.body))

    async def end_sessions(self) -> None:
        while self.sessions:
            await self.request("DELETE", self.sessions.pop())


class _Driver(asyncio.DatagramProtocol):
    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.peer.handle_datagram(data, (addr[0], addr[1]))
        self.flush()

    def flush(self) -> None:
        assert self.transport is not None
        for data, address in self.peer.take():
            self.transport.sendto(data, address)


@asynccontextmanager
async def opened(endpoint: Endpoint, peer: Peer, **changes: object) -> AsyncIterator[Created]:
    """A session whose peer has a socket and follows the answer."""
    created = await endpoint.open(peer, **changes)
    if not created.answer.candidates:
        raise ValueError("the answer has no UDP candidate")
    peer.follow(created.answer)
    async with driven(peer):
        yield created


@asynccontextmanager
async def connected(endpoint: Endpoint, peer: Peer, **changes: object) -> AsyncIterator[Created]:
    """A session whose handshake is done."""
    async with opened(endpoint, peer, **changes) as created:
        if not await until(lambda: peer.keys is not None, 10):
            stage = "ICE done, no DTLS" if peer.nominated else "no answer to connectivity checks"
            raise ValueError(f"no media path within 10 s: {stage}")
        yield created


@asynccontextmanager
async def driven(peer: Peer) -> AsyncIterator[None]:
    """Gives the peer a socket and the time."""
    loop = asyncio.get_running_loop()
    v6 = all(":" in host for host, _ in peer.answer.candidates) if peer.answer else False
    transport, driver = await loop.create_datagram_endpoint(
        lambda: _Driver(peer), local_addr=("::" if v6 else "0.0.0.0", 0)
    )

    async def tick() -> None:
        while True:
            peer.handle_timeout(loop.time())
            driver.flush()
            await asyncio.sleep(TICK_S)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
        transport.close()


async def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether it came to hold."""
    try:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110  # the condition is anything, there is no event of it
                await asyncio.sleep(TICK_S)
    except TimeoutError:
        return False
    return True
