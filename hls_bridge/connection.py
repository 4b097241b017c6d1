"""The HTTP server's connections: hot HLS requests are answered here, all others by aiohttp on the same port.

A connection changes hands between two requests as often as its client likes. Only what a whole HTTP
implementation has to follow (chunked bodies, upgrades, what is no HTTP at all) stays with aiohttp for good.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

from hls_bridge.application_connection import ApplicationConnection
from hls_bridge.hot_path import Answer, HotPath, HotRequest, hot_request
from hls_bridge.http1 import HEAD_LIMIT, Fields, body_length, may_be_request, response_head

__all__ = ["Connection", "HttpServer", "Log"]

HEAD_S = 10
"""For the rest of a request's head, once it has begun."""
IDLE_S = 75
"""Between requests: longer than nginx and Varnish keep a connection (60 s), so that they close first."""
STALLED_S = 60
"""A client that takes nothing for so long is gone."""
AHEAD = 64 * 1024
"""Bytes of pipelined requests that wait for an answer under way; then reading pauses."""

HOT_HEAD = 4096
"""Bytes: heads of hot requests are remembered, a few thousand of them."""

Log = Callable[[str, int, int, float], None]
"""Path, status, bytes of the whole response, seconds."""


class HttpServer:
    """Connections of one listener. To be closed before aiohttp's runner."""

    def __init__(
        self,
        hot: HotPath,
        application: Callable[[], ApplicationConnection],
        *,
        count: Callable[[int, int], None] | None = None,
        log: Log | None = None,
    ) -> None:
        """``count`` gets, once a second, a status and how often the hot path has answered it."""
        self.hot = hot
        self.application = application
        self.connections: set[Connection] = set()
        self.counts: dict[int, int] = {}
        self.second = 0
        """Goes up once a second: deadlines are coarse, and cost nothing while a connection works."""
        self.log = log
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(1, self._handle_second)

    def __call__(self) -> Connection:
        """A protocol factory for ``loop.create_server``."""
        return Connection(self, self._loop)

    def close(self) -> None:
        """No more hot answers: connections that aiohttp is not at work on end now."""
        self._timer.cancel()
        self._report()
        for connection in list(self.connections):
            connection.close()

    def _handle_second(self) -> None:
        self._timer = self._loop.call_later(1, self._handle_second)
        self.second += 1
        self.hot.handle_second()
        for connection in list(self.connections):
            connection.handle_second(self.second)
        self._report()

    def _report(self) -> None:
        counts, self.counts = self.counts, {}
        if self._count is not None:
            for status, number in counts.items():
                self._count(status, number)


class Connection(asyncio.Protocol):
    """One client. Requests are taken one at a time: responses are in their order (RFC 9112 section 9.3.2)."""

    __slots__ = (
        "_application",
        "_began",
        "_body",
        "_busy",
        "_client",
        "_fields",
        "_full",
        "_held",
        "_loop",
        "_request",
        "_rest",
        "_server",
        "_since",
        "_transport",
        "_waited",
        "_whole",
    )

    def __init__(self, server: HttpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._application: ApplicationConnection | None = None
        self._rest = b""
        """Received, and not yet dealt with."""
        self._body = 0
        """Bytes of a request's body that aiohttp has yet to get."""
        self._busy = False
        """aiohttp has a request that it has not yet answered."""
        self._whole = False
        """aiohttp has the connection for good."""
        self._request: HotRequest | None = None
        """The last hot one."""
        self._waited: asyncio.Future[None] | None = None
        """What it waits for."""
        self._full = False
        """The client is slower than we: no further request until it has caught up."""
        self._held = False
        """We have paused reading."""
        self._since = server.second
        self._fields: Fields | None = None
        """The headers of the last hot request, for which `_client` holds: a player sends them again."""
        self._client: str | None = None
        self._began = 0.0

    # asyncio.Protocol ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._waited = None
        self._rest = b""
        if self._application is not None:
            self._application.answered = None
            self._application.connection_lost(exc)

    def eof_received(self) -> None:
        if self._application is not None:
            self._application.eof_received()

    def data_received(self, data: bytes) -> None:
        if self._whole:
            assert self._application is not None
            self._application.data_received(data)
            return
        if not self._rest:
            self._since = self._server.second
            self._take(data)
        else:
            self._take(self._rest + data)

    def pause_writing(self) -> None:
        self._full = True
        self._since = self._server.second
        if self._application is not None:
            self._application.pause_writing()

    def resume_writing(self) -> None:
        self._full = False
        if self._application is not None:
            self._application.resume_writing()
        self._go_on()

    # Requests -----------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        """Deal with as many requests as can be, and keep the rest."""
        self._rest = b""
        while data:
            if self._body:
                piece, data = data[: self._body], data[self._body :]
                self._body -= len(piece)
                self._feed(piece)
                continue
            if self._busy or self._waited is not None or self._full or self._transport.is_closing():
                break
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                if not may_be_request(data):
                    self._hand_over(data)
                    return
                if len(data) > HEAD_LIMIT:
                    self._refuse(431, "The request's head is too long.")
                break
            if end > HEAD_LIMIT:
                self._refuse(431, "The request's head is too long.")
                break
            head, data = data[:end], data[end:]
            if self._answer(head):
                continue
            length = body_length(head)
            if length is None or not may_be_request(head):
                self._hand_over(head + data)
                return
            self._body, self._busy = length, True
            self._feed(head)
        self._rest = data
        if len(data) > AHEAD:
            self._held = True
            # aiohttp may have resumed it: it does at the end of each body.
            if self._transport.is_reading():
                self._transport.pause_reading()
        else:
            self._release()

    def _release(self) -> None:
        if self._held:
            self._held = False
            self._transport.resume_reading()

    def _answer(self, head: bytes) -> bool:
        """Answer a hot request now or later; False if it isn't one."""
        if len(head) > HOT_HEAD or not head.startswith(b"GET /hls/"):
            return False
        request = hot_request(head)
        if request is None:
            return False
        server = self._server
        if request.fields is not self._fields:
            self._fields = request.fields
            peer = self._transport.get_extra_info("peername")
            self._client = server.hot.client(str(peer[0]) if peer else "", request.fields)
        answer = server.hot.answer(request, self._client)
        if answer is None:
            return False
        if self._application is not None:
            self._application.keep_alive(True)  # ends aiohttp's own timer: the connection is in use
        if server.log is not None:
            self._began = self._loop.time()
        self._request = request
        if isinstance(answer, Answer):
            self._write(answer)
        else:
            self._waited = answer
            answer.add_done_callback(self._finish)
        return True

    def _finish(self, waited: asyncio.Future[None]) -> None:
        # The connection may have been lost, and its place in line is still called up.
        if waited is not self._waited or self._request is None:
            return
        self._waited = None
        try:
            answer = self._server.hot.finish(self._request, self._client, waited)
        except Exception:  # whatever it was: nobody must wait for an answer that will not come
            self._transport.abort()
            raise
        self._write(answer)
        self._go_on()

    def _write(self, answer: Answer) -> None:
        server, transport = self._server, self._transport
        status, pieces = answer
        server.counts[status] = server.counts.get(status, 0) + 1
        self._since = server.second
        if server.log is not None:
            path = self._request.path if self._request is not None else ""
            server.log(path, status, sum(map(len, pieces)), self._loop.time() - self._began)
        if len(pieces) == 1:
            transport.write(pieces[0])
        else:
            transport.writelines(pieces)
        if self._fields is not None and self._fields.close:
            transport.close()

    def _go_on(self) -> None:
        self._since = self._server.second
        if (self._rest or self._held) and not self._transport.is_closing():
            self._take(self._rest)

    def _refuse(self, status: int, detail: str) -> None:
        name = "request-timeout" if status == 408 else "bad-request"
        document = {"type": f"/problems/{name}", "title": detail, "status": status, "detail": detail}
        body = json.dumps(document).encode()
        headers = {
            "Content-Type": "application/problem+json",
            "Cache-Control": "no-store",
            "Connection": "close",
            "Content-Length": str(len(body)),
        }
        self._transport.write(response_head(status, headers) + b"\r\n" + body)
        self._transport.close()

    # aiohttp ------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        if self._application is None:
            self._application = self._server.application()
            self._application.answered = self._answered
            self._application.connection_made(self._transport)
        self._application.data_received(data)

    def _hand_over(self, data: bytes) -> None:
        self._whole = True
        self._release()
        self._feed(data)

    def _answered(self, keep: bool) -> None:
        if keep and not self._whole:
            self._busy = False
            self._go_on()

    # Time ---------------------------------------------------------------------------------------------

    def handle_second(self, second: int) -> None:
        """Ends what has been silent for too long; aiohttp and waiting reloads have deadlines of their own."""
        silent = second - self._since
        if self._whole:
            return
        if self._full:
            if silent > STALLED_S:
                self._transport.abort()
        elif self._busy or self._waited is not None:
            return
        elif self._rest:
            if silent > HEAD_S:
                self._refuse(408, f"The request did not come within {HEAD_S} s.")
        elif silent > IDLE_S:
            self._transport.close()

    def close(self) -> None:
        """End it, unless aiohttp is at work on it and will end it itself."""
        self._waited = None
        if not (self._busy or self._whole):
            self._transport.close()
