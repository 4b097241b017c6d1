"""Taps and injectors on an engine in this process; a relay's worker uses them on its own engine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from sfu.media import Codec, ParticipantClosed, RtpPacket, SenderReport, TapBatch
from sfu.track import codec_from_spec

if TYPE_CHECKING:
    from sfu._engine import CodecSpec, Engine

__all__ = ["EngineInjector", "EngineTap"]


class EngineTap:
    """media.Tap over an engine's tap. ``on_closed`` is called once; ``select`` replaces what
    select_encoding() does (a relay passes it on)."""

    def __init__(
        self,
        engine: Engine,
        source: int,
        encoding: str,
        queue_packets: int,
        on_closed: Callable[[EngineTap], None],
        select: Callable[[str], None] | None = None,
    ) -> None:
        self._engine = engine
        self._source = source
        self._on_closed = on_closed
        self._select = select
        self._readable = asyncio.Event()
        self._batches: deque[TapBatch] = deque()
        self._reports: dict[tuple[str, int], SenderReport] = {}
        self._codecs: dict[str, tuple[CodecSpec, Codec]] = {}
        self._dropped = 0
        self._ended = False
        self._closed = False
        self.tap_id = engine.open_tap(source, encoding=encoding, queue_packets=queue_packets)

    def __aiter__(self) -> AsyncIterator[TapBatch]:
        return self._iterate()

    def request_keyframe(self) -> None:
        if not self._closed:
            self._engine.request_keyframe(self._source)

    def select_encoding(self, rid: str) -> None:
        if self._closed:
            return
        if self._select is not None:
            self._select(rid)
        else:
            self._engine.set_tap_encoding(self.tap_id, rid)

    def handle_readable(self) -> None:
        self._readable.set()

    async def close(self) -> None:
        self.end()

    def end(self) -> None:
        """close(), for callers that can't wait."""
        if not self._closed:
            self._closed = True
            self._engine.close_tap(self.tap_id)
            self._readable.set()
            self._on_closed(self)

    async def _iterate(self) -> AsyncIterator[TapBatch]:
        while not self._closed:
            self._read()
            while self._batches and not self._closed:
                yield self._batches.popleft()
            if self._ended:
                self.end()
                return
            if not self._closed:
                await self._readable.wait()

    def _read(self) -> None:
        # cleared before reading: what comes in between sets it again
        self._readable.clear()
        items, dropped = self._engine.read_tap(self.tap_id)
        self._dropped += dropped
        for item in items:
            if item[0] == "packets":
                _, rid, generation, spec, packets = item
                batch = TapBatch(
                    codec=self._codec(rid, spec),
                    rid=rid,
                    generation=generation,
                    packets=[
                        RtpPacket(sequence, timestamp, marker, payload, arrival_us, level)
                        for sequence, timestamp, marker, payload, arrival_us, level in packets
                    ],
                    report=self._reports.get((rid, generation)),
                    dropped=self._dropped,
                )
                self._dropped = 0
                self._batches.append(batch)
            elif item[0] == "report":
                _, rid, generation, ntp, rtp_time, arrival_us = item
                self._reports = {key: value for key, value in self._reports.items() if key[1] == generation}
                self._reports[rid, generation] = SenderReport(ntp, rtp_time, arrival_us)
            else:
                self._ended = True

    def _codec(self, rid: str, spec: CodecSpec) -> Codec:
        known = self._codecs.get(rid)
        if known is None or known[0] != spec:
            known = self._codecs[rid] = (spec, codec_from_spec(spec))
        return known[1]


class EngineInjector:
    """media.Injector over an engine's injected track."""

    def __init__(self, engine: Engine, track_id: int, on_closed: Callable[[EngineInjector], None]) -> None:
        self._engine = engine
        self._track_id = track_id
        self._on_closed = on_closed
        self._keyframes: asyncio.Queue[str | None] = asyncio.Queue(16)
        self._closed = False

    @property
    def track_id(self) -> int:
        return self._track_id

    def send(self, packets: Sequence[RtpPacket], rid: str = "") -> None:
        if not self._closed:
            self._engine.inject(
                self._track_id,
                rid,
                [(p.sequence, p.timestamp, p.marker, p.payload, p.audio_level) for p in packets],
            )

    def report(self, report: SenderReport, rid: str = "") -> None:
        if not self._closed:
            self._engine.inject_report(self._track_id, rid, report.ntp, report.rtp_time)

    async def keyframe_requests(self) -> str:
        """Raises ParticipantClosed when the injector is closed."""
        rid = None if self._closed and self._keyframes.empty() else await self._keyframes.get()
        if rid is None:
            raise ParticipantClosed("the injector is closed")
        return rid

    def handle_keyframe_needed(self, rid: str) -> None:
        # a full queue means that nobody has served sixteen requests: one more tells nothing new
        if not self._closed and not self._keyframes.full():
            self._keyframes.put_nowait(rid)

    async def close(self) -> None:
        self.end()

    def end(self) -> None:
        """close(), for callers that can't wait."""
        if not self._closed:
            self._closed = True
            while not self._keyframes.empty():
                self._keyframes.get_nowait()
            self._keyframes.put_nowait(None)
            self._engine.remove_track(self._track_id)
            self._on_closed(self)
