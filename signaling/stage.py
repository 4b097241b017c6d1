"""Stages: who may enter, who is on stage, and what the owner decides about them.

Doors to a stage are the gateway (a page), WHIP with an invite, and WHIP with the stream key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mixer.layout import Host, LayoutError, check_layout, parse_layout
from sfu.events import StageChanged, StreamEvent
from sfu.host import StageHost
from sfu.node import Sfu
from sfu.participant import Participant
from sfu.publisher import PublishGrant
from sfu.resource import as_problems
from sfu.stage import NotOnStage, Stage
from signaling.auth.secrets import REENTRY
from signaling.clock import Clock
from signaling.invitations import Invitations
from signaling.models import (
    HostAudio,
    HostTrack,
    HostVideo,
    Layout,
    StageParticipant,
    StageView,
)
from signaling.problems import problem, sentence
from signaling.reentry import Known, Reentries
from signaling.stage_tiles import stage_tiles
from signaling.store.interfaces import Assets, Invites
from signaling.store.records import Invite, StreamRecord

__all__ = ["OWNER", "Entry", "Stages"]

log = logging.getLogger("spillway.stage")

OWNER = "owner"
"""The participant id of the owner's page."""
AWAY_S = 10.0
"""How long a host whose page lost its connection stays: a reload takes three seconds, Wi-Fi to LTE five."""


@dataclass(eq=False)
class Entry:
    """A host's page on stage."""

    stream_id: str
    host: StageHost
    reentry: str
    """What lets the same page in again, after its connection broke."""
    on_removed: Callable[[str], None]
    """Called with the reason when it is over and the page didn't ask for it."""
    away: asyncio.TimerHandle | None = None

    @property
    def participant(self) -> Participant:
        return self.host.participant


class Stages:
    """The stages of this node. ``on_change`` is called with the id of a stream whose stage has changed."""

    def __init__(self, sfu: Sfu, invites: Invites, assets: Assets, clock: Clock) -> None:
        self._sfu = sfu
        self._invitations = Invitations(invites, clock, self._check_room_for)
        self._assets = assets
        self._entries: dict[tuple[str, str], Entry] = {}
        self._reentries = Reentries()
        self._layouts: dict[str, dict[str, Any]] = {}
        self.on_change: Callable[[str], None] | None = None
        sfu.listeners.append(self._handle)

    @property
    def ice_servers(self) -> list[dict[str, object]]:
        """As RTCConfiguration takes them."""
        return [
            {"urls": each.url}
            | ({"username": each.username, "credential": each.credential} if each.username else {})
            for each in self._sfu.config.ice_servers
        ]

    def view(self, stream_id: str) -> StageView:
        wanted = self._layouts.get(stream_id, {"layout": "grid"})
        layout, stage = Layout.model_validate(wanted), self._stage(stream_id)
        if stage is None:
            return StageView(participants=[], layout=layout, tiles=[])
        hosts = [_participant(stage, each) for each in stage.hosts]
        return StageView(participants=hosts, layout=layout, tiles=stage_tiles(stage, parse_layout(wanted)))

    async def look(self, invite: str) -> tuple[str, str]:
        """The stream and the name (empty: free to choose) that an invite, or what was given for re-entry,
        stands for. Raises Problem for one that lets nobody in."""
        if invite.startswith(REENTRY):
            known = self._reentry(invite)
            return known.stream_id, known.name
        found = await self._invitations.look(invite)
        return found.stream_id, found.name

    async def authorize(self, invite: str) -> PublishGrant:
        """What an invite allows over WHIP. Raises Problem."""
        used = await self._invitations.use(invite, "whip")
        return PublishGrant(used.stream_id, used.participant_id, used.name or "Guest", program=False)

    async def enter_as_owner(
        self, stream: StreamRecord, name: str | None, on_removed: Callable[[str], None]
    ) -> Entry:
        """The owner's newest page takes over from an older one."""
        known = Known(stream.stream_id, OWNER, name or stream.broadcaster_name)
        return await self._enter(known, None, on_removed)

    async def enter_as_guest(self, invite: str, name: str | None, on_removed: Callable[[str], None]) -> Entry:
        """With an invite, or with what an earlier entry gave for re-entry. Raises Problem."""
        if invite.startswith(REENTRY):
            return await self._enter(self._reentry(invite), invite, on_removed)
        used = await self._invitations.use(invite, "page")
        known = Known(used.stream_id, used.participant_id, used.name or name or "Guest")
        return await self._enter(known, None, on_removed)

    def reentered_as_owner(self, invite: str | None) -> str | None:
        """The stream whose owner's entry this was given for re-entry to: only they come back with it."""
        known = None if invite is None else self._reentries.of(invite)
        return known.stream_id if known is not None and known.participant_id == OWNER else None

    def handle_away(self, entry: Entry) -> None:
        """Its page's connection is lost."""
        if entry.away is None and not entry.participant.closed:
            loop = asyncio.get_running_loop()
            entry.away = loop.call_later(AWAY_S, self._gone, entry)

    async def leave(self, entry: Entry, reason: str = "stopped") -> None:
        """Idempotent."""
        if entry.away is not None:
            entry.away.cancel()
        key = (entry.stream_id, entry.participant.participant_id)
        if self._entries.get(key) is entry:
            del self._entries[key]
        await entry.host.leave(reason)

    async def remove(self, stream_id: str, participant_id: str, reason: str = "removed") -> None:
        """Off the stage, and no way back with what let them in. Raises Problem."""
        stream = self._sfu.router.get(stream_id)
        if stream is None or participant_id not in [each.participant_id for each in stream.stage.hosts]:
            raise problem("host-not-found", "No host on this stage has this id.")
        self._reentries.end(stream_id, participant_id)
        await self._invitations.delete_of(stream_id, participant_id)
        entry = self._entries.get((stream_id, participant_id))
        if entry is not None:
            await self.leave(entry, reason)
            entry.on_removed(reason)
        elif (publisher := stream.publisher(participant_id)) is not None:
            await publisher.close(reason)

    def sign_out(self, entry: Entry) -> None:
        """Its page has lost the account that made it the owner's; what an invite let in stays."""
        if entry.participant.participant_id == OWNER:
            self._reentries.end(entry.stream_id, OWNER)
            self._sfu.tasks.spawn(self.leave(entry, "signed-out"), "leave the stage, signed out")
            entry.on_removed("signed-out")

    async def revoke(self, stream_id: str, invite: str) -> None:
        """The invite ends; who has entered with it leaves. Raises Problem."""
        known = await self._invitations.delete(stream_id, invite)
        stage = self._stage(stream_id)
        if stage is not None and known.participant_id in [each.participant_id for each in stage.hosts]:
            await self.remove(stream_id, known.participant_id, "revoked")

    def control(
        self,
        stream_id: str,
        participant_id: str,
        *,
        audio_muted: bool | None,
        video_muted: bool | None,
        gain_db: float | None,
    ) -> StageParticipant:
        """Raises Problem."""
        stage = self._stage(stream_id)
        try:
            if stage is None:
                raise NotOnStage(participant_id)
            stage.control(participant_id, audio_muted=audio_muted, video_muted=video_muted, gain_db=gain_db)
            return _participant(stage, stage.host(participant_id))
        except NotOnStage:
            raise problem("host-not-found", "No host on this stage has this id.") from None

    async def set_layout(self, stream_id: str, layout: Layout) -> None:
        """Raises Problem for one that can't be shown, or names nobody who is there or no image there is."""
        wanted = layout.model_dump(exclude_none=True)
        stage = self._stage(stream_id)
        hosts = [] if stage is None else [Host(h.participant_id, h.name) for h in stage.hosts]
        try:
            spec = parse_layout(wanted)
            check_layout(spec, hosts)
        except LayoutError as error:
            raise problem("bad-layout", sentence(error), code=error.code) from None
        if spec.assets and not spec.assets <= {each.asset_id for each in await self._assets.of(stream_id)}:
            raise problem("bad-layout", "The stream has no image of this id.", code="layout-asset")
        self._layouts[stream_id] = wanted
        if stage is not None:
            stage.set_layout(wanted)

    def assets_shown(self, stream_id: str) -> frozenset[str]:
        """Ids of the images that the layout names."""
        return parse_layout(self._layouts.get(stream_id, {})).assets

    def forget(self, stream_id: str) -> None:
        """The stream was deleted: who is on its stage leaves, and nobody comes back."""
        self._layouts.pop(stream_id, None)
        self._reentries.end(stream_id)
        for key, entry in list(self._entries.items()):
            if key[0] == stream_id:
                self._sfu.tasks.spawn(self.leave(entry, "deleted"), "leave a deleted stream")

    async def _enter(self, known: Known, reentry: str | None, on_removed: Callable[[str], None]) -> Entry:
        key = (known.stream_id, known.participant_id)
        while (entry := self._entries.get(key)) is not None:
            if reentry is not None and not entry.participant.closed:
                # the same page again: its media may never have stopped
                if entry.away is not None:
                    entry.away.cancel()
                    entry.away = None
                entry.on_removed = on_removed
                return entry
            await self.leave(entry, "replaced")
            entry.on_removed("replaced")
        stream = self._sfu.router.open(known.stream_id)
        owner = known.participant_id == OWNER
        self._check_room(stream.stage, known.participant_id, owner=owner)
        try:
            participant = stream.join(
                "host", participant_id=known.participant_id, name=known.name, owner=owner
            )
        except ValueError:
            raise problem("invite-used", "Who entered with this invite is on stage.") from None
        entry = Entry(
            known.stream_id,
            StageHost(self._sfu, participant),
            self._reentries.give(known, reentry),
            on_removed,
        )
        self._entries[key] = entry
        return entry

    def _reentry(self, secret: str) -> Known:
        known = self._reentries.of(secret)
        if known is None:
            raise problem("wrong-invite", "This entry is over. Ask for another invite.")
        return known

    def _check_room_for(self, invite: Invite) -> None:
        if (stage := self._stage(invite.stream_id)) is not None:
            self._check_room(stage, invite.participant_id, owner=False)

    def _check_room(self, stage: Stage, participant_id: str, *, owner: bool) -> None:
        with as_problems():
            stage.check_room(owner=owner, participant_id=participant_id)

    def _stage(self, stream_id: str) -> Stage | None:
        stream = self._sfu.router.get(stream_id)
        return stream.stage if stream is not None and not stream.closed else None

    def _gone(self, entry: Entry) -> None:
        entry.away = None
        self._sfu.tasks.spawn(self.leave(entry, "away"), "leave the stage")

    def _handle(self, event: StreamEvent) -> None:
        if not isinstance(event, StageChanged):
            return
        stage, layout = self._stage(event.stream_id), self._layouts.get(event.stream_id)
        if stage is not None and layout is not None and stage.layout != layout:
            stage.set_layout(layout)
        if self.on_change is not None:
            self.on_change(event.stream_id)


def _participant(stage: Stage, host: Participant) -> StageParticipant:
    controls = stage.controls(host.participant_id)
    return StageParticipant(
        participant_id=host.participant_id,
        name=host.name,
        role="owner" if host.owner else "co-host",
        audio=HostAudio(muted=controls.audio_muted, gain_db=controls.gain_db),
        video=HostVideo(muted=controls.video_muted),
        tracks=[
            HostTrack(track_id=str(t.track_id), kind=t.kind, source=t.source, flowing=t.flowing)
            for t in host.tracks.values()
        ],
        speaking=host.participant_id in stage.speaking,
    )
