"""The origin's HTTP routes."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from hls_bridge.live import Rendered
from hls_bridge.origin import Gone, NotFound, Origin, TooFarAhead, clocks
from hls_bridge.responses import media, playlist, preflight, problem
from hls_bridge.waiting import Overdue

__all__ = ["routes"]

BLOCKED = "public, max-age=6"
"""The answer to one (msn, part) never changes for the worse; a cache needs a positive age to coalesce."""
PLAIN = "public, max-age=1"
PRIVATE = "private, max-age=1"
_PART = re.compile(r"(\d{1,12})\.(\d{1,4})\.m4s$")
_SEGMENT = re.compile(r"(\d{1,12})\.m4s$")
_INIT = re.compile(r"init-\d{1,9}\.mp4$")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(origin: Origin) -> list[web.RouteDef]:
    """Master playlists under the contract's URLs; everything else under ``/hls``, where an edge fits.

    ``/hls/{stream_id}/...`` is public; ``/hls/t/{token}/{stream_id}/...`` carries a viewer's token, which
    relative URIs keep; ``/hls/p/{stream_id}/...`` is for an edge that has checked the token and says so with
    ``X-Edge-Key``, so that all viewers of a private stream share one cache key.
    """
    handlers = _Handlers(origin)
    out: list[web.RouteDef] = [
        web.get("/api/v1/streams/{stream_id}/manifest.m3u8", handlers.manifest),
        web.get("/api/v1/streams/{stream_id}/dvr.m3u8", handlers.dvr),
        web.get("/hls/auth/{token}/{stream_id}", handlers.auth),
    ]
    for prefix in ("/hls/t/{token}", "/hls/{edge:p}", "/hls"):
        base = prefix + "/{stream_id}"
        out += [
            web.get(base + "/manifest.m3u8", handlers.manifest),
            web.get(base + "/dvr.m3u8", handlers.dvr),
            web.get(base + "/{session}/{name}.m3u8", handlers.media_playlist),
            web.get(base + "/{session}/dvr/{name}.m3u8", handlers.dvr_playlist),
            web.get(base + "/{session}/dvr/{track}/{file}", handlers.file),
            web.get(base + "/{session}/{track}/{file}", handlers.file),
        ]
    out.append(web.options("/hls/{rest:.*}", preflight))
    return out


class _Handlers:
    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    async def auth(self, request: web.Request) -> web.StreamResponse:
        """For the edge: 204 if this token may watch this stream, else 403."""
        allowed = await self._origin.may_watch(request.match_info["stream_id"], request.match_info["token"])
        return web.Response(status=204 if allowed else 403, headers={"Cache-Control": "private, max-age=10"})

    async def manifest(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            text = await self._origin.master(request.match_info["stream_id"], _prefix(request))
            return playlist(request, Rendered.of(text), PLAIN)

        return await self._guarded(request, answer)

    async def dvr(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            stream_id, archive = request.match_info["stream_id"], self._origin.archive
            broadcast = self._origin.broadcast(stream_id)
            live = broadcast is not None and not broadcast.live.ended
            session = broadcast.session if broadcast is not None and live else None
            if session is None and archive is not None:
                session = archive.last_session(stream_id)
            if session is None or archive is None:
                raise NotFound("there is no recording of this stream")
            text = archive.master(session, f"{_prefix(request)}/{session}/dvr/")
            if text is None:
                raise NotFound("nothing has been recorded yet")
            return playlist(request, Rendered.of(text), PLAIN)

        return await self._guarded(request, answer)

    async def media_playlist(self, request: web.Request) -> web.StreamResponse:
        info = request.match_info
        msn, part = _number(request, "_HLS_msn"), _number(request, "_HLS_part")
        if msn == -1 or part == -1 or (part is not None and msn is None):
            return problem(400, "bad-delivery-directive", "_HLS_msn and _HLS_part are decimal numbers")
        skip = request.query.get("_HLS_skip") in ("YES", "v2")

        async def answer() -> web.StreamResponse:
            rendered = await self._origin.media_playlist(
                info["stream_id"], info["session"], info["name"], msn, part, skip=skip
            )
            self._count(request)
            return playlist(request, rendered, BLOCKED if msn is not None else PLAIN)

        return await self._guarded(request, answer)

    async def dvr_playlist(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            info, archive = request.match_info, self._origin.archive
            broadcast = self._origin.broadcast(info["stream_id"])
            live = broadcast is not None and broadcast.session == info["session"] and not broadcast.live.ended
            skip = request.query.get("_HLS_skip") in ("YES", "v2")
            rendered = (
                archive.playlist(info["session"], info["name"], ended=not live, skip=skip)
                if archive
                else None
            )
            if rendered is None:
                raise NotFound("there is no recording of this rendition")
            self._count(request)
            return playlist(request, rendered, PLAIN)

        return await self._guarded(request, answer)

    async def file(self, request: web.Request) -> web.StreamResponse:
        info = request.match_info
        stream_id, session, track, file = info["stream_id"], info["session"], info["track"], info["file"]
        content_type = "audio/mp4" if track == "sound" else "video/mp4"

        async def answer() -> web.StreamResponse:
            if part := _PART.match(file):
                data = await self._origin.part(stream_id, session, track, int(part[1]), int(part[2]))
            elif segment := _SEGMENT.match(file):
                data = await self._origin.segment(stream_id, session, track, int(segment[1]))
            elif _INIT.match(file):
                data = await self._origin.init(stream_id, session, f"{track}/{file}")
            else:
                raise NotFound("no such file")
            return media(request, data, content_type)

        return await self._guarded(request, answer)

    def _count(self, request: web.Request) -> None:
        broadcast = self._origin.broadcast(request.match_info["stream_id"])
        # Behind an edge every request has its address: the edge's log is counted instead.
        if broadcast is not None and "Via" not in request.headers:
            agent = request.headers.get("User-Agent", "")
            broadcast.viewers.request(self._origin.client_key(request.remote or "", agent), clocks()[0])

    async def _guarded(
        self, request: web.Request, answer: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        info = request.match_info
        if "edge" in info:
            key, given = self._origin.edge_key, request.headers.get("X-Edge-Key", "")
            if key is None or not hmac.compare_digest(key.encode(), given.encode()):
                return problem(403, "edge-only", "this path is for the edge")
        elif not await self._origin.may_watch(info["stream_id"], info.get("token")):
            return problem(403, "not-authorized", "this stream needs a valid playback token")
        try:
            return await answer()
        except NotFound as error:
            name = "stream-not-live" if "not live" in str(error) else "not-found"
            return problem(404, name, str(error))
        except Gone as error:
            return problem(410, "stream-ended", str(error))
        except TooFarAhead as error:
            return problem(400, "too-far-ahead", str(error))
        except Overdue:
            return problem(503, "overdue", "the stream is late", retry_after_s=2)


def _prefix(request: web.Request) -> str:
    """What goes before the session in a master playlist; relative, it keeps a viewer's token in every URI."""
    if request.path.startswith("/hls/"):
        return "."
    return f"/hls/{request.match_info['stream_id']}"


def _number(request: web.Request, name: str) -> int | None:
    """A delivery directive: None if absent, -1 if it is no number."""
    text = request.query.get(name)
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
