"""CORS (WHATWG Fetch): open on WHIP, WHEP, HLS and public reads, closed on the rest.

Nothing here lives on cookies, so ``*`` gives a foreign page no more than its visitor's address would.
"""

from __future__ import annotations

from collections import defaultdict

from aiohttp import web

__all__ = ["Cors"]

EXPOSED = "Location, ETag, Link, Retry-After"
REQUEST_HEADERS = "Authorization, Content-Type, If-Match, If-None-Match, Range"
PREFLIGHT_S = 7200
"""Chrome's own upper limit."""


class Cors:
    """Knows which methods of which paths are open, and answers preflights."""

    def __init__(self) -> None:
        self._open: defaultdict[str, set[str]] = defaultdict(set)

    def open(self, method: str, path: str) -> None:
        self._open[path].add(method)

    def add_preflights(self, app: web.Application) -> None:
        """OPTIONS for every open path that has none of its own. To be called when all routes are there."""
        own = {r.resource.canonical for r in app.router.routes() if r.method == "OPTIONS" and r.resource}
        for path in self._open:
            if path not in own:
                app.router.add_route("OPTIONS", path, _no_content)

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        resource = request.match_info.route.resource
        methods = self._open.get(resource.canonical) if resource is not None else None
        if methods is None:
            return
        headers = response.headers
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Origin"] = "*"
            headers["Access-Control-Allow-Methods"] = ", ".join(sorted(methods | {"OPTIONS"}))
            headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
            headers["Access-Control-Expose-Headers"] = EXPOSED
        elif request.method in methods or (request.method == "HEAD" and "GET" in methods):
            headers["Access-Control-Allow-Origin"] = "*"
            headers["Access-Control-Expose-Headers"] = EXPOSED


async def _no_content(request: web.Request) -> web.Response:
    return web.Response(status=204)
