"""A handshake's flight, sent again sooner than OpenSSL does.

OpenSSL waits a second (RFC 6347 section 4.2.4.1) and cannot be told otherwise through pyOpenSSL. Browsers
begin with 50 ms, and FFmpeg loses the first ClientHello of a peer that is the client: one second of the show.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["REPEAT_AFTER_S", "DtlsLink", "FlightLink"]

REPEAT_AFTER_S = (0.1, 0.2, 0.4)
"""Each counts from the one before; what is still unanswered then is left to OpenSSL."""


class DtlsLink(Protocol):
    """What carries DTLS datagrams, named as aiortc names it."""

    role: str

    async def _recv(self) -> bytes:
        """The next DTLS datagram; raises ConnectionError when closed."""
        ...

    async def _send(self, data: bytes) -> None: ...


class FlightLink:
    """Repeats what was sent since the last datagram that came, octet by octet, so that whoever has it already
    drops it as replayed (RFC 6347 section 4.1.2.6)."""

    __slots__ = ("_flight", "_link", "_over", "_waits", "role")

    def __init__(self, link: DtlsLink) -> None:
        self.role = link.role
        self._link = link
        self._flight: list[bytes] = []
        self._waits = iter(REPEAT_AFTER_S)
        self._over = False

    def end(self) -> None:
        """The handshake is over: nothing is repeated any more."""
        self._over = True
        self._flight.clear()

    async def _send(self, data: bytes) -> None:
        if not self._over:
            self._flight.append(data)
        await self._link._send(data)

    async def _recv(self) -> bytes:
        data = await self._answer()
        self._flight.clear()
        self._waits = iter(REPEAT_AFTER_S)
        return data

    async def _answer(self) -> bytes:
        for wait_s in self._waits if self._flight else ():
            try:
                async with asyncio.timeout(wait_s):
                    return await self._link._recv()
            except TimeoutError:
                for data in self._flight:
                    await self._link._send(data)
        return await self._link._recv()
