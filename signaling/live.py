"""What happens to streams while they run: live, ended, and how many watch.

The media rooms report it; here it is written down in order, and told to whoever listens (the gateway).
While the database is full, what happens is told all the same, and written when there is room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

from signaling.clock import Clock
from signaling.store.interfaces import StoreFull, Streams
from signaling.store.records import Audience, StreamRecord

__all__ = ["Listener", "LiveStreams"]

log = logging.getLogger("spillway.streams")

FLUSH_S = 2.0
"""How old the numbers that discover sorts by may be."""
RETRY_S = 1.0
"""After what the store didn't take."""


class Listener(Protocol):
    """Told of changes, after they are in the store (or have found it full)."""

    def stream_changed(self, stream: StreamRecord) -> None: ...

    def stream_deleted(self, stream_id: str) -> None: ...

    def playback_changed(self, stream: StreamRecord) -> None:
        """Those who watch it should hear anew how to."""
        ...

    def audience_changed(self, stream_id: str, audience: Audience) -> None: ...

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None:
        """Something that the stream's owner should read."""
        ...


@dataclass(eq=False, slots=True)
class _Change:
    stream_id: str
    to: Literal["live", "off"]
    at: datetime
    told: bool = False
    """Listeners know of it, the store does not."""

    def applied(self, stream: StreamRecord) -> StreamRecord:
        """As ``Streams.went_live`` and ``went_off`` leave it."""
        if self.to == "live":
            return replace(
                stream,
                status="live",
                started_at=self.at,
                ended_at=None,
                scheduled_at=None,
                audience=Audience(),
            )
        if stream.status != "live":
            return stream
        return replace(stream, status="ended", ended_at=self.at, audience=Audience())


class LiveStreams:
    """The streams that this node carries. ``report_*`` may be called from any callback on the loop."""

    def __init__(self, streams: Streams, node_id: str, clock: Clock) -> None:
        self._streams = streams
        self._node_id = node_id
        self._clock = clock
        self._changes: list[_Change] = []
        """That are not in the store, oldest first."""
        self._reported = asyncio.Event()
        self._audiences: dict[str, Audience] = {}
        self._unwritten: set[str] = set()
        self._listeners: list[Listener] = []
        self._owners_changes = 0
        """Of any stream, so far."""

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def audience(self, stream: StreamRecord) -> Audience:
        """As it is now where this node carries the stream, else as it was written down last."""
        return self._audiences.get(stream.stream_id, stream.audience)

    def current(self, stream: StreamRecord) -> StreamRecord:
        """The stored stream with what happened to it since, but has found the store full."""
        for change in self._changes:
            if change.told and change.stream_id == stream.stream_id:
                stream = change.applied(stream)
        return stream

    def report_live(self, stream_id: str) -> None:
        self._audiences.setdefault(stream_id, Audience())
        # An encoder that reconnects every two seconds to a full store: the last broadcast is what remains.
        self._changes = [each for each in self._changes if not each.told or each.stream_id != stream_id]
        self._report(stream_id, "live")

    def report_off(self, stream_id: str) -> None:
        self._audiences.pop(stream_id, None)
        self._report(stream_id, "off")

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
        self._owners_changes += 1
        self._tell_changed(stream)

    def tell_playback(self, stream: StreamRecord) -> None:
        """Seats have run out or are there again, or there are more renditions."""
        for listener in self._listeners:
            listener.playback_changed(stream)

    def tell_deleted(self, stream_id: str) -> None:
        self._audiences.pop(stream_id, None)
        self._changes = [each for each in self._changes if each.stream_id != stream_id]
        for listener in self._listeners:
            listener.stream_deleted(stream_id)

    async def run(self) -> None:
        """Write changes down, one after the other, until cancelled."""

        async def write_later() -> None:
            await self._reported.wait()
            await self._write_changes()

        await self._forever(write_later)

    async def run_audiences(self) -> None:
        """Write audiences down every now and then, until cancelled."""

        async def flush_later() -> None:
            await asyncio.sleep(FLUSH_S)
            await self.flush_audiences()

        await self._forever(flush_later)

    async def flush_audiences(self) -> None:
        """Write down how many watch, where that has changed."""
        counts = {each: self._audiences[each] for each in self._unwritten if each in self._audiences}
        await self._streams.set_audiences(counts)
        # What has changed meanwhile is written the next time.
        self._unwritten = {each for each in self._unwritten if self._audiences.get(each) != counts.get(each)}

    async def drain(self) -> None:
        """At the end: write what is still to be written."""
        try:
            await self._write_changes()
            await self._streams.end_all_of(self._node_id, self._clock.now())
        except StoreFull as error:
            log.warning("%s: the streams that were live are ended at the next start", error)
        except Exception:  # a store that is away must not keep the node from ending
            log.exception("the streams that were live are ended at the next start")

    def _tell_changed(self, stream: StreamRecord) -> None:
        stream = self.current(stream)
        for listener in self._listeners:
            listener.stream_changed(stream)

    def _report(self, stream_id: str, to: Literal["live", "off"]) -> None:
        self._changes.append(_Change(stream_id, to, self._clock.now()))
        self._reported.set()

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        failing = False
        while True:
            try:
                await step()
            except StoreFull:  # which the store itself tells
                await asyncio.sleep(RETRY_S)
            except Exception:  # a store that fails for a moment must not end what all after depends on
                if not failing:
                    log.exception("the store takes no change; trying again every %g s", RETRY_S)
                failing = True
                await asyncio.sleep(RETRY_S)
            else:
                if failing:
                    log.warning("the store takes changes again")
                failing = False

    async def _write_changes(self) -> None:
        """Raises what the store raises; what it did not take stays."""
        self._reported.clear()
        try:
            while self._changes:
                await self._write(self._changes[0])
        except StoreFull:
            await self._tell_unwritten()
            raise
        finally:
            if self._changes:
                self._reported.set()

    async def _write(self, change: _Change) -> None:
        seen = self._owners_changes
        if change.to == "live":
            stream = await self._streams.went_live(change.stream_id, self._node_id, change.at)
        else:
            stream = await self._streams.went_off(change.stream_id, change.at)
        stream = await self._newest(change.stream_id, stream, seen)
        if change not in self._changes:
            # Deleted meanwhile, or followed by another broadcast: whoever listens must not hear of this one.
            return
        self._changes.remove(change)
        if stream is not None and not change.told:
            self._tell_changed(stream)

    async def _newest(self, stream_id: str, stream: StreamRecord | None, seen: int) -> StreamRecord | None:
        """The stream, read again if an owner changed one while the store answered: who listens has heard of
        that already, and must not go back. ``seen``: their changes when it was asked."""
        while seen != self._owners_changes:
            seen = self._owners_changes
            stream = await self._streams.get(stream_id)
        return stream

    async def _tell_unwritten(self) -> None:
        for change in [each for each in self._changes if not each.told]:
            seen = self._owners_changes
            stream = await self._streams.get(change.stream_id)
            stream = await self._newest(change.stream_id, stream, seen)
            change.told = True
            if stream is not None and change in self._changes:
                self._tell_changed(stream)
