"""Events between clients and streams.

Other features add events of their own: ``gateway.on("chat", ChatMessage, self.chat)``. A handler gets the
client and the validated payload and returns the members of the acknowledgement; a Problem refuses. What a
client sends is never an exception here: the acknowledgement says what was wrong.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import socketio.exceptions
from aiohttp import web
from pydantic import BaseModel, ValidationError

from sfu.problem import Problem
from signaling.auth.identity import Identity, Visitor
from signaling.clock import Clock
from signaling.fields import Request
from signaling.gateway.client import Client
from signaling.gateway.transport import SocketLimits, SocketServer
from signaling.http.origin import Origins
from signaling.metrics import Metrics
from signaling.problems import insufficient_storage, problem, rate_limited
from signaling.store.interfaces import StoreFull

__all__ = ["Gateway", "Handshake"]

log = logging.getLogger("spillway.gateway")

QUEUE = 256
"""Packets that wait for a slow client: four minutes of viewer counts. Then it is dropped and reconnects."""
EVENT_BURST = 40
EVENTS_PER_S = 10.0
"""Per client: nobody clicks ten times a second for long; setting up a stage is a dozen events at once."""

SIGNED_OUT = "You have been signed out. Sign in again to go on as who you were."

Handler = Callable[[Client, Any], Awaitable[Mapping[str, object]]]


class Handshake(Request):
    """The ``auth`` of a connection; guests send none."""

    token: str | None = None
    playback_token: str | None = None


@dataclass(frozen=True, slots=True)
class _Event:
    payload: type[BaseModel] | None
    handler: Handler


class Gateway:
    """Clients, who is with which stream, and the events that they may send."""

    def __init__(
        self,
        identity: Identity,
        origins: Origins,
        metrics: Metrics,
        clock: Clock,
        *,
        limits: bool,
        sockets: SocketLimits,
    ) -> None:
        self._identity = identity
        self._origins = origins
        self._metrics = metrics
        self._clock = clock
        self._limits = limits
        self._server = SocketServer(sockets, origins.client)
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on("*", self._receive)
        self._events: dict[str, _Event] = {}
        self._clients: dict[str, Client] = {}
        self._rooms: defaultdict[str, dict[str, Client]] = defaultdict(dict)
        self._leave_hooks: list[Callable[[Client, str], None]] = []
        self._sign_out_hooks: list[Callable[[Client], None]] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/socket.io/", self._server.handle, allow_head=False)]

    def on(self, event: str, payload: type[BaseModel] | None, handler: Handler) -> None:
        """Take ``event`` from clients. ``payload`` None: it has none."""
        if event in self._events:
            raise ValueError(f"{event} has a handler")
        self._events[event] = _Event(payload, handler)

    def on_leave(self, hook: Callable[[Client, str], None]) -> None:
        """Called with the client and the stream that it leaves, whatever the reason."""
        self._leave_hooks.append(hook)

    def on_sign_out(self, hook: Callable[[Client], None]) -> None:
        """Called with a client whose account token has ended: they go on as a guest."""
        self._sign_out_hooks.append(hook)

    async def judge(self, client: Client) -> None:
        """Look at what they have shown once more: it may have ended since."""
        self._see(client, await self._identity.visitor(client.token, client.playback_token))

    async def judge_accounts(self) -> None:
        """Look at all account tokens once more: they may have expired, or been revoked anywhere."""
        signed_in = [each for each in self._clients.values() if each.visitor.account is not None]
        accounts = await self._identity.accounts_of({each.token for each in signed_in if each.token})
        for client in signed_in:
            if client.token not in accounts:
                self._see(client, replace(client.visitor, account=None))

    def _see(self, client: Client, visitor: Visitor) -> None:
        signed_out = client.visitor.account is not None and visitor.account is None
        if visitor != client.visitor:
            client.visitor, client.doubted = visitor, True
        if signed_out:
            client.token, client.owner = None, False
            for hook in self._sign_out_hooks:
                hook(client)
            self.send([client], "notice", {"type": "signed-out", "text": SIGNED_OUT})

    def connected(self, client: Client) -> bool:
        """Whether their connection has not ended meanwhile."""
        return self._clients.get(client.sid) is client

    def joined(self) -> list[Client]:
        """Whoever is with a stream."""
        return [client for room in self._rooms.values() for client in room.values()]

    def members(self, stream_id: str) -> list[Client]:
        return list(self._rooms.get(stream_id, {}).values())

    def enter(self, client: Client, stream_id: str, *, owner: bool) -> None:
        """Nothing for one who has gone while the store answered: they would stay for good."""
        if not self.connected(client):
            return
        client.stream_id, client.owner = stream_id, owner
        self._rooms[stream_id][client.sid] = client

    def leave(self, client: Client) -> None:
        """No matter whether it had joined anything."""
        stream_id, client.stream_id = client.stream_id, None
        if stream_id is None:
            return
        room = self._rooms[stream_id]
        room.pop(client.sid, None)
        if not room:
            del self._rooms[stream_id]
        for hook in self._leave_hooks:
            hook(client, stream_id)

    def send(self, clients: Iterable[Client], event: str, data: object) -> None:
        """One event to any number of clients, encoded once. Who can't keep up is cut off."""
        packets = self._server.encode(event, data)
        for client in clients:
            if self._server.put(client.eio_sid, packets) > QUEUE:
                client.cut_off()

    async def close(self) -> None:
        await self._server.close()

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
        request: web.Request = environ["aiohttp.request"]
        try:
            shown = Handshake.model_validate({} if auth is None else auth)
        except ValidationError:
            _refuse(
                problem("invalid-request", "auth is an object of token and playback_token, both optional.")
            )
        visitor = await self._identity.visitor(shown.token, shown.playback_token)
        if shown.token and visitor.account is None:
            _refuse(problem("unauthorized", "The token is wrong or has expired."))
        if shown.playback_token and visitor.stream_id is None:
            _refuse(problem("unauthorized", "The playback token is wrong or has expired."))
        eio_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        base_url = self._origins.base_url(request)
        client = Client(sid, eio_sid, request, visitor, shown.token, shown.playback_token, base_url)
        client.level, client.level_at_s = EVENT_BURST, self._clock.monotonic_s()
        self._clients[sid] = client
        self._server.welcome(request)

    async def _disconnect(self, sid: str, reason: str) -> None:
        client = self._clients.pop(sid, None)
        if client is not None:
            self.leave(client)

    async def _receive(self, event: str, sid: str, *data: object) -> Mapping[str, object]:
        known = self._events.get(event) if isinstance(event, str) else None
        try:
            answer = {"ok": True, **await self._handle(known, self._clients[sid], data)}
        except Problem as refusal:
            answer = {"ok": False, "problem": refusal.document()}
        except StoreFull:
            answer = {"ok": False, "problem": insufficient_storage().document()}
        except Exception:  # whatever it is: the client learns nothing of it, and stays connected
            log.exception("event %s failed", event if known else "(unknown)")
            answer = {
                "ok": False,
                "problem": problem("internal-error", "The fault is in the server's log.").document(),
            }
        self._metrics.gateway_events.labels(
            event if known else "unknown", "yes" if answer["ok"] else "no"
        ).inc()
        return answer

    async def _handle(
        self, event: _Event | None, client: Client, data: tuple[object, ...]
    ) -> Mapping[str, object]:
        if self._limits:
            self._spend(client)
        if event is None:
            raise problem("unknown-event", "The server knows no event of this name.")
        if event.payload is None:
            return await event.handler(client, None)
        if len(data) > 1:
            raise problem("invalid-request", "The event takes one object.", errors=[])
        try:
            # As over HTTP: nothing is an object without members.
            payload = event.payload.model_validate(data[0] if data else {})
        except ValidationError as error:
            errors = [
                {"pointer": "".join(f"/{part}" for part in each["loc"]), "detail": each["msg"]}
                for each in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            detail = f"{errors[0]['pointer'] or 'payload'}: {errors[0]['detail']}"
            raise problem("invalid-request", detail, errors=errors) from None
        return await event.handler(client, payload)

    def _spend(self, client: Client) -> None:
        now_s = self._clock.monotonic_s()
        level = min(EVENT_BURST, client.level + (now_s - client.level_at_s) * EVENTS_PER_S)
        client.level_at_s = now_s
        client.level = max(0.0, level - 1)
        if level < 1:
            raise rate_limited((1 - level) / EVENTS_PER_S)


def _refuse(refusal: Problem) -> None:
    raise socketio.exceptions.ConnectionRefusedError(refusal.detail, refusal.document())
