"""Which stream a key publishes to, through a cache that a rotation empties at once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from signaling.auth.secrets import hash_secret
from signaling.clock import Clock
from signaling.store.interfaces import Streams

__all__ = ["StreamKeys"]

KEPT_S = 300.0
"""Five minutes: an encoder that reconnects every few seconds costs the database nothing."""
CACHED = 10_000
LONGEST = 128
"""Ours are 35 characters; what is longer isn't looked up."""


@dataclass(frozen=True, slots=True)
class _Entry:
    stream_id: str
    until_s: float


class StreamKeys:
    """Checks keys. Wrong ones aren't cached: a new key works at once, and guesses meet the rate limit."""

    def __init__(self, streams: Streams, clock: Clock) -> None:
        self._streams = streams
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self.generation = 0
        """Rises with every key that ends."""

    async def stream_of(self, key: str) -> str | None:
        """The id of the stream that this key publishes to."""
        if not key or len(key) > LONGEST:
            return None
        key_hash = hash_secret(key)
        now = self._clock.monotonic_s()
        entry = self._entries.get(key_hash)
        if entry is not None and now < entry.until_s:
            return entry.stream_id
        while True:
            generation = self.generation
            stream_id = await self._streams.by_key(key_hash)
            # A rotation while the database answered: the answer may be of before.
            if generation == self.generation:
                break
        self._entries.pop(key_hash, None)
        if stream_id is not None:
            self._entries[key_hash] = _Entry(stream_id, now + KEPT_S)
            if len(self._entries) > CACHED:
                self._entries.popitem(last=False)
        return stream_id

    def forget(self, stream_id: str) -> None:
        """The stream has another key now, or is gone. To be called after the store was changed."""
        self.generation += 1
        for key_hash in [key for key, entry in self._entries.items() if entry.stream_id == stream_id]:
            del self._entries[key_hash]
