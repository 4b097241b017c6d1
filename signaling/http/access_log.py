"""The access log: no addresses, no query strings, no keys."""

from __future__ import annotations

import logging
import re

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

__all__ = ["AccessLogger", "log_access", "masked"]

# Who knows one of these segments may publish, watch, come on stage, or end a session.
SECRET_SEGMENT = re.compile(
    r"^(/whip(?:/sessions)?|/whep/sessions|/hls/(?:t|auth)"
    r"|/api/v1/streams/[^/]+/(?:t|invites)|/api/v1/recordings/[^/]+/t)/[^/]+"
)


def masked(path: str) -> str:
    """``path`` without its secrets."""
    return SECRET_SEGMENT.sub(r"\1/***", path.partition("?")[0])


class AccessLogger(AbstractAccessLogger):
    @property
    def enabled(self) -> bool:
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        log_access(self.logger, request.method, request.path, response.status, response.body_length, time)


def log_access(log: logging.Logger, method: str, path: str, status: int, size: int, seconds: float) -> None:
    log.info("%s %s %d %d B %.0f ms", method, masked(path), status, size, seconds * 1000)
