"""With what a request watches: its visitor, and the token that its URLs carry."""

from __future__ import annotations

from datetime import timedelta

from signaling.auth.identity import Identity, Visitor
from signaling.auth.playback_tokens import PLAYBACK_TOKEN, PlaybackTokens
from signaling.clock import Clock
from signaling.http.operation import Call
from signaling.store.records import Account, StreamRecord

__all__ = ["Passes"]

OWNERS_TTL = timedelta(hours=12)
"""Of the tokens that an owner's own player gets: longer than one sits before a stream."""


class Passes:
    """Players ask for playlists and parts without headers: private streams have a token in the path."""

    def __init__(self, identity: Identity, playback_tokens: PlaybackTokens, clock: Clock) -> None:
        self._identity = identity
        self._playback_tokens = playback_tokens
        self._clock = clock

    async def visitor(self, call: Call, account: Account | None) -> Visitor:
        """Whoever made the request."""
        if call.bearer is not None and call.bearer.startswith(PLAYBACK_TOKEN):
            return await self._identity.visitor(call.bearer)
        return Visitor(account)

    def token(self, stream: StreamRecord, visitor: Visitor, shown: str | None) -> str | None:
        """The token for URLs of ``stream``: None where none is needed, else the one that was shown; an
        owner, whose account token belongs into no URL, gets one of their own."""
        if stream.visibility != "private":
            return None
        if visitor.stream_id == stream.stream_id:
            return shown
        if visitor.owns(stream):
            return self._playback_tokens.issue(stream.stream_id, self._clock.now() + OWNERS_TTL)
        return None
