"""The server's connections: what isn't HTTP at all is refused with a problem document, too."""

from __future__ import annotations

import logging
import socket
import ssl
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from hls_bridge import serving
from hls_bridge.application_connection import ApplicationConnection
from hls_bridge.hot_path import HotPath
from hls_bridge.origin import Origin
from signaling.http.access_log import log_access
from signaling.http.errors import problem_response
from signaling.http.headers import SecurityHeaders
from signaling.metrics import Metrics
from signaling.problems import problem

__all__ = ["Runner", "with_hot_path"]


class _Connection(ApplicationConnection):
    """aiohttp's own answer is text, and says which parser of which version could not read what."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)
        if status >= 500:
            refusal = problem("internal-error", "The fault is in the server's log.")
        else:
            refusal = problem("bad-request", "This is not an HTTP request.")
        response = problem_response(refusal)
        response.headers["Server"] = "spillway"
        response.force_close()
        return response


class Runner(serving.Runner):
    connection = _Connection


def with_hot_path(
    runner: Runner,
    origin: Origin,
    listener: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    headers: SecurityHeaders,
    metrics: Metrics,
    access_log: logging.Logger | None,
) -> AbstractAsyncContextManager[None]:
    """Serves the application, and what HLS players ask for all the time without it; to a client, and in
    metrics and logs, the two are one."""

    def count(status: int, number: int) -> None:
        metrics.requests.labels("GET", "/hls/{rest}", status).inc(number)

    def log(path: str, status: int, size: int, seconds: float) -> None:
        assert access_log is not None
        log_access(access_log, "GET", path, status, size, seconds)

    hot = HotPath(origin, headers.media)
    logged = access_log is not None and access_log.isEnabledFor(logging.INFO)
    return serving.serve_http(runner, hot, listener, tls=tls, count=count, log=log if logged else None)
