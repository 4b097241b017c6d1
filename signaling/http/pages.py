"""The web app: one page for all its paths, and its assets, whose names hold a hash of what they are."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from signaling.problems import CATALOGUE, problem

__all__ = ["PAGES", "STATIC", "Pages"]

STATIC = Path(__file__).parents[1] / "static"
"""Where the pages are built to."""

PAGES = ("/", "/watch/{stream_id}", "/studio", "/studio/{stream_id}", "/dashboard")
FOREVER = "public, max-age=31536000, immutable"
ASK = "no-cache"

MISSING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Spillway</title>
<h1>The pages are not built</h1>
<p>This node serves its API, WHIP and WHEP; its web pages are missing.
Build them with <code>make run</code>, or <code>npm run build</code> in <code>web/</code>.</p></html>
"""


class Pages:
    """Serves what web/ built into ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = folder / "index.html"

    @property
    def built(self) -> bool:
        return self._index.is_file()

    def routes(self) -> list[web.RouteDef]:
        return [
            *(web.get(path, self._page) for path in PAGES),
            web.get("/problems/{name}", _problem_page),
            web.get(r"/assets/{file:[\w.-]+}", self._asset),
            web.get(r"/{file:[\w-]+\.(?:svg|png|ico|webmanifest|txt|js)}", self._file),
        ]

    @web.middleware
    async def missing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A person's browser gets the app where there is nothing, and the app says so."""
        try:
            return await handler(request)
        except web.HTTPNotFound:
            asks = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")
            if not asks or not self.built or request.path.startswith("/api/"):
                raise
        page = self._index.read_bytes()
        return web.Response(status=404, body=page, content_type="text/html", charset="utf-8")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if not self.built:
            if "text/html" in request.headers.get("Accept", ""):
                return web.Response(status=503, text=MISSING, content_type="text/html")
            raise problem("pages-not-built", "This node has no web pages; its API works.")
        return web.FileResponse(
            self._index, headers={"Cache-Control": ASK, "Content-Type": "text/html; charset=utf-8"}
        )

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        return self._send(self._folder / "assets" / request.match_info["file"], FOREVER)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._send(self._folder / request.match_info["file"], ASK)

    def _send(self, path: Path, cache: str) -> web.StreamResponse:
        # The route's pattern lets no slash in, so the path can't leave the folder.
        if path.name.startswith(".") or not path.is_file():
            raise problem("not-found", "No file of this name.")
        return web.FileResponse(path, headers={"Cache-Control": cache})


async def _problem_page(request: web.Request) -> web.Response:
    """What a problem type means: RFC 9457 wants its URI to lead somewhere."""
    kind = CATALOGUE.get(request.match_info["name"])
    if kind is None:
        raise problem("not-found", "No problem type of this name.")
    return web.Response(text=f"{kind.title} ({kind.status})\n\n{kind.meaning}\n")
