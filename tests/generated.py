"""A publisher without a network: encoded clips as RTP, with loss, reordering and clocks that drift."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache

import av
import numpy as np

from sfu.media import Codec, Encoding, Injector, Kind, RtpPacket, SenderReport, Source, TapBatch
from tests.packetize import av1_payloads, h264_payloads, rtp, vp8_payloads, vp9_payloads

NTP_UNIX_S = 2_208_988_800
WALL_US = 1_700_000_000_000_000

H264 = Codec("H264", 90_000, fmtp={"packetization-mode": "1"})
VP8 = Codec("VP8", 90_000)
VP9 = Codec("VP9", 90_000)
AV1 = Codec("AV1", 90_000)
OPUS = Codec("opus", 48_000, 2)

_ENCODERS = {
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency"}),
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "AV1": ("libsvtav1", {"preset": "12"}),
}


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Gives the calling thread its scheduling policy back: as root SVT-AV1 makes the thread that opens an
    encoder, and with it every process begun from there, real-time at the highest priority
    (svt_create_thread in its svt_threads.c), and two busy ones of those stop a machine of two cores."""
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


def draw(index: int, width: int, height: int) -> av.VideoFrame:
    """Diagonal stripes that move, and a bright square that goes round."""
    y, x = np.ogrid[0:height, 0:width]
    grey = ((x + 2 * y + 6 * index) % 256).astype(np.uint8)
    at = (index * 16) % max(1, width - 64)
    grey[height // 4 : height // 4 + 48, at : at + 64] = 235
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = grey
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


@cache
def video_clip(
    codec: str, width: int, height: int, fps: int, gop: int, gops: int = 1
) -> tuple[tuple[bytes, bool], ...]:
    """(data, keyframe) of ``gop * gops`` frames; can be looped."""
    name, options = _ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
    context.bit_rate = 2_000_000 * width * height // (1280 * 720)
    options = dict(options)
    match codec:
        case "H264":
            options["x264-params"] = f"keyint={gop}:min-keyint={gop}:scenecut=0"
        case "AV1":
            options["svtav1-params"] = f"pred-struct=1:rc=2:keyint={gop}:lp=1"
        case _:
            options |= {"g": str(gop), "keyint_min": str(gop)}
    context.options = options
    packets = []
    with ordinary_priority():
        for index in range(gop * gops):
            frame = draw(index, width, height)
            frame.pts, frame.time_base = index, Fraction(1, fps)
            packets += context.encode(frame)
        packets += context.encode(None)
    return tuple((bytes(p), p.is_keyframe) for p in packets)


@cache
def sound_clip(seconds: int = 2) -> tuple[bytes, ...]:
    """Opus packets of 20 ms: a tone with a beep each second."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "flt"
    context.bit_rate = 64_000
    context.options = {"application": "lowdelay", "frame_duration": "20"}
    packets = []
    t = np.arange(48_000 * seconds) / 48_000
    tone = 0.1 * np.sin(2 * np.pi * 440 * t) + 0.4 * np.sin(2 * np.pi * 1000 * t) * (t % 1 < 0.1)
    for at in range(0, len(t), 960):
        block = np.repeat(tone[at : at + 960].astype(np.float32), 2)[None]
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, at
        packets += context.encode(frame)
    return tuple(bytes(p) for p in packets)


@dataclass(frozen=True)
class Feed:
    """One track of the publisher. Times in seconds from the publisher's start."""

    codec: Codec
    begins_s: float = 0.0
    ends_s: float = 10.0
    width: int = 640
    height: int = 360
    fps: int = 30
    gop: int = 60
    generation: int = 0
    ppm: float = 0.0
    """How much faster than true the source's clock runs."""
    sequence: int = 65_500
    timestamp: int = 2**32 - 90_000
    loss: float = 0.0
    jitter_ms: float = 4.0
    delay_ms: float = 10.0
    reports: bool = True
    seed: int = 1
    skip: Sequence[tuple[float, float]] = field(default_factory=tuple)
    """Stretches (from, to) in seconds in which nothing is captured; the clocks go on."""

    def batches(self, start_us: int) -> Iterator[tuple[int, TapBatch]]:
        """(arrival, batch) in order of arrival; one frame or sound packet a batch."""
        rng = random.Random(self.seed)
        out: list[tuple[int, TapBatch]] = []
        sequence, report_due = self.sequence, self.begins_s
        report: SenderReport | None = None
        for index in range(round((self.ends_s - self.begins_s) * self._rate)):
            captured_s = self.begins_s + index / self._rate
            if any(low <= captured_s < high for low, high in self.skip):
                continue
            media_s = (captured_s - self.begins_s) * (1 + self.ppm * 1e-6)
            timestamp = self.timestamp + round(media_s * self.codec.clock_rate)
            packets = self._packets(index, sequence, timestamp)
            sequence += len(packets)
            if self.reports and captured_s >= report_due:
                report_due += 1.0
                us = WALL_US + round(captured_s * 1e6)
                ntp = ((us // 1_000_000 + NTP_UNIX_S) << 32) | ((us % 1_000_000 << 32) // 1_000_000)
                report = SenderReport(ntp, timestamp & 0xFFFFFFFF, start_us + round(captured_s * 1e6))
            arrival_us = start_us + round(
                captured_s * 1e6 + (self.delay_ms + rng.random() * self.jitter_ms) * 1e3
            )
            packets = [replace(p, arrival_us=arrival_us) for p in packets if rng.random() >= self.loss]
            if packets:
                out.append((arrival_us, TapBatch(self.codec, "", self.generation, packets, report)))
        return iter(sorted(out, key=lambda item: item[0]))

    @property
    def _rate(self) -> int:
        return 50 if self.codec.kind == "audio" else self.fps

    def _packets(self, index: int, sequence: int, timestamp: int) -> list[RtpPacket]:
        if self.codec.kind == "audio":
            clip = sound_clip()
            return rtp([clip[index % len(clip)]], sequence, timestamp, marker=False)
        clips = video_clip(self.codec.name, self.width, self.height, self.fps, self.gop)
        data, keyframe = clips[index % len(clips)]
        match self.codec.name:
            case "H264":
                payloads = h264_payloads(data)
            case "VP8":
                payloads = vp8_payloads(data, index & 0x7FFF)
            case "VP9":
                payloads = vp9_payloads(data, index & 0x7FFF, keyframe)
            case _:
                payloads = av1_payloads(data)
        return rtp(payloads, sequence, timestamp)


def merged(feeds: Sequence[Feed], start_us: int) -> list[tuple[int, Kind, TapBatch]]:
    """All feeds' batches by time of arrival."""
    items = [(at, feed.codec.kind, batch) for feed in feeds for at, batch in feed.batches(start_us)]
    return sorted(items, key=lambda item: item[0])


class GeneratedTap:
    """Delivers feeds of one kind in real time."""

    def __init__(self, feeds: Sequence[Feed], start_us: int) -> None:
        self._items = merged(feeds, start_us)
        self.keyframe_requests = 0
        self._closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[TapBatch]:
        for at_us, _, batch in self._items:
            await asyncio.sleep(max(0, at_us - time.monotonic_ns() // 1000) / 1e6)
            if self._closed.is_set():
                return
            yield batch

    def request_keyframe(self) -> None:
        self.keyframe_requests += 1

    def select_encoding(self, rid: str) -> None:
        pass

    async def close(self) -> None:
        self._closed.set()


class GeneratedParticipant:
    """A `sfu.media.Participant` whose Program is made of feeds. Source 1 is video, 2 is audio."""

    VIDEO, AUDIO = Source(1, "video"), Source(2, "audio")

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds
        self._start_us = time.monotonic_ns() // 1000
        self.taps: dict[Kind, GeneratedTap] = {}

    @property
    def participant_id(self) -> str:
        return "generated"

    async def tap(self, source: Source, *, encoding: str = "auto", queue_packets: int = 4096) -> GeneratedTap:
        tap = GeneratedTap([f for f in self._feeds if f.codec.kind == source.kind], self._start_us)
        self.taps[source.kind] = tap
        return tap

    async def publish(
        self, kind: Kind, codec: Codec, encodings: Sequence[Encoding] = (Encoding(),)
    ) -> Injector:
        raise NotImplementedError("the bridge publishes nothing")

    async def close(self) -> None:
        for tap in self.taps.values():
            await tap.close()
