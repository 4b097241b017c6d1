"""Tells the viewers of live streams when seats run out or are there again."""

from __future__ import annotations

import asyncio

from signaling.clock import Clock
from signaling.live import LiveStreams
from signaling.media import Media
from signaling.seat_watch import SeatWatch
from signaling.store.records import Audience, StreamRecord

__all__ = ["SeatCalls"]

TICK_S = 1.0


class SeatCalls:
    """A ``Listener`` that follows the live streams; ``run`` it."""

    def __init__(self, live: LiveStreams, media: Media, clock: Clock) -> None:
        self._live = live
        self._media = media
        self._clock = clock
        self._streams: dict[str, tuple[StreamRecord, SeatWatch]] = {}

    def full(self, stream_id: str) -> bool | None:
        """Whether those who watch are to do without seats; None: not known, ask the media."""
        known = self._streams.get(stream_id)
        return known[1].full if known is not None else None

    def stream_changed(self, stream: StreamRecord) -> None:
        if stream.status != "live":
            self._streams.pop(stream.stream_id, None)
            return
        known = self._streams.get(stream.stream_id)
        self._streams[stream.stream_id] = (stream, known[1] if known is not None else SeatWatch())
        if known is None:
            self._update(stream.stream_id)

    def stream_deleted(self, stream_id: str) -> None:
        self._streams.pop(stream_id, None)

    def playback_changed(self, stream: StreamRecord) -> None:
        """Told by this very object."""

    def audience_changed(self, stream_id: str, audience: Audience) -> None:
        """Seen in ``run``."""

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None:
        """Nothing about seats."""

    async def run(self) -> None:
        """Watch the seats until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            for stream_id, (stream, _) in list(self._streams.items()):
                if self._update(stream_id):
                    self._live.tell_playback(stream)

    def _update(self, stream_id: str) -> bool:
        stream, watch = self._streams[stream_id]
        seats = self._media.seats(stream_id)
        hls = self._live.audience(stream).hls
        return watch.update(seats.taken, seats.free, hls, self._clock.monotonic_s())
