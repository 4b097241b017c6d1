"""What lets a host's page come on stage again after its connection broke: a secret, given at every entry."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from signaling.auth.secrets import REENTRY, hash_secret, new_secret

__all__ = ["Known", "Reentries"]

REMEMBERED = 10_000
LONGEST = 128
"""Ours are 35 characters; what is longer isn't looked up."""


@dataclass(frozen=True, slots=True)
class Known:
    """Whoever has entered."""

    stream_id: str
    participant_id: str
    name: str


class Reentries:
    """Kept in memory: a node that starts anew has empty stages."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        """By the hash of what was given."""

    def give(self, known: Known, before: str | None) -> str:
        """A secret for who has entered; ``before``: what they have entered with, which stays theirs."""
        secret = before or new_secret(REENTRY)
        self._known[hash_secret(secret)] = known
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return secret

    def of(self, secret: str) -> Known | None:
        if not secret.startswith(REENTRY) or len(secret) > LONGEST:
            return None
        return self._known.get(hash_secret(secret))

    def end(self, stream_id: str, participant_id: str | None = None) -> None:
        """What they were given (None: all of the stream) lets nobody in from here on."""
        for key, known in list(self._known.items()):
            if known.stream_id == stream_id and participant_id in (None, known.participant_id):
                del self._known[key]
