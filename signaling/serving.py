"""Answers HTTP requests on the node's socket."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from hls_bridge.origin import Origin
from signaling.http.access_log import AccessLogger
from signaling.http.connections import Runner, with_hot_path
from signaling.http.headers import SecurityHeaders
from signaling.listening import BACKLOG
from signaling.metrics import Metrics

__all__ = ["serving"]

DRAIN_S = 3.0
"""How long requests under way may take at the end."""


@contextlib.asynccontextmanager
async def serving(
    app: web.Application,
    listener: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    origin: Origin | None,
    headers: SecurityHeaders,
    metrics: Metrics,
    access_log: bool,
    goodbye: Callable[[], Awaitable[None]],
) -> AsyncIterator[None]:
    """``origin``: its HLS players are answered without the application. ``goodbye`` comes when nobody new is
    let in, before requests under way are waited for."""
    log = logging.getLogger("spillway.access") if access_log else None
    runner = Runner(
        app, access_log_class=AccessLogger, access_log=log, shutdown_timeout=DRAIN_S, handle_signals=False
    )
    async with contextlib.AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(goodbye)
        if origin is None:
            await web.SockSite(runner, listener, ssl_context=tls, backlog=BACKLOG).start()
        else:
            hot = with_hot_path(
                runner, origin, listener, tls=tls, headers=headers, metrics=metrics, access_log=log
            )
            await stack.enter_async_context(hot)
        yield
