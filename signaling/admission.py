"""Who may watch over HLS. Asked for every playlist and part, so the streams' visibility is kept at hand."""

from __future__ import annotations

from collections import OrderedDict

from signaling.auth.identity import Identity
from signaling.clock import Clock
from signaling.problems import problem
from signaling.store.interfaces import Streams
from signaling.store.records import Audience, StreamRecord

__all__ = ["Admission"]

KEPT_S = 10.0
"""As long as an edge keeps an answer; changes on this node count at once."""
CACHED = 10_000


class Admission:
    """The origin's ``authorize``, and a ``Listener``."""

    def __init__(self, streams: Streams, identity: Identity, clock: Clock) -> None:
        self._streams = streams
        self._identity = identity
        self._clock = clock
        self._known: OrderedDict[str, tuple[StreamRecord, float]] = OrderedDict()
        self._changes = 0
        """Of any stream, so far."""

    async def __call__(self, stream_id: str, token: str | None) -> bool:
        """Raises Problem ``stream-not-found``."""
        stream = await self._stream(stream_id)
        if stream is None:
            raise problem("stream-not-found", "No stream has this id.")
        return stream.visibility != "private" or (await self._identity.visitor(token)).may_watch(stream)

    def known(self, stream_id: str, token: str | None) -> bool:
        """Whether memory says that they may watch. False says nothing: ask."""
        known = self._known.get(stream_id)
        if known is None or self._clock.monotonic_s() >= known[1]:
            return False
        if known[0].visibility != "private":
            return True
        return token is not None and self._identity.opens(token) == stream_id

    async def over(self, stream_id: str) -> bool:
        """Whether the stream has been live and is no more."""
        stream = await self._stream(stream_id)
        return stream is not None and stream.status == "ended"

    def stream_changed(self, stream: StreamRecord) -> None:
        self._changes += 1
        if stream.stream_id in self._known:
            self._keep(stream)

    def stream_deleted(self, stream_id: str) -> None:
        self._changes += 1
        self._known.pop(stream_id, None)

    def playback_changed(self, stream: StreamRecord) -> None:
        """Nothing about who may watch."""

    def audience_changed(self, stream_id: str, audience: Audience) -> None:
        """Nothing about who may watch."""

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None:
        """Nothing about who may watch."""

    async def _stream(self, stream_id: str) -> StreamRecord | None:
        known = self._known.get(stream_id)
        if known is not None and self._clock.monotonic_s() < known[1]:
            return known[0]
        while True:
            changes = self._changes
            stream = await self._streams.get(stream_id)
            # A change while the database answered: the answer may be of before.
            if changes == self._changes:
                break
        if stream is not None:
            self._keep(stream)
        return stream

    def _keep(self, stream: StreamRecord) -> None:
        self._known[stream.stream_id] = (stream, self._clock.monotonic_s() + KEPT_S)
        self._known.move_to_end(stream.stream_id)
        if len(self._known) > CACHED:
            self._known.popitem(last=False)
