"""``join`` and ``leave``; those who joined get ``stream``, ``playback``, ``viewers`` and ``notice``."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import StringConstraints

from sfu.problem import Problem
from signaling.auth.identity import Identity
from signaling.clock import Clock
from signaling.fields import Request
from signaling.gateway.client import Client
from signaling.gateway.gateway import Gateway
from signaling.http.passes import Passes
from signaling.links import Links, Listeners
from signaling.models import Viewers
from signaling.seat_calls import SeatCalls
from signaling.store.records import Audience, StreamRecord
from signaling.views import Views

__all__ = ["JoinRequest", "StreamEvents"]

VIEWERS_S = 0.5
"""Viewer counts of a stream go out at most twice a second, however many come and go."""


class JoinRequest(Request):
    stream_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class StreamEvents:
    """A ``Listener`` of the live streams that tells the gateway's clients."""

    def __init__(
        self,
        gateway: Gateway,
        identity: Identity,
        views: Views,
        passes: Passes,
        seats: SeatCalls,
        listeners: Listeners,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._identity = identity
        self._views = views
        self._passes = passes
        self._seats = seats
        self._listeners = listeners
        self._clock = clock
        self._counts: dict[str, Audience] = {}
        gateway.on("join", JoinRequest, self._join)
        gateway.on("leave", None, self._leave)

    async def _join(self, client: Client, request: JoinRequest) -> Mapping[str, object]:
        await self._gateway.judge(client)
        stream = await self._identity.watched(request.stream_id, client.rights(request.stream_id))
        if client.stream_id != stream.stream_id:
            self._gateway.leave(client)
        self._gateway.enter(client, stream.stream_id, owner=client.visitor.owns(stream))
        return {"stream": self._stream(client, stream), "playback": self._playback(client, stream, None)}

    async def _leave(self, client: Client, _: None) -> Mapping[str, object]:
        self._gateway.leave(client)
        return {}

    def stream_changed(self, stream: StreamRecord) -> None:
        for clients in self._alike(stream):
            allowed = [each for each in clients if each.may_watch(stream)]
            if allowed:
                self._gateway.send(allowed, "stream", self._stream(allowed[0], stream))
                full = self._seats.full(stream.stream_id)
                self._gateway.send(allowed, "playback", self._playback(allowed[0], stream, full))
            refused = [each for each in clients if not each.may_watch(stream)]
            self._dismiss(refused, "private-stream", "This stream is private now.")

    def playback_changed(self, stream: StreamRecord) -> None:
        full = self._seats.full(stream.stream_id)
        for clients in self._alike(stream):
            self._gateway.send(clients, "playback", self._playback(clients[0], stream, full))

    def stream_deleted(self, stream_id: str) -> None:
        self._counts.pop(stream_id, None)
        self._dismiss(self._gateway.members(stream_id), "stream-deleted", "This stream was deleted.")

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None:
        owners = [each for each in self._gateway.members(stream_id) if each.owner]
        self._gateway.send(owners, "notice", {"type": reason, "text": text})

    def audience_changed(self, stream_id: str, audience: Audience) -> None:
        self._counts[stream_id] = audience

    async def run(self) -> None:
        """Send viewer counts until cancelled."""
        while True:
            await asyncio.sleep(VIEWERS_S)
            self.flush_viewers()

    async def judge(self) -> None:
        """Sign out whose account token has ended, dismiss whoever may watch no longer."""
        await self._gateway.judge_accounts()
        now = self._clock.now()
        for client in self._gateway.joined():
            if client.doubted or (client.visitor.until is not None and client.visitor.until <= now):
                await self._judge(client)

    async def _judge(self, client: Client) -> None:
        await self._gateway.judge(client)
        stream_id = client.stream_id
        if stream_id is None:
            return
        client.doubted = False
        try:
            await self._identity.watched(stream_id, client.rights(stream_id))
        except Problem as refusal:
            if client.stream_id == stream_id:
                self._dismiss([client], refusal.name, "You may watch this stream no longer.")
        except Exception:  # a store that fails for a moment: they are judged the next time
            client.doubted = True
            raise

    def flush_viewers(self) -> None:
        counts, self._counts = self._counts, {}
        for stream_id, audience in counts.items():
            members = self._gateway.members(stream_id)
            self._gateway.send(members, "viewers", Viewers.of(audience).model_dump())

    def _dismiss(self, clients: list[Client], reason: str, text: str) -> None:
        self._gateway.send(clients, "notice", {"type": reason, "text": text})
        for client in clients:
            self._gateway.leave(client)

    def _stream(self, client: Client, stream: StreamRecord) -> Mapping[str, object]:
        return self._views.stream(stream, self._links(client)).model_dump(mode="json")

    def _playback(self, client: Client, stream: StreamRecord, full: bool | None) -> Mapping[str, object]:
        token = self._passes.token(stream, client.visitor, client.playback_token)
        return self._views.playback(stream, self._links(client), token, full=full).model_dump(mode="json")

    def _alike(self, stream: StreamRecord) -> Iterable[list[Client]]:
        """The stream's clients by what they are sent: alike but for host and, where needed, token."""
        alike: defaultdict[tuple[str, str | None], list[Client]] = defaultdict(list)
        for client in self._gateway.members(stream.stream_id):
            private = stream.visibility == "private"
            token = client.playback_token or ("owner" if client.owner else None) if private else None
            alike[client.base_url, token].append(client)
        return alike.values()

    def _links(self, client: Client) -> Links:
        return Links(client.base_url, self._listeners)
