"""aiohttp's side of a connection whose hot requests are answered without it (`connection.py`)."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

__all__ = ["ApplicationConnection"]


class ApplicationConnection(RequestHandler):
    """aiohttp's side of a connection; says when a response is out and the next request may come."""

    answered: Callable[[bool], None] | None = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        response, reset = await super().finish_response(request, resp, start_time)
        if self.answered is not None:
            self.answered(bool(response.keep_alive) and not reset)
        return response, reset
