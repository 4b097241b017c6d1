"""A generated stage: hosts with pictures and tones of their own, over paths that lose and jitter."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixer.composite.picture import blank, frame_of
from mixer.encode import VideoEncoder
from sfu.media import (
    Codec,
    Encoding,
    Kind,
    RtpPacket,
    SenderReport,
    Source,
    TapBatch,
)
from sfu.packetize import H264Packetizer, OpusPacketizer
from tests.unit.mixer.signals import opus_packets, sine

__all__ = ["Host", "LoopTap", "Media", "Path", "RecordedInjector", "Room"]

NTP_S = 3_900_000_000


def now_us() -> int:
    return time.monotonic_ns() // 1000


@dataclass
class Path:
    loss: float = 0.0
    jitter_ms: float = 0.0
    delay_ms: float = 20.0
    drift_ppm: float = 0.0


@dataclass
class Host:
    """A grey picture of level ``luma`` at 640 x 360 and a tone of ``hz``."""

    luma: int
    hz: float
    path: Path = field(default_factory=Path)
    size: tuple[int, int] = (640, 360)
    seconds: float = 12.0
    flash: bool = False
    """White instead of grey, and the tone, only in the first 100 ms of each second."""

    def video(self) -> Media:
        encoder = VideoEncoder(self.size, 30, 500_000, names=("libx264",), preset="ultrafast", threads=1)
        packetizer, out = H264Packetizer(65_530), []
        for n in range(int(self.seconds * 30)):
            on = not self.flash or n % 30 < 3
            picture = blank(*self.size)
            picture.y[:] = 235 if on and self.flash else self.luma
            # A moving bar, so that every picture has something to code.
            picture.y[:16, (n * 8) % (self.size[0] - 32) :][:, :32] = 128
            for unit in encoder.encode(frame_of(picture), n * 3000):
                out.append((n * 1_000_000 // 30, packetizer.packetize(unit.data, 2**32 - 90_000 + n * 3000)))
        return out

    def sound(self) -> Media:
        signal = sine(self.hz, self.seconds)
        if self.flash:
            # The encoder's 6.5 ms look-ahead is taken off, as a browser's capture time does.
            at = (np.arange(len(signal)) + 312) % 48_000
            signal[at >= 4_800] = 0
        packetizer = OpusPacketizer(100)
        return [
            (n * 20_000, [packetizer.packetize(data, 2**32 - 48_000 + n * 960)])
            for n, data in enumerate(opus_packets(signal))
        ]


Media = list[tuple[int, list[RtpPacket]]]
"""(microseconds after the start, packets) of each frame."""


class LoopTap:
    def __init__(self, host: Host, kind: Kind, media: Media, start_us: int) -> None:
        self._host, self.kind, self._media, self._start_us = host, kind, media, start_us
        self._codec = Codec("H264", 90_000) if kind == "video" else Codec("opus", 48_000, 2)
        self.keyframes_wanted = 0
        self.selected: list[str] = []
        self.closed = False

    def __aiter__(self) -> AsyncIterator[TapBatch]:
        return self._batches()

    async def _batches(self) -> AsyncIterator[TapBatch]:
        path, rng = self._host.path, random.Random(self._host.luma)
        rate = 1 + path.drift_ppm * 1e-6
        for index, (sent_us, packets) in enumerate(self._media):
            delay = (path.delay_ms + rng.expovariate(1) * path.jitter_ms) * 1000
            arrival = int(self._start_us + sent_us / rate + delay)
            if self.kind == "audio":
                arrival += 20_000  # a packet leaves when its 20 ms have been captured
            await asyncio.sleep(max(arrival - now_us(), 0) / 1e6)
            kept = [
                RtpPacket(p.sequence, p.timestamp, p.marker, p.payload, arrival)
                for p in packets
                if rng.random() >= path.loss
            ]
            ntp = int((NTP_S + sent_us / 1e6) * 2**32)
            rtp = packets[0].timestamp
            report = SenderReport(ntp, rtp, arrival) if index >= 3 else None
            if kept:
                yield TapBatch(self._codec, "", 1, kept, report)

    def request_keyframe(self) -> None:
        self.keyframes_wanted += 1

    def select_encoding(self, rid: str) -> None:
        self.selected.append(rid)

    async def close(self) -> None:
        self.closed = True


class RecordedInjector:
    def __init__(self, track_id: int, codec: Codec, encodings: Sequence[Encoding]) -> None:
        self._track_id, self.codec, self.encodings = track_id, codec, encodings
        self.packets: dict[str, list[RtpPacket]] = {}
        self.sent_us: dict[str, list[int]] = {}
        self.reports: dict[str, list[SenderReport]] = {}
        self.requests: asyncio.Queue[str] = asyncio.Queue()
        self.closed = False

    @property
    def track_id(self) -> int:
        return self._track_id

    def send(self, packets: Sequence[RtpPacket], rid: str = "") -> None:
        self.packets.setdefault(rid, []).extend(packets)
        self.sent_us.setdefault(rid, []).extend([now_us()] * len(packets))

    def report(self, report: SenderReport, rid: str = "") -> None:
        self.reports.setdefault(rid, []).append(report)

    async def keyframe_requests(self) -> str:
        return await self.requests.get()

    async def close(self) -> None:
        self.closed = True


class Room:
    """A `sfu.media.Participant`. Track 2 n is the picture and 2 n + 1 the sound of host n."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._media = [(host.video(), host.sound()) for host in hosts]
        self._hosts = hosts
        self._start_us = now_us() + 100_000
        self.taps: list[LoopTap] = []
        self.published: list[RecordedInjector] = []

    @property
    def participant_id(self) -> str:
        return "mixer"

    def begin(self) -> None:
        """Let the hosts start to send now."""
        self._start_us = now_us()

    async def tap(self, source: Source, *, encoding: str = "auto", queue_packets: int = 4096) -> LoopTap:
        host, kind = divmod(source.track_id, 2)
        if host >= len(self._hosts):
            raise LookupError(f"no track {source.track_id}")
        tap = LoopTap(self._hosts[host], source.kind, self._media[host][kind], self._start_us)
        self.taps.append(tap)
        return tap

    async def publish(
        self, kind: Kind, codec: Codec, encodings: Sequence[Encoding] = (Encoding(),)
    ) -> RecordedInjector:
        injector = RecordedInjector(1000 + len(self.published), codec, encodings)
        self.published.append(injector)
        return injector

    async def close(self) -> None:
        pass
