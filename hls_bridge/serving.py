"""Puts an aiohttp application and the hot path behind one listening socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

from aiohttp import web

from hls_bridge.application_connection import ApplicationConnection
from hls_bridge.connection import HttpServer, Log
from hls_bridge.hot_path import HotPath

__all__ = ["Runner", "serve_http"]

BACKLOG = 4096
"""Connections that may wait to be accepted: when a stream begins, all its viewers come at once. What finds no
place tries again after 1, 3, 7 s (RFC 6298), however soon there is one. Bounded by net.core.somaxconn."""


class _Server(web.Server):
    connection: type[ApplicationConnection]

    def __call__(self) -> ApplicationConnection:
        return self.connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner, with connections that can stand behind a `Connection`."""

    connection: ClassVar[type[ApplicationConnection]] = ApplicationConnection

    def make_connection(self) -> ApplicationConnection:
        assert isinstance(self.server, _Server), "not set up"
        return self.server()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # The one way to give aiohttp 3 another connection class: Application makes the server itself.
        server.__class__ = _Server
        assert isinstance(server, _Server)
        server.connection = self.connection
        return server


@contextlib.asynccontextmanager
async def serve_http(
    runner: Runner,
    hot: HotPath,
    listener: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
    count: Callable[[int, int], None] | None = None,
    log: Log | None = None,
) -> AsyncIterator[None]:
    """Serves until the end of the block. ``runner`` is set up before, and cleaned up after it."""
    server = HttpServer(hot, runner.make_connection, count=count, log=log)
    try:
        listening = await asyncio.get_running_loop().create_server(
            server, sock=listener, ssl=tls, backlog=BACKLOG
        )
        try:
            yield
        finally:
            listening.close()
    finally:
        server.close()
