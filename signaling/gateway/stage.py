"""``stage:look``, ``stage:enter``, ``publish``, ``unpublish``, ``subscribe``, ``stage:leave``.

Hosts get ``stage``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import StringConstraints

from sfu.host_subscriber import ReceivedTrack
from sfu.resource import as_problems
from signaling.auth.identity import Identity
from signaling.fields import Name, Request
from signaling.gateway.client import Client
from signaling.gateway.gateway import Gateway
from signaling.problems import problem
from signaling.stage import Entry, Stages
from signaling.store.records import StreamRecord

__all__ = ["EnterRequest", "LookRequest", "PublishRequest", "StageEvents", "SubscribeRequest"]

STAGE_S = 0.1
"""Hosts hear of their stage at most ten times a second, however many speak at once."""

Sdp = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]
Source = Literal["camera", "microphone", "screen", "screen-audio"]


class EnterRequest(Request):
    invite: Annotated[str, StringConstraints(max_length=128)] | None = None
    name: Name | None = None


class LookRequest(Request):
    invite: Annotated[str, StringConstraints(max_length=128)]


class PublishRequest(Request):
    sdp: Sdp
    sources: dict[str, Source] | None = None
    """By mid; without it the first of a kind is camera or microphone, the second of the screen."""


class SubscribeRequest(Request):
    sdp: Sdp


class StageEvents:
    def __init__(self, gateway: Gateway, identity: Identity, stages: Stages) -> None:
        self._gateway = gateway
        self._identity = identity
        self._stages = stages
        self._entries: dict[str, Entry] = {}
        """By the client's sid."""
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        gateway.on("stage:look", LookRequest, self._look)
        gateway.on("stage:enter", EnterRequest, self._enter)
        gateway.on("publish", PublishRequest, self._publish)
        gateway.on("unpublish", None, self._unpublish)
        gateway.on("subscribe", SubscribeRequest, self._subscribe)
        gateway.on("stage:leave", None, self._leave)
        gateway.on_leave(self._client_left)
        gateway.on_sign_out(self._signed_out)
        stages.on_change = self._stage_changed

    async def run(self) -> None:
        """Tell hosts of their stages until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(STAGE_S)
            self.flush()

    def flush(self) -> None:
        changed, self._changed = self._changed, set()
        for stream_id in changed:
            members = self._gateway.members(stream_id)
            told = [each for each in members if each.owner or each.sid in self._entries]
            if told:
                view = self._stages.directions.view(stream_id).model_dump(mode="json", exclude_none=True)
                self._gateway.send(told, "stage", view)

    async def _look(self, client: Client, request: LookRequest) -> Mapping[str, object]:
        """Whose stage an invite is for, before a camera is asked for."""
        stream_id, name = await self._stages.look(request.invite)
        stream = await self._identity.stream(stream_id)
        return {
            "stream_id": stream_id,
            "title": stream.title,
            "broadcaster_name": stream.broadcaster_name,
            "name": name or None,
        }

    async def _enter(self, client: Client, request: EnterRequest) -> Mapping[str, object]:
        def removed(reason: str) -> None:
            self._removed(client, reason)

        before = self._entries.get(client.sid)
        if before is not None and request.invite != before.reentry:
            await self._leave(client, None)
        owned = await self._stages.reentered_as_owner(request.invite)
        if owned is not None:
            await self._check_owner(client, owned)
        if request.invite is not None:
            entry = await self._stages.enter_as_guest(request.invite, request.name, removed)
        else:
            entry = await self._enter_as_owner(client, request, removed)
        if not self._gateway.connected(client):
            # gone while the store answered
            self._stages.handle_away(entry)
            return {}
        if not client.owner:
            client.stage_id = entry.stream_id
        if client.stream_id != entry.stream_id:
            self._gateway.leave(client)
            self._gateway.enter(client, entry.stream_id, owner=False)
        self._entries[client.sid] = entry
        return {
            "participant_id": entry.participant.participant_id,
            "stream_id": entry.stream_id,
            "reentry": entry.reentry,
            "ice_servers": self._stages.ice_servers,
            "stage": self._stages.directions.view(entry.stream_id).model_dump(mode="json", exclude_none=True),
        }

    async def _enter_as_owner(
        self, client: Client, request: EnterRequest, removed: Callable[[str], None]
    ) -> Entry:
        if client.stream_id is None:
            raise problem("not-on-stage", "Join the stream first, or enter with an invite.")
        stream = await self._check_owner(client, client.stream_id)
        return await self._stages.enter_as_owner(stream, request.name, removed)

    async def _check_owner(self, client: Client, stream_id: str) -> StreamRecord:
        stream = await self._identity.watched(stream_id, client.visitor)
        if not client.visitor.owns(stream):
            raise problem("forbidden", "Only the owner of the stream enters without an invite.")
        return stream

    async def _publish(self, client: Client, request: PublishRequest) -> Mapping[str, object]:
        entry = self._entry(client)
        with as_problems():
            return {"sdp": await entry.host.publish(request.sdp, request.sources)}

    async def _unpublish(self, client: Client, _: None) -> Mapping[str, object]:
        await self._entry(client).host.unpublish()
        return {}

    async def _subscribe(self, client: Client, request: SubscribeRequest) -> Mapping[str, object]:
        entry = self._entry(client)
        with as_problems():
            sdp, received = await entry.host.subscribe(request.sdp)
        return {"sdp": sdp, "tracks": _by_mid(received)}

    async def _leave(self, client: Client, _: None) -> Mapping[str, object]:
        entry = self._entries.pop(client.sid, None)
        if entry is not None:
            client.leave_stage()
            await self._stages.leave(entry)
        return {}

    def _entry(self, client: Client) -> Entry:
        entry = self._entries.get(client.sid)
        if entry is None or entry.participant.closed:
            raise problem("not-on-stage", "Send `stage:enter` first.")
        return entry

    def _client_left(self, client: Client, stream_id: str) -> None:
        entry = self._entries.get(client.sid)
        if entry is not None and entry.stream_id == stream_id:
            del self._entries[client.sid]
            client.leave_stage()
            # the page may be back on another connection before this one's end was noticed
            if entry not in self._entries.values():
                self._stages.handle_away(entry)

    def _signed_out(self, client: Client) -> None:
        entry = self._entries.get(client.sid)
        if entry is not None:
            self._stages.sign_out(entry)

    def _removed(self, client: Client, reason: str) -> None:
        if self._entries.pop(client.sid, None) is not None:
            client.leave_stage()
            texts = {
                "replaced": "You entered from another page.",
                "removed": "The owner took you off the stage.",
                "revoked": "The owner revoked your invite.",
                "signed-out": "You have been signed out.",
            }
            notice = {"type": f"stage-{reason}", "text": texts.get(reason, "The stage has closed.")}
            self._gateway.send([client], "notice", notice)

    def _stage_changed(self, stream_id: str) -> None:
        self._changed.add(stream_id)
        self._wake.set()


def _by_mid(received: Mapping[str, ReceivedTrack]) -> dict[str, dict[str, str]]:
    return {
        mid: {"participant_id": each.participant_id, "kind": each.kind, "source": each.source}
        for mid, each in received.items()
    }
