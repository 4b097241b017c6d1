"""WHIP (RFC 9725): publishing by one POST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from sfu.bearer import bearer
from sfu.node import Sfu
from sfu.problem import Problem
from sfu.program import Slot
from sfu.publisher import Publisher, PublishGrant, publish
from sfu.resource import (
    as_problems,
    bind_resource,
    created,
    no_content,
    read_body,
    session_routes,
)

__all__ = ["Authorize", "whip_routes"]

Authorize = Callable[[str], Awaitable[PublishGrant]]
"""From a stream key or invite to what it allows; raises Problem (401) for one that is unknown."""

SLOTS: dict[str, Slot] = {"primary": "primary", "backup": "backup"}


def whip_routes(sfu: Sfu, authorize: Authorize) -> list[web.RouteDef]:
    """``POST /whip`` and ``/whip/{stream_key}`` (``?slot=primary|backup``), and the session resources
    ``/whip/sessions/{session_id}``. Problems are raised; the application renders them."""

    async def post(request: web.Request) -> web.StreamResponse:
        key = request.match_info.get("stream_key") or bearer(request)
        if not key:
            raise Problem(
                "unauthorized",
                401,
                "Unauthorized",
                "A stream key is needed as Bearer token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        slot = SLOTS.get(request.query.get("slot", "primary"))
        if slot is None:
            raise Problem("bad-slot", 400, "Bad slot", "slot is primary or backup.")
        offer = await read_body(request, "application/sdp", "Accept-Post")
        try:
            with as_problems():
                session = await publish(sfu, partial(authorize, key), slot, offer)
        except Problem as problem:
            if problem.status == 401:
                problem.headers.setdefault("WWW-Authenticate", 'Bearer error="invalid_token"')
            raise
        session.transport.tell_of_shutdown()
        location = f"/whip/sessions/{session.session_id}"
        return created(session, session.answer(), location, sfu.config.ice_servers)

    accept = {"Accept-Post": "application/sdp"}
    return [
        *session_routes("/whip/sessions/{session_id}", sfu.sessions, Publisher),
        *bind_resource("/whip", {"POST": post}, accept, read=no_content),
        *bind_resource("/whip/{stream_key}", {"POST": post}, accept, read=no_content),
    ]
