"""The server's connections: what isn't HTTP at all is refused with a problem document, too."""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from signaling.http.errors import problem_response
from signaling.problems import problem

__all__ = ["Runner"]


class _Connection(RequestHandler):
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


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # The one way to give aiohttp 3 another connection class: Application makes the server itself.
        server.__class__ = _Server
        return server
