"""python-socketio set up for many listeners: WebSocket only, no compression, room-less, and quiet.

Its own rooms make a task per client and emit, and scan every room at a disconnect; here streams have their
own directory of clients (``Gateway``), and packets go into the clients' queues directly.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import engineio
import socketio
from aiohttp import WSCloseCode, web
from engineio.async_drivers import aiohttp as driver

from sfu.claim import Claim
from signaling.problems import problem, too_many_connections

__all__ = ["LARGEST_MESSAGE", "SocketLimits", "SocketServer"]

LARGEST_MESSAGE = 256 * 1024
"""Bytes of one message: an SDP offer of 16 m-lines with all codecs is 80 kB."""
CLOSE_S = 1.0
"""How long a client may take to answer our close before it is cut off."""

GREETING_S = 10.0
"""How long a connection may be open without Socket.IO's CONNECT: five tries of a phone on a bad line."""

_DEADLINE = web.RequestKey("deadline", asyncio.TimerHandle)
"""Of a request: the timer that cuts it off."""

PACKET_TYPES = frozenset("0123456")

# Each malformed packet would be an exception with a traceback there; what matters is counted by the gateway.
_silent = logging.getLogger("spillway.gateway.socketio")
_silent.setLevel(logging.CRITICAL)


class _Manager(socketio.AsyncManager):  # type: ignore[misc]
    """Keeps one room, of everybody: each client's own would be scanned at every disconnect."""

    def basic_enter_room(
        self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None
    ) -> None:
        if room is None:
            super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """How many connections may be open at a time."""

    per_address: int | None
    """None: as many as in all."""
    total: int


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """The server, its HTTP handler, and the ways to put a packet out."""

    def __init__(self, limits: SocketLimits, client: Callable[[web.Request], str]) -> None:
        super().__init__(
            client_manager=_Manager(),
            async_mode="aiohttp",
            transports=["websocket"],
            allow_upgrades=False,
            http_compression=False,
            # Tokens come in `auth`, never in cookies: a foreign page gets what its visitor could get.
            cors_allowed_origins="*",
            cors_credentials=False,
            max_http_buffer_size=LARGEST_MESSAGE,
            # In order for each client, and a client that sends faster than it is served waits.
            async_handlers=False,
            logger=_silent,
            engineio_logger=_silent,
        )
        self._limits = limits
        self._client = client
        self._open: Counter[str] = Counter()
        self._sockets: set[web.WebSocketResponse] = set()
        sockets = self._sockets

        class PlainWebSocket(driver.WebSocket):  # type: ignore[misc]
            """aiohttp's driver, but without a deflate context per client."""

            async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
                self.environ = environ
                self._sock = web.WebSocketResponse(
                    compress=False, max_msg_size=LARGEST_MESSAGE, timeout=CLOSE_S
                )
                await self._sock.prepare(environ["aiohttp.request"])
                sockets.add(self._sock)
                try:
                    await self.handler(self)
                finally:
                    sockets.discard(self._sock)
                return self._sock

            async def wait(self) -> str | bytes | None:
                """None ends it: for what is no Engine.IO packet; its decoder leaves half a client behind."""
                data: str | bytes = await super().wait()
                return data if isinstance(data, bytes) or data[:1] in PACKET_TYPES else None

        # The one door to the driver: engineio has no option for it.
        self.eio._async = {**self.eio._async, "websocket": PlainWebSocket}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET /socket.io/ . Raises Problem for whatever isn't a WebSocket of protocol 4, or one too many."""
        query = request.query
        upgrade = request.headers.get("Upgrade", "").lower()
        if query.get("transport") != "websocket" or upgrade != "websocket" or "sid" in query:
            raise problem("websocket-only", "Connect with transports: ['websocket'].")
        if query.get("EIO") != "4":
            raise problem("websocket-only", "Use a Socket.IO client of version 3 or 4.")
        address = self._client(request)
        if self._open.total() >= self._limits.total:
            raise problem("overloaded", "The node has no room for another connection.", {"Retry-After": "5"})
        if self._limits.per_address is not None and self._open[address] >= self._limits.per_address:
            raise too_many_connections(self._limits.per_address)
        claim = Claim(self._open, address)
        request[_DEADLINE] = asyncio.get_running_loop().call_later(GREETING_S, _cut, request)
        try:
            response: web.StreamResponse = await self.eio.handle_request(request)
        finally:
            self.welcome(request)
            claim.release()
        return response

    def welcome(self, request: web.Request) -> None:
        """Its CONNECT has come: it may stay."""
        request[_DEADLINE].cancel()

    def encode(self, event: str, data: object) -> list[engineio.packet.Packet]:
        """An event as packets, which any number of clients may share."""
        encoded = self.packet_class(socketio.packet.EVENT, namespace="/", data=[event, data]).encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        return [engineio.packet.Packet(engineio.packet.MESSAGE, part) for part in parts]

    def put(self, eio_sid: str, packets: list[engineio.packet.Packet]) -> int:
        """Queue packets for a client; returns how many wait in its queue now."""
        socket = self.eio.sockets.get(eio_sid)
        if socket is None or socket.closed:
            return 0
        for packet in packets:
            socket.queue.put_nowait(packet)
        return int(socket.queue.qsize())

    async def close(self) -> None:
        """Tell every client that the server goes away, and end."""
        # The service task exists from the first client on, and shutdown() can't do without it.
        if self.eio.service_task_handle is not None:
            await self.shutdown()
        goodbye = [each.close(code=WSCloseCode.GOING_AWAY) for each in list(self._sockets)]
        await asyncio.gather(*goodbye, return_exceptions=True)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
