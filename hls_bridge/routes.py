"""The origin's HTTP routes."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hls_bridge.origin import Gone, NotFound, Origin, TooFarAhead, clocks
from hls_bridge.responses import media, playlist, preflight, problem, refusal
from hls_bridge.track import Rendered
from hls_bridge.waiting import Overdue
from sfu.bearer import bearer
from sfu.problem import Problem

__all__ = ["BLOCKED", "PLAIN", "SKIPS", "routes"]

BLOCKED = "public, max-age=6"
"""The answer to one (msn, part) never changes for the worse; a cache needs a positive age to coalesce."""
PLAIN = "public, max-age=1"
SKIPS = ("YES", "v2")
"""Values of _HLS_skip; there are no date ranges to skip."""
_PART = re.compile(r"(\d{1,12})\.(\d{1,4})\.m4s")
_SEGMENT = re.compile(r"(\d{1,12})\.m4s")
_INIT = re.compile(r"init-\d{1,9}\.mp4")


def routes(origin: Origin) -> list[web.RouteDef]:
    """Master playlists under the contract's URLs; everything else under ``/hls``, where an edge fits.

    ``/hls/{stream_id}/...`` is public, or for who sends a bearer token;
    ``/hls/t/{token}/{stream_id}/...`` carries a viewer's token, which relative URIs keep;
    ``/hls/p/{stream_id}/...`` is for an edge that has checked the token and says so with ``X-Edge-Key``,
    so that all viewers of a private stream share one cache key.
    """
    handlers = _Handlers(origin)
    return [
        web.get("/api/v1/streams/{stream_id}/manifest.m3u8", handlers.manifest),
        web.get("/api/v1/streams/{stream_id}/dvr.m3u8", handlers.dvr),
        web.get("/api/v1/streams/{stream_id}/t/{token}/manifest.m3u8", handlers.manifest),
        web.get("/api/v1/streams/{stream_id}/t/{token}/dvr.m3u8", handlers.dvr),
        # One route, taken apart by hand: aiohttp would try a regular expression for each of twenty.
        web.get("/hls/{rest:.*}", handlers.hls),
        web.options("/hls/{rest:.*}", preflight),
    ]


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path names."""

    stream_id: str
    prefix: str
    token: str | None = None
    edge: bool = False


class _Handlers:
    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    async def hls(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.split("/")[2:]
        match parts:
            case ["auth", token, stream_id]:
                return await self._auth(stream_id, token)
            case ["t", token, stream_id, *rest]:
                target = _Target(stream_id, ".", token)
            case ["p", stream_id, *rest]:
                target = _Target(stream_id, ".", edge=True)
            case [stream_id, *rest]:
                target = _Target(stream_id, ".")
            case _:
                return problem(404, "not-found", "no such file")
        match rest:
            case [session, track, file] | [session, "dvr", track, file] if not file.endswith(".m3u8"):
                return await self._guarded(request, target, self._file(request, target, session, track, file))
            case [session, name] if name.endswith(".m3u8"):
                answer = self._media_playlist(request, target, session, name[:-5])
                return await self._guarded(request, target, answer)
            case [session, "dvr", name] if name.endswith(".m3u8"):
                answer = self._dvr_playlist(request, target, session, name[:-5])
                return await self._guarded(request, target, answer)
            case ["manifest.m3u8"]:
                return await self._guarded(request, target, self._manifest(request, target))
            case ["dvr.m3u8"]:
                return await self._guarded(request, target, self._dvr(request, target))
        return problem(404, "not-found", "no such file")

    async def manifest(self, request: web.Request) -> web.StreamResponse:
        target = _named(request)
        return await self._guarded(request, target, self._manifest(request, target))

    async def dvr(self, request: web.Request) -> web.StreamResponse:
        target = _named(request)
        return await self._guarded(request, target, self._dvr(request, target))

    async def _auth(self, stream_id: str, token: str) -> web.StreamResponse:
        """For the edge: 204 if this token may watch this stream, else 403."""
        try:
            allowed = await self._origin.may_watch(stream_id, token)
        except Problem:  # an unknown stream: nginx takes any other status for a fault of ours
            allowed = False
        return web.Response(status=204 if allowed else 403, headers={"Cache-Control": "private, max-age=10"})

    async def _manifest(self, request: web.Request, target: _Target) -> web.StreamResponse:
        text = await self._origin.master(target.stream_id, target.prefix)
        return playlist(request, Rendered.of(text), PLAIN)

    async def _dvr(self, request: web.Request, target: _Target) -> web.StreamResponse:
        stream_id, archive = target.stream_id, self._origin.archive
        broadcast = self._origin.broadcast(stream_id)
        live = broadcast is not None and not broadcast.live.ended
        session = broadcast.session if broadcast is not None and live else None
        if session is None and archive is not None:
            await archive.catch_up()
            session = archive.last_session(stream_id)
        if session is None:
            raise await self._origin.absence(stream_id)
        if archive is None:
            raise NotFound("there is no recording of this stream")
        text = archive.master(session, f"{target.prefix}/{session}/dvr/")
        if text is None and not live:
            raise await self._origin.absence(stream_id)
        if text is None:
            raise NotFound("nothing has been recorded yet")
        return playlist(request, Rendered.of(text), PLAIN)

    async def _media_playlist(
        self, request: web.Request, target: _Target, session: str, name: str
    ) -> web.StreamResponse:
        msn, part, skip = _number(request, "_HLS_msn"), _number(request, "_HLS_part"), _skip(request)
        if msn == -1 or part == -1 or (part is not None and msn is None):
            return problem(400, "bad-delivery-directive", "_HLS_msn and _HLS_part are decimal numbers")
        rendered = await self._origin.media_playlist(target.stream_id, session, name, msn, part, skip=skip)
        self._count(request, target)
        return playlist(request, rendered, BLOCKED if msn is not None else PLAIN)

    async def _dvr_playlist(
        self, request: web.Request, target: _Target, session: str, name: str
    ) -> web.StreamResponse:
        msn = _number(request, "_HLS_msn")
        if msn == -1:
            return problem(400, "bad-delivery-directive", "_HLS_msn is a decimal number")
        skip = _skip(request)
        rendered = await self._origin.recorded_playlist(target.stream_id, session, name, msn, skip=skip)
        self._count(request, target)
        return playlist(request, rendered, BLOCKED if msn is not None else PLAIN)

    async def _file(
        self, request: web.Request, target: _Target, session: str, track: str, file: str
    ) -> web.StreamResponse:
        content_type = "audio/mp4" if track == "sound" else "video/mp4"
        stream_id = target.stream_id
        if part := _PART.fullmatch(file):
            data = await self._origin.part(stream_id, session, track, int(part[1]), int(part[2]))
        elif segment := _SEGMENT.fullmatch(file):
            data = await self._origin.segment(stream_id, session, track, int(segment[1]))
        elif _INIT.fullmatch(file):
            data = await self._origin.init(stream_id, session, f"{track}/{file}")
        else:
            raise NotFound("no such file")
        return media(request, data, content_type)

    def _count(self, request: web.Request, target: _Target) -> None:
        broadcast = self._origin.broadcast(target.stream_id)
        # Behind an edge every request has its address: the edge's log is counted instead.
        if broadcast is not None and "Via" not in request.headers:
            agent = request.headers.get("User-Agent", "")
            broadcast.viewers.request(self._origin.client_key(request.remote or "", agent), clocks()[0])

    async def _guarded(
        self, request: web.Request, target: _Target, answer: Coroutine[Any, Any, web.StreamResponse]
    ) -> web.StreamResponse:
        try:
            refused = await self._refusal(request, target)
            return await answer if refused is None else refused
        except (NotFound, Gone, TooFarAhead, Overdue) as error:
            return refusal(error)
        finally:
            answer.close()

    async def _refusal(self, request: web.Request, target: _Target) -> web.Response | None:
        if target.edge:
            if not self._origin.is_edge(request.headers.get("X-Edge-Key", "")):
                return problem(403, "edge-only", "this path is for the edge")
        elif not await self._origin.may_watch(target.stream_id, target.token or bearer(request)):
            return problem(403, "private-stream", "this stream needs a valid playback token")
        return None


def _named(request: web.Request) -> _Target:
    """The stream, and the token if there is one, of a path under ``/api/v1/streams``."""
    stream_id, token = request.match_info["stream_id"], request.match_info.get("token")
    prefix = f"/hls/{stream_id}" if token is None else f"/hls/t/{token}/{stream_id}"
    return _Target(stream_id, prefix, token)


def _skip(request: web.Request) -> bool:
    return request.query.get("_HLS_skip") in SKIPS


def _number(request: web.Request, name: str) -> int | None:
    """A delivery directive: None if absent, -1 if it is no number."""
    text = request.query.get(name)
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
