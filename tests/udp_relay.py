"""A UDP relay between a peer and a node that loses and delays datagrams from a seed, or loses all of them.

The kernel here has no ``tc netem``; the peer finds the relay because the answer is rewritten on its way: the
node's candidates are replaced by the relay's.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

__all__ = ["UdpRelay", "udp_relay"]

Address = tuple[str, int]

CANDIDATE = re.compile(
    r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host[^\r\n]*\r?\n", re.IGNORECASE | re.MULTILINE
)


class UdpRelay(asyncio.DatagramProtocol):
    """``loss`` of 0..1 in each direction; STUN and DTLS are lost like media.

    ``jitter_ms`` as of ``tc netem delay JITTERms JITTERms``: each datagram is late by 0 to twice as much,
    uniformly, and may overtake others.
    """

    def __init__(self, loss: float, seed: int, jitter_ms: float = 0.0) -> None:
        self.loss = loss
        self.jitter_ms = jitter_ms
        self.node: Address | None = None
        """Where to forward to; known once an answer has passed."""
        self.forwarded = 0
        self.lost = 0
        self._random = random.Random(seed)
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._connecting: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.TimerHandle] = set()

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
            self._carry(back, data, None)
        elif client in self._connecting:
            self._connecting[client].append(data)
        else:
            # FFmpeg sends its binding request once.
            self._connecting[client] = [data]
            task = asyncio.create_task(self._connect(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def answer(self, data: bytes, client: Address) -> None:
        if self._front is not None:
            self._carry(self._front, data, client)

    def through(self, answer: str) -> str:
        """An SDP answer that names the relay instead of the node."""
        match = CANDIDATE.search(answer)
        if match is None:
            return answer
        self.node = (match[1], int(match[2]))
        return answer.replace(f" {match[1]} {match[2]} typ host", f" 127.0.0.1 {self.port} typ host")

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)
        for handle in self._late:
            handle.cancel()
        for back in self._backs.values():
            back.close()
        if self._front is not None:
            self._front.close()

    def _carry(self, transport: asyncio.DatagramTransport, data: bytes, to: Address | None) -> None:
        if self._random.random() < self.loss:
            self.lost += 1
            return
        self.forwarded += 1
        if not self.jitter_ms:
            transport.sendto(data, to)
            return
        delay_s = self._random.uniform(0, 2 * self.jitter_ms) / 1000
        loop = asyncio.get_running_loop()
        self._late = {each for each in self._late if not each.cancelled() and each.when() > loop.time()}
        self._late.add(loop.call_later(delay_s, transport.sendto, data, to))

    async def _connect(self, client: Address) -> None:
        assert self.node is not None
        loop = asyncio.get_running_loop()
        back, _ = await loop.create_datagram_endpoint(lambda: _Back(self, client), remote_addr=self.node)
        self._backs[client] = back
        for data in self._connecting.pop(client):
            self._carry(back, data, None)


class _Back(asyncio.DatagramProtocol):
    """The relay's face to the node, one for each address of a client."""

    def __init__(self, relay: UdpRelay, client: Address) -> None:
        self.relay = relay
        self.client = client

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.relay.answer(data, self.client)


@asynccontextmanager
async def udp_relay(loss: float = 0.0, seed: int = 1, jitter_ms: float = 0.0) -> AsyncIterator[UdpRelay]:
    loop = asyncio.get_running_loop()
    _, relay = await loop.create_datagram_endpoint(
        lambda: UdpRelay(loss, seed, jitter_ms), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay
    finally:
        await relay.close()
