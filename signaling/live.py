"""What happens to streams while they run: live, ended, and how many watch.

The media rooms report it; here it is written down in order, and told to whoever listens (the gateway).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from signaling.clock import Clock
from signaling.store.interfaces import Streams
from signaling.store.records import Audience, StreamRecord

__all__ = ["Listener", "LiveStreams"]

log = logging.getLogger("spillway.streams")

FLUSH_S = 2.0
"""How old the numbers that discover sorts by may be."""


class Listener(Protocol):
    """Told of changes, after they are in the store."""

    def stream_changed(self, stream: StreamRecord) -> None: ...

    def stream_deleted(self, stream_id: str) -> None: ...

    def playback_changed(self, stream: StreamRecord) -> None:
        """Those who watch it should hear anew how to."""
        ...

    def audience_changed(self, stream_id: str, audience: Audience) -> None: ...

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None:
        """Something that the stream's owner should read."""
        ...


@dataclass(frozen=True, slots=True)
class _Change:
    stream_id: str
    to: Literal["live", "off"]


class LiveStreams:
    """The streams that this node carries. ``report_*`` may be called from any callback on the loop."""

    def __init__(self, streams: Streams, node_id: str, clock: Clock) -> None:
        self._streams = streams
        self._node_id = node_id
        self._clock = clock
        self._changes: asyncio.Queue[_Change] = asyncio.Queue()
        self._audiences: dict[str, Audience] = {}
        self._unwritten: set[str] = set()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def audience(self, stream: StreamRecord) -> Audience:
        """As it is now where this node carries the stream, else as it was written down last."""
        return self._audiences.get(stream.stream_id, stream.audience)

    def report_live(self, stream_id: str) -> None:
        self._audiences.setdefault(stream_id, Audience())
        self._changes.put_nowait(_Change(stream_id, "live"))

    def report_off(self, stream_id: str) -> None:
        self._audiences.pop(stream_id, None)
        self._changes.put_nowait(_Change(stream_id, "off"))

    def report_audience(self, stream_id: str, *, webrtc: int | None = None, hls: int | None = None) -> None:
        before = self._audiences.get(stream_id)
        if before is None:
            return
        now = Audience(before.webrtc if webrtc is None else webrtc, before.hls if hls is None else hls)
        if now == before:
            return
        self._audiences[stream_id] = now
        self._unwritten.add(stream_id)
        for listener in self._listeners:
            listener.audience_changed(stream_id, now)

    def report_notice(self, stream_id: str, reason: str, text: str) -> None:
        """For the stream's owner, e.g. why a publisher was refused."""
        for listener in self._listeners:
            listener.owner_noticed(stream_id, reason, text)

    def tell_changed(self, stream: StreamRecord) -> None:
        """Its owner changed it."""
        for listener in self._listeners:
            listener.stream_changed(stream)

    def tell_playback(self, stream: StreamRecord) -> None:
        """Seats have run out or are there again, or there are more renditions."""
        for listener in self._listeners:
            listener.playback_changed(stream)

    def tell_deleted(self, stream_id: str) -> None:
        self._audiences.pop(stream_id, None)
        for listener in self._listeners:
            listener.stream_deleted(stream_id)

    async def run(self) -> None:
        """Write changes down, one after the other, until cancelled."""
        await self._forever(self._write_change)

    async def run_audiences(self) -> None:
        """Write audiences down every now and then, until cancelled."""

        async def flush_later() -> None:
            await asyncio.sleep(FLUSH_S)
            await self.flush_audiences()

        await self._forever(flush_later)

    async def flush_audiences(self) -> None:
        """Write down how many watch, where that has changed."""
        counts = {each: self._audiences[each] for each in self._unwritten if each in self._audiences}
        self._unwritten.clear()
        await self._streams.set_audiences(counts)

    async def drain(self) -> None:
        """At the end: write what is still to be written."""
        while not self._changes.empty():
            await self._write_change()
        await self._streams.end_all_of(self._node_id, self._clock.now())

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except Exception:  # a store that fails for a moment must not end what all after depends on
                log.exception("the store took no change")
                await asyncio.sleep(1)

    async def _write_change(self) -> None:
        change = await self._changes.get()
        now = self._clock.now()
        if change.to == "live":
            stream = await self._streams.went_live(change.stream_id, self._node_id, now)
        else:
            stream = await self._streams.went_off(change.stream_id, now)
        if stream is not None:
            self.tell_changed(stream)
