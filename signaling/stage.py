"""Stages: who may enter, who is on stage, and who must leave.

Doors to a stage are the gateway (a page), WHIP with an invite, and WHIP with the stream key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sfu.events import StageChanged, StreamEvent
from sfu.host import StageHost
from sfu.node import Sfu
from sfu.participant import Participant
from sfu.problem import Problem
from sfu.publisher import PublishGrant
from sfu.resource import as_problems
from sfu.stage import Stage
from signaling.auth.secrets import REENTRY
from signaling.clock import Clock
from signaling.direction import Directions
from signaling.invitations import Invitations
from signaling.problems import problem
from signaling.reentry import Reentries
from signaling.store.interfaces import Invites, ReentryStore, StoreFull
from signaling.store.records import Invite, KnownHost, StreamRecord

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

    def __init__(
        self, sfu: Sfu, directions: Directions, invites: Invites, reentries: ReentryStore, clock: Clock
    ) -> None:
        self._sfu = sfu
        self.directions = directions
        self._invitations = Invitations(invites, clock, self._check_room_for)
        self._entries: dict[tuple[str, str], Entry] = {}
        self._reentries = Reentries(reentries, clock)
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

    async def look(self, invite: str) -> tuple[str, str]:
        """The stream and the name (empty: free to choose) that an invite, or what was given for re-entry,
        stands for. Raises Problem for one that lets nobody in."""
        if invite.startswith(REENTRY):
            known = await self._reentry(invite)
            return known.stream_id, known.name
        found = await self._invitations.look(invite)
        return found.stream_id, found.name

    async def authorize(self, invite: str) -> PublishGrant:
        """What an invite allows over WHIP. Raises Problem."""
        used = await self._invitations.use(invite, "whip")
        await self.directions.recall(used.stream_id)
        guest = KnownHost(used.stream_id, used.participant_id, used.name or "Guest")
        if self._reentries.ended(guest):
            raise _over()  # while the store answered
        return PublishGrant(guest.stream_id, guest.participant_id, guest.name, program=False)

    async def enter_as_owner(
        self, stream: StreamRecord, name: str | None, on_removed: Callable[[str], None]
    ) -> Entry:
        """The owner's newest page takes over from an older one."""
        known = KnownHost(stream.stream_id, OWNER, name or stream.broadcaster_name)
        return await self._enter(known, None, on_removed)

    async def enter_as_guest(self, invite: str, name: str | None, on_removed: Callable[[str], None]) -> Entry:
        """With an invite, or with what an earlier entry gave for re-entry. Raises Problem."""
        if invite.startswith(REENTRY):
            return await self._enter(await self._reentry(invite), invite, on_removed)
        used = await self._invitations.use(invite, "page")
        known = KnownHost(used.stream_id, used.participant_id, used.name or name or "Guest")
        return await self._enter(known, None, on_removed)

    async def reentered_as_owner(self, invite: str | None) -> str | None:
        """The stream whose owner's entry this was given for re-entry to: only they come back with it."""
        known = None if invite is None else await self._reentries.of(invite)
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
        try:
            await self._end(stream_id, participant_id)
        finally:
            entry = self._entries.get((stream_id, participant_id))
            if entry is not None:
                await self.leave(entry, reason)
                entry.on_removed(reason)
            elif (publisher := stream.publisher(participant_id)) is not None:
                await publisher.close(reason)

    def sign_out(self, entry: Entry) -> None:
        """Its page has lost the account that made it the owner's; what an invite let in stays."""
        if entry.participant.participant_id == OWNER:
            self._sfu.tasks.spawn(self._sign_out(entry), "leave the stage, signed out")
            entry.on_removed("signed-out")

    async def revoke(self, stream_id: str, invite: str) -> None:
        """The invite ends; who has entered with it leaves. Raises Problem."""
        known = await self._invitations.delete(stream_id, invite)
        stage = self._stage(stream_id)
        if stage is not None and known.participant_id in [each.participant_id for each in stage.hosts]:
            await self.remove(stream_id, known.participant_id, "revoked")
        else:
            await self._end(stream_id, known.participant_id)

    def forget(self, stream_id: str) -> None:
        """The stream was deleted: who is on its stage leaves, and nobody comes back."""
        self.directions.forget(stream_id)
        self._reentries.forget(stream_id)
        for key, entry in list(self._entries.items()):
            if key[0] == stream_id:
                self._sfu.tasks.spawn(self.leave(entry, "deleted"), "leave a deleted stream")

    async def _enter(self, known: KnownHost, reentry: str | None, on_removed: Callable[[str], None]) -> Entry:
        await self.directions.recall(known.stream_id)
        owner = known.participant_id == OWNER
        if not owner and self._reentries.ended(known):
            raise _over()  # while the store answered
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
        try:
            await self._reentries.keep(known, entry.reentry)
        except BaseException:  # whatever it is: the page does not hear that it is on stage
            await self.leave(entry, "refused")
            raise
        return entry

    async def _end(self, stream_id: str, participant_id: str) -> None:
        """Nobody comes as this host again."""
        await self._reentries.end(stream_id, participant_id)
        await self.directions.forget_host(stream_id, participant_id)
        await self._invitations.delete_of(stream_id, participant_id)

    async def _sign_out(self, entry: Entry) -> None:
        try:
            # What is left in a full database is of no use without the account.
            with suppress(StoreFull):
                await self._reentries.end(entry.stream_id, OWNER)
        finally:
            await self.leave(entry, "signed-out")

    async def _reentry(self, secret: str) -> KnownHost:
        known = await self._reentries.of(secret)
        if known is None:
            raise _over()
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
        if isinstance(event, StageChanged) and self.on_change is not None:
            self.on_change(event.stream_id)


def _over() -> Problem:
    return problem("wrong-invite", "This entry is over. Enter anew, or ask for another invite.")
