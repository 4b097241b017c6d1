"""What WHIP and WHEP share over HTTP (RFC 9725 section 4): bodies, session resources, CORS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from aiohttp import web

from sfu.config import IceServer
from sfu.problem import Problem
from sfu.sdp.codecs import NoCommonCodec
from sfu.sdp.fragment import parse_fragment
from sfu.sdp.offer import SdpError
from sfu.session import Session, SessionGone, Sessions
from sfu.stage import StageFull

__all__ = [
    "as_problems",
    "bind_resource",
    "created",
    "find_session",
    "no_content",
    "open_to_all",
    "options",
    "read_body",
    "session_routes",
]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
S = TypeVar("S", bound=Session)

MAX_SDP = 64 * 1024
"""Chromium's offer of two m-lines is 7.7 kB; a stage of 16 hosts stays below."""
BODY_S = 10.0
"""An offer of 64 kB in ten seconds is what a phone on a bad line still sends."""
FRAGMENT = "application/trickle-ice-sdpfrag"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After, Accept-Patch, Accept-Post, Allow",
}


def open_to_all(handler: Handler) -> Handler:
    """CORS for every origin, on refusals too: nothing here relies on cookies."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Problem as problem:
            problem.headers = {**CORS, **problem.headers}
            raise
        response.headers.update(CORS)
        return response

    return handle


async def read_body(request: web.Request, content_type: str, accept_header: str, limit: int = MAX_SDP) -> str:
    """The body as text; Problem 415, 413 or 400."""
    if request.content_type != content_type:
        raise Problem(
            "unsupported-media-type",
            415,
            "Unsupported media type",
            f"The body must be {content_type}.",
            headers={accept_header: content_type},
        )
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > limit:
                    raise Problem(
                        "body-too-large", 413, "Body too large", f"At most {limit} bytes are taken."
                    )
    except TimeoutError:
        raise Problem(
            "request-timeout", 408, "The body took too long", f"The body did not come within {BODY_S:.0f} s."
        ) from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Problem("bad-sdp", 400, "Bad SDP", "The body is not UTF-8.") from None


@contextmanager
def as_problems(**members: object) -> Iterator[None]:
    """Turns what negotiation refuses into Problems: ``bad-sdp``, ``stage-full``, and ``no-common-codec``
    with further ``members``."""
    try:
        yield
    except SdpError as error:
        raise Problem("bad-sdp", 400, "Bad SDP", str(error)) from error
    except StageFull as error:
        raise Problem(
            "stage-full", 409, "The stage is full", "No host more fits on the stage.", limit=error.limit
        ) from error
    except NoCommonCodec as error:
        refusal = Problem("no-common-codec", 406, "No common codec", str(error))
        refusal.members = {
            "kind": error.kind,
            "offered": list(error.offered),
            "accepted": list(error.accepted),
            **members,
        }
        raise refusal from error


def created(session: Session, answer: str, location: str, ice_servers: tuple[IceServer, ...]) -> web.Response:
    """201 as RFC 9725 section 4.2 asks."""
    response = web.Response(status=201, text=answer, content_type="application/sdp")
    # RFC 8866 knows no charset parameter, and some encoders compare the header as a whole
    response.headers["Content-Type"] = "application/sdp"
    response.headers["Location"] = location
    response.headers["ETag"] = session.etag
    response.headers["Accept-Patch"] = FRAGMENT
    for server in ice_servers:
        response.headers.add("Link", server.link())
    return response


def options(methods: str, extra: Mapping[str, str] | None = None) -> Handler:
    """OPTIONS: what may be posted here (RFC 9725 section 4.2 names 200), and CORS preflight."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=200,
            headers={
                "Allow": methods,
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
                "Access-Control-Max-Age": "86400",
                **(extra or {}),
            },
        )

    return open_to_all(handle)


def bind_resource(
    path: str,
    handlers: Mapping[str, Handler],
    extra: Mapping[str, str] | None = None,
    *,
    read: Handler | None = None,
) -> list[web.RouteDef]:
    """Routes of one path: the handlers, GET and HEAD by ``read``, OPTIONS; 405 with Allow for the rest."""
    methods = ", ".join([*handlers, *(["GET", "HEAD"] if read else []), "OPTIONS"])

    async def refuse(request: web.Request) -> web.StreamResponse:
        if read is not None and request.method in ("GET", "HEAD"):
            return await read(request)
        raise Problem(
            "method-not-allowed",
            405,
            "Method not allowed",
            f"{request.method} is not answered here.",
            headers={"Allow": methods},
        )

    routes = [web.route(method, path, open_to_all(handler)) for method, handler in handlers.items()]
    routes.append(web.route("OPTIONS", path, options(methods, extra)))
    routes.append(web.route("*", path, open_to_all(refuse)))
    return routes


async def no_content(_: web.Request) -> web.StreamResponse:
    """GET of what has no representation (RFC 9725 section 4.1)."""
    return web.Response(status=204)


def find_session(sessions: Sessions, request: web.Request, kind: type[S]) -> S:
    """The session of ``{session_id}``; Problem 404, or 410 with the reason of its end."""
    try:
        session = sessions.get(request.match_info["session_id"])
    except SessionGone as gone:
        if gone.reason:
            raise Problem(
                "session-closed",
                410,
                "Session closed",
                f"The session has ended: {gone.reason}.",
                reason=gone.reason,
            ) from None
        session = None
    if not isinstance(session, kind):
        raise Problem("session-not-found", 404, "Session not found")
    return session


def session_routes(
    path: str, sessions: Sessions, kind: type[Session], more: Mapping[str, Handler] | None = None
) -> list[web.RouteDef]:
    """PATCH and DELETE of a session resource at ``path``, which has ``{session_id}``."""

    async def patch(request: web.Request) -> web.StreamResponse:
        session = find_session(sessions, request, kind)
        body = await read_body(request, FRAGMENT, "Accept-Patch")
        condition = request.headers.get("If-Match")
        if condition is None:
            raise Problem(
                "if-match-required", 428, "If-Match required", "Send the session's ETag, or * to restart ICE."
            )
        # RFC 9110 section 13.1.1; RFC 9725 section 4.3.3 restarts ICE with If-Match: *
        tags = [tag.strip() for tag in condition.split(",")]
        if condition.strip() != "*" and session.etag not in tags:
            raise Problem("etag-mismatch", 412, "ETag mismatch", "The ICE session is another one by now.")
        try:
            fragment = parse_fragment(body)
        except SdpError as error:
            raise Problem("bad-fragment", 422, "Bad SDP fragment", str(error)) from error
        if fragment.ice is None or fragment.ice == session.transport.remote:
            # trickled candidates: an ICE-lite agent waits to be reached (RFC 8445 section 2.5)
            return web.Response(status=204)
        text = session.restart_ice(fragment.ice)
        response = web.Response(status=200, text=text, content_type=FRAGMENT)
        response.headers["Content-Type"] = FRAGMENT
        response.headers["ETag"] = session.etag
        return response

    async def delete(request: web.Request) -> web.StreamResponse:
        session_id = request.match_info["session_id"]
        if not await sessions.stop_after_bye(session_id, kind):
            await find_session(sessions, request, kind).close("stopped")
            # which may have been closing already, because of the goodbye
            await sessions.stop_after_bye(session_id, kind)
        return web.Response(status=200)

    async def read(request: web.Request) -> web.StreamResponse:
        find_session(sessions, request, kind)
        return await no_content(request)

    handlers = {"PATCH": patch, "DELETE": delete}
    routes = bind_resource(path, handlers, {"Accept-Patch": FRAGMENT}, read=read)
    for suffix, handler in (more or {}).items():
        routes += bind_resource(f"{path}/{suffix}", {"PUT": handler})
    return routes
