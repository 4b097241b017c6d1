"""WHEP (draft-ietf-wish-whep): watching by one POST."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sfu.bearer import bearer
from sfu.node import Sfu
from sfu.pending import TooManyPending
from sfu.problem import Problem
from sfu.resource import (
    as_problems,
    bind_resource,
    created,
    find_session,
    no_content,
    read_body,
    session_routes,
)
from sfu.seats import NoSeat
from sfu.viewer import StreamNotLive, UnknownEncoding, Viewer, watch

__all__ = ["Admit", "WatchGrant", "whep_routes"]


RETRY_AFTER_S = 3
"""draft-ietf-wish-whep section 4.2 wants one: OBS is back 2.6 s after its connection broke."""


@dataclass(frozen=True, slots=True)
class WatchGrant:
    """That somebody may watch."""

    stream_id: str
    manifest_url: str | None = None
    """Where the stream is to be had over HLS, told to whom gets no seat."""
    seats: int | None = None
    """Seats of this stream in place of the node's ``seats_per_stream``."""
    on_opened: Callable[[Viewer], None] | None = None
    """Called with the session, as soon as there is one."""


Admit = Callable[[str, str | None], Awaitable[WatchGrant]]
"""From stream id and bearer token to a grant; raises Problem: 404 ``stream-not-found``, 401, 403."""


def remote_of(request: web.Request) -> str:
    """The address of the connection."""
    return request.remote or ""


def whep_routes(
    sfu: Sfu, admit: Admit, client: Callable[[web.Request], str] = remote_of
) -> list[web.RouteDef]:
    """``POST /whep/{stream_id}`` and the session resources ``/whep/sessions/{session_id}`` with
    ``PUT .../encoding``. ``client`` tells whose request it is, for what an address may do. Problems are
    raised; the application renders them."""

    async def post(request: web.Request) -> web.StreamResponse:
        offer = await read_body(request, "application/sdp", "Accept-Post")
        grant = await admit(request.match_info["stream_id"], bearer(request))
        try:
            with as_problems(manifest_url=grant.manifest_url):
                session = await watch(sfu, grant.stream_id, offer, client(request), grant.seats)
        except StreamNotLive:
            raise Problem(
                "stream-not-live",
                409,
                "Stream not live",
                "Nobody publishes right now.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        except TooManyPending as error:
            raise Problem(
                "too-many-connections",
                429,
                "Too many connections",
                f"{error.limit} sessions of this address wait for their media path.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
                limit=error.limit,
                manifest_url=grant.manifest_url,
            ) from None
        except NoSeat:
            raise Problem(
                "no-seat",
                503,
                "No seat",
                "This node is too busy for another viewer; the stream is to be had over HLS."
                if sfu.seats.refusing
                else "Every WebRTC seat is taken; the stream is to be had over HLS.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
                manifest_url=grant.manifest_url,
            ) from None
        if grant.on_opened is not None:
            grant.on_opened(session)
        location = f"/whep/sessions/{session.session_id}"
        return created(session, session.answer(), location, sfu.config.ice_servers)

    async def encoding(request: web.Request) -> web.StreamResponse:
        session = find_session(sfu.sessions, request, Viewer)
        rid = _rid(await read_body(request, "application/json", "Accept", 1024))
        try:
            session.select_encoding(rid)
        except UnknownEncoding as error:
            raise Problem(
                "unknown-encoding", 400, "Unknown encoding", str(error), encodings=error.known
            ) from error
        return web.Response(status=204)

    return [
        *session_routes("/whep/sessions/{session_id}", sfu.sessions, Viewer, {"encoding": encoding}),
        *bind_resource(
            "/whep/{stream_id}", {"POST": post}, {"Accept-Post": "application/sdp"}, read=no_content
        ),
    ]


def _rid(body: str) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # no JSON, or a thousand brackets
        document = None
    rid = document.get("rid") if isinstance(document, dict) else None
    if not isinstance(rid, str):
        raise Problem("bad-request", 400, "Bad request", 'The body must be {"rid": "..."}.')
    return rid
