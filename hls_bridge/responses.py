"""What all HLS answers have in common: CORS, caching, gzip, ranges, problems."""

from __future__ import annotations

import json
import re

from aiohttp import web
from multidict import CIMultiDict

from hls_bridge.errors import Gone, NotFound, NotLive, TooFarAhead
from hls_bridge.track import Rendered
from hls_bridge.waiting import Overdue

__all__ = [
    "CORS",
    "IMMUTABLE",
    "TITLES",
    "media",
    "media_headers",
    "parse_range",
    "playlist",
    "playlist_parts",
    "preflight",
    "problem",
    "refusal",
    "unsatisfiable",
]

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Date, Age",
}
IMMUTABLE = "public, max-age=86400, immutable"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
TITLES = {
    "bad-delivery-directive": "Bad delivery directive",
    "edge-only": "For the edge",
    "not-found": "Nothing here",
    "overdue": "Overdue",
    "private-stream": "A private stream",
    "range-not-satisfiable": "Range not satisfiable",
    "recording-not-found": "Recording not found",
    "stream-ended": "Stream ended",
    "stream-not-live": "Stream not live",
    "too-far-ahead": "Too far ahead",
}
"""As in the node's catalogue of problems."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def playlist(request: web.Request, rendered: Rendered, cache_control: str) -> web.Response:
    """A playlist, gzipped when the client takes that and it is long enough to pay."""
    gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    headers, body = playlist_parts(rendered, cache_control, gzip=gzip)
    return web.Response(body=body, headers=headers)


def playlist_parts(rendered: Rendered, cache_control: str, *, gzip: bool) -> tuple[CIMultiDict[str], bytes]:
    """Headers and body of a playlist for a client that takes gzip or not."""
    headers = CIMultiDict(CORS)
    headers["Cache-Control"] = cache_control
    headers["Content-Type"] = PLAYLIST_TYPE
    if rendered.gzipped is None:
        return headers, rendered.plain
    headers["Vary"] = "Accept-Encoding"
    if not gzip:
        return headers, rendered.plain
    headers["Content-Encoding"] = "gzip"
    return headers, rendered.gzipped


def media_headers(content_type: str, cache_control: str = IMMUTABLE) -> CIMultiDict[str]:
    """Headers of bytes that never change and of which ranges may be had."""
    headers = CIMultiDict(CORS)
    headers["Cache-Control"] = cache_control
    headers["Content-Type"] = content_type
    headers["Accept-Ranges"] = "bytes"
    return headers


def media(
    request: web.Request, body: bytes, content_type: str, cache_control: str = IMMUTABLE
) -> web.Response:
    """Bytes that never change; one byte range is honoured (RFC 9110 section 14)."""
    headers = media_headers(content_type, cache_control)
    wanted = parse_range(request, len(body))
    if wanted is None:
        return web.Response(body=body, headers=headers)
    first, last = wanted
    if first > last:
        return unsatisfiable(len(body))
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return web.Response(status=206, body=body[first : last + 1], headers=headers)


def parse_range(request: web.Request, size: int) -> tuple[int, int] | None:
    """(first, last) of a single byte range; first > last: not satisfiable; None: the whole thing."""
    wanted = _RANGE.match(request.headers.get("Range", ""))
    if wanted is None or wanted.groups() == ("", ""):
        return None
    first_text, last_text = wanted.groups()
    if not first_text:
        return max(0, size - int(last_text)), size - 1
    first = int(first_text)
    if last_text and int(last_text) < first:
        return None  # invalid: to be ignored (RFC 9110 section 14.1.1)
    last = min(int(last_text), size - 1) if last_text else size - 1
    return (1, 0) if first >= size else (first, last)


def problem(status: int, name: str, detail: str, *, retry_after_s: int | None = None) -> web.Response:
    """RFC 9457. Errors that will heal may be cached for a second, so that a herd doesn't reach the origin."""
    headers = CIMultiDict(CORS)
    headers["Cache-Control"] = "public, max-age=1" if status in (404, 410) else "no-store"
    headers["Content-Type"] = "application/problem+json"
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    body = {"type": f"/problems/{name}", "title": TITLES[name], "status": status, "detail": detail}
    return web.Response(status=status, headers=headers, body=json.dumps(body).encode())


def refusal(error: NotFound | Gone | TooFarAhead | Overdue) -> web.Response:
    """What the origin could not give, as a problem document."""
    match error:
        case Gone():
            return problem(410, "stream-ended", str(error))
        case NotFound():
            name = "stream-not-live" if isinstance(error, NotLive) else "not-found"
            return problem(404, name, str(error))
        case TooFarAhead():
            return problem(400, "too-far-ahead", str(error))
        case _:
            return problem(503, "overdue", "the stream is late", retry_after_s=2)


def unsatisfiable(size: int) -> web.Response:
    """416 (RFC 9110 section 15.5.17) for something of ``size`` bytes."""
    refusal = problem(416, "range-not-satisfiable", f"There are {size} bytes.")
    refusal.headers["Content-Range"] = f"bytes */{size}"
    return refusal


async def preflight(_: web.Request) -> web.Response:
    """CORS preflight: Range is the one header a player may add."""
    return web.Response(
        status=204,
        headers={
            **CORS,
            "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
            "Access-Control-Allow-Headers": "Range, Content-Type",
            "Access-Control-Max-Age": "86400",
        },
    )
