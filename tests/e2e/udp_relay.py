"""A UDP relay between a browser and a node that loses datagrams from a seed, or all of them.

The kernel here has no ``tc netem``; the browser finds the relay because the page's WHIP or WHEP answer is
rewritten on its way: the node's candidates are replaced by the relay's.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from playwright.async_api import Page, Route

__all__ = ["UdpRelay", "reroute", "udp_relay"]

Address = tuple[str, int]

CANDIDATE = re.compile(
    r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host[^\r\n]*\r?\n", re.IGNORECASE | re.MULTILINE
)


class UdpRelay(asyncio.DatagramProtocol):
    """``loss`` of 0..1 in each direction; STUN and DTLS are lost like media."""

    def __init__(self, loss: float, seed: int) -> None:
        self.loss = loss
        self.node: Address | None = None
        """Where to forward to; known once an answer has passed."""
        self.forwarded = 0
        self.lost = 0
        self._random = random.Random(seed)
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._connecting: set[Address] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._front is not None
        return int(self._front.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._front = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        client = (str(addr[0]), int(addr[1]))
        back = self._backs.get(client)
        if back is not None:
            if self._passes():
                back.sendto(data)
        elif client not in self._connecting:
            # The datagram is lost: ICE repeats itself.
            self._connecting.add(client)
            task = asyncio.create_task(self._connect(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def answer(self, data: bytes, client: Address) -> None:
        if self._front is not None and self._passes():
            self._front.sendto(data, client)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)
        for back in self._backs.values():
            back.close()
        if self._front is not None:
            self._front.close()

    def _passes(self) -> bool:
        if self._random.random() < self.loss:
            self.lost += 1
            return False
        self.forwarded += 1
        return True

    async def _connect(self, client: Address) -> None:
        assert self.node is not None
        loop = asyncio.get_running_loop()
        back, _ = await loop.create_datagram_endpoint(lambda: _Back(self, client), remote_addr=self.node)
        self._backs[client] = back


class _Back(asyncio.DatagramProtocol):
    """The relay's face to the node, one for each address of a client."""

    def __init__(self, relay: UdpRelay, client: Address) -> None:
        self.relay = relay
        self.client = client

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.relay.answer(data, self.client)


@asynccontextmanager
async def udp_relay(loss: float = 0.0, seed: int = 1) -> AsyncIterator[UdpRelay]:
    loop = asyncio.get_running_loop()
    _, relay = await loop.create_datagram_endpoint(lambda: UdpRelay(loss, seed), local_addr=("127.0.0.1", 0))
    try:
        yield relay
    finally:
        await relay.close()


async def reroute(page: Page, path: str, relay: UdpRelay) -> None:
    """From now on answers to POSTs to ``path`` (a glob) name the relay instead of the node; PATCHes, and with
    them ICE restarts, are left alone."""

    async def handle(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        response = await route.fetch()
        body = await response.text()
        match = CANDIDATE.search(body)
        if match is not None:
            relay.node = (match[1], int(match[2]))
            body = body.replace(f" {match[1]} {match[2]} typ host", f" 127.0.0.1 {relay.port} typ host")
        await route.fulfill(response=response, body=body)

    await page.route(path, handle)
