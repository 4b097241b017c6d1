"""What lets a host's page come on stage again after its connection broke: a secret, given at every entry."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta

from signaling.auth.secrets import REENTRY, hash_secret, new_secret
from signaling.clock import Clock
from signaling.store.interfaces import ReentryStore, StoreFull
from signaling.store.records import KnownHost

__all__ = ["Reentries"]

REMEMBERED = 10_000
LONGEST = 128
"""Ours are 35 characters; what is longer isn't looked up."""
KEPT = timedelta(days=7)
"""From the last entry; a show is over by then, and so is what is left of a host who never said goodbye."""


class Reentries:
    """Of each host the newest: who has entered from another page comes back from there only.

    In memory, and in the store for a node that is started anew in the middle of a show."""

    def __init__(self, store: ReentryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, KnownHost] = {}
        """By the hash of what was given."""
        self._decided: OrderedDict[tuple[str, str], str | None] = OrderedDict()
        """What is newer than the store's: that hash by stream and participant, None where it has ended."""
        self._keeping = asyncio.Lock()

    def give(self, host: KnownHost, before: str | None) -> str:
        """A secret for who has entered; ``before``: what they have entered with, which stays theirs.

        To be followed by `keep`."""
        secret = before or new_secret(REENTRY)
        self._decide(host.stream_id, host.participant_id, hash_secret(secret))
        self._known[hash_secret(secret)] = host
        return secret

    async def keep(self, host: KnownHost, secret: str) -> None:
        async with self._keeping:
            if self._decided.get((host.stream_id, host.participant_id)) != hash_secret(secret):
                return  # they have entered anew, or left for good
            now = self._clock.now()
            # A full database, which the store tells, must not keep anyone from the stage.
            with suppress(StoreFull):
                await self._store.set(hash_secret(secret), host, now, now - KEPT)

    async def of(self, secret: str) -> KnownHost | None:
        if not secret.startswith(REENTRY) or len(secret) > LONGEST:
            return None
        wanted = hash_secret(secret)
        if wanted not in self._known:
            kept = await self._store.get(wanted, self._clock.now() - KEPT)
            if kept is not None and (kept.stream_id, kept.participant_id) not in self._decided:
                return kept
        return self._known.get(wanted)

    async def end(self, stream_id: str, participant_id: str) -> None:
        """What they were given lets nobody in from here on. Raises StoreFull where only this node knows."""
        self._decide(stream_id, participant_id, None)
        async with self._keeping:
            await self._store.delete(stream_id, participant_id)

    def ended(self, host: KnownHost) -> bool:
        return self._decided.get((host.stream_id, host.participant_id), "") is None

    def forget(self, stream_id: str) -> None:
        """The stream was deleted, and in the store all that was kept of it."""
        for key in [each for each in self._decided if each[0] == stream_id]:
            self._decide(*key, None)

    def _decide(self, stream_id: str, participant_id: str, reentry_hash: str | None) -> None:
        key = (stream_id, participant_id)
        before = self._decided.pop(key, None)
        if before is not None:
            self._known.pop(before, None)
        self._decided[key] = reentry_hash
        if len(self._decided) > REMEMBERED:
            _, oldest = self._decided.popitem(last=False)
            self._known.pop(oldest or "", None)
