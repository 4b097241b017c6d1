"""Invites to a stage: made, looked at, used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sfu.problem import Problem
from signaling.auth.secrets import INVITE, hash_secret, new_id, new_secret
from signaling.clock import Clock
from signaling.problems import problem
from signaling.store.interfaces import InviteExpired, Invites, InviteUsed
from signaling.store.records import Door, Invite

__all__ = ["Invitations", "new_invite", "wrong_invite"]

LONGEST = 128


class Invitations:
    """``check_room`` is called with the invite that is about to be used; it raises Problem for no room."""

    def __init__(self, invites: Invites, clock: Clock, check_room: Callable[[Invite], None]) -> None:
        self._invites = invites
        self._clock = clock
        self._check_room = check_room

    async def look(self, invite: str) -> Invite:
        """One that would let a page in now, if there is room. Raises Problem; nothing is used by it."""
        known = await self._known(invite)
        if known.used_from is not None:
            raise _used()
        if known.expires_at <= self._clock.now():
            raise _expired()
        return known

    async def use(self, invite: str, door: Door) -> Invite:
        """Raises Problem: wrong, expired or used, or no room; an invite that finds no room stays unused."""
        self._check_room(await self._known(invite))
        try:
            used = await self._invites.use(hash_secret(invite), door, self._clock.now())
        except InviteUsed:
            raise _used() from None
        except InviteExpired:
            raise _expired() from None
        if used is None:
            raise wrong_invite()
        return used

    async def delete(self, stream_id: str, invite: str) -> Invite:
        """Gives what it was. Raises Problem where the stream has no such invite."""
        known = await self._invites.get(hash_secret(invite))
        if known is None or known.stream_id != stream_id:
            raise problem("invite-not-found", "The stream has no such invite.")
        await self._invites.delete(hash_secret(invite))
        return known

    async def delete_of(self, stream_id: str, participant_id: str) -> None:
        """Whatever lets this participant in."""
        await self._invites.delete_of(stream_id, participant_id)

    async def _known(self, invite: str) -> Invite:
        known = await self._invites.get(hash_secret(invite)) if len(invite) <= LONGEST else None
        if known is None:
            raise wrong_invite()
        return known


def new_invite(stream_id: str, name: str | None, clock: Clock, ttl_s: float) -> tuple[str, Invite]:
    """The secret and what is stored of it."""
    expires_at = clock.now().replace(microsecond=0) + timedelta(seconds=ttl_s)
    return new_secret(INVITE), Invite(stream_id, new_id(), name or "", expires_at)


def wrong_invite() -> Problem:
    return problem("wrong-invite", "This is not, or no longer, an invite. Ask whoever sent it for another.")


def _used() -> Problem:
    return problem("invite-used", "Somebody has entered with this invite. Ask for another one.")


def _expired() -> Problem:
    return problem("invite-expired", "This invite was not used in time. Ask for another one.")
