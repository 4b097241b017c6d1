"""The whole mixer against a generated stage, in real time: what it publishes is decoded and looked at."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest

from mixer.composite.picture import picture_of
from mixer.layout import LayoutSpec
from mixer.messages import (
    Event,
    Message,
    MixerConfig,
    Problem,
    Ready,
    RemoveHost,
    SetHost,
    SetLayout,
    Stats,
    VideoSource,
)
from mixer.sound.opus import OpusDecoder
from mixer.timing import STAGES
from mixer.wire import event_from_document, event_to_document
from mixer.worker import main
from sfu.depacketize import depacketizer
from sfu.media import ParticipantClosed, RtpPacket, Source
from tests.sim.mixer.participant import Host, LoopTap, Media, Path, RecordedInjector, Room

CONFIG = MixerConfig(
    640, 360, 30, bitrate_bps=800_000, compositor="cpu", encoders=("libx264",), preset="ultrafast"
)


def about(n: int, **more: object) -> SetHost:
    camera = VideoSource(Source(2 * n, "video"))
    return SetHost(f"p{n}", f"Host {n}", Source(2 * n + 1, "audio"), camera, **more)  # type: ignore[arg-type]


async def run(room: Room, steps: list[tuple[float, Message]], seconds: float) -> list[Event]:
    """Run the mixer; each step is (seconds after the start, message)."""
    events: list[Event] = []

    async def messages() -> AsyncIterator[Message]:
        start = asyncio.get_running_loop().time()
        for at, message in steps:
            await asyncio.sleep(max(start + at - asyncio.get_running_loop().time(), 0))
            yield message
        await asyncio.sleep(max(start + seconds - asyncio.get_running_loop().time(), 0))

    room.begin()
    await main(room, CONFIG, messages(), tell=events.append)
    return events


def pictures(injector: RecordedInjector, rid: str) -> list[tuple[int, np.ndarray]]:
    """(RTP time, luma) of every picture published."""
    depacketize = depacketizer(injector.codec)
    decoder = av.CodecContext.create("h264", "r")
    out = []
    for unit in depacketize.push(injector.packets[rid], 0) + depacketize.flush():
        packet = av.Packet(unit.data)
        packet.pts = unit.rtp_time
        out += [(frame.pts, picture_of(frame).y.copy()) for frame in decoder.decode(packet)]
    return out


def sound(injector: RecordedInjector) -> np.ndarray:
    """What a listener hears, RTP time 0 first; (samples,)."""
    decoder, packets = OpusDecoder(), injector.packets[""]
    out = np.zeros(packets[-1].timestamp + 960)
    for before, packet in pairwise([None, *packets]):
        assert packet is not None
        assert packet.timestamp % 960 == 0
        assert before is None or packet.timestamp > before.timestamp
        out[packet.timestamp :][:960] = decoder.decode(packet.payload)[:, 0]
    return out


def level(signal: np.ndarray, hz: float) -> float:
    """Amplitude of a tone; the pitch may be off by 1 %, as when a delay is being adjusted."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) * 4 / len(signal)
    at = np.fft.rfftfreq(len(signal), 1 / 48_000)
    return float(spectrum[np.abs(at - hz) < hz / 100].max())


def usual_level(signal: np.ndarray, hz: float) -> float:
    """The median over tenths of a second: a machine that stops for a moment is concealed in some of them."""
    return float(np.median([level(tenth, hz) for tenth in np.split(signal, len(signal) // 4_800)]))


def monotonic(packets: list[RtpPacket]) -> bool:
    return all((b.sequence - a.sequence) % 2**16 == 1 for a, b in pairwise(packets))


async def test_two_hosts_are_seen_and_heard_and_the_program_is_well_formed() -> None:
    path = Path(loss=0.01, jitter_ms=5, drift_ppm=150)
    room = Room([Host(60, 500, path), Host(180, 1500, Path(jitter_ms=5, drift_ppm=-150))])
    steps: list[tuple[float, Message]] = [
        (0.0, about(0)),
        (0.0, about(1)),
        (0.0, SetLayout(LayoutSpec("side-by-side"))),
        (4.5, replace(about(1), sound_muted=True)),
    ]
    events = await run(room, steps, 6.5)
    video, audio = room.published
    assert [e for e in events if isinstance(e, Problem)] == []
    assert events[0] == Ready(1000, 1001, "libx264", "cpu")
    assert [encoding.rid for encoding in video.encodings] == ["h", "l"]
    assert video.closed
    assert audio.closed
    assert all(tap.closed for tap in room.taps)

    full, half = pictures(video, "h"), pictures(video, "l")
    assert full[0][1].shape == (360, 640)
    assert half[0][1].shape == (180, 320)
    steps_of_time = np.diff([rtp for rtp, _ in full])
    assert (steps_of_time > 0).all()
    assert (steps_of_time % 3000 == 0).all()
    assert np.median(steps_of_time) == 3000
    late = full[len(full) * 2 // 3][1]
    assert late[100:200, 100:220].mean() == pytest.approx(60, abs=3)
    assert late[100:200, 420:540].mean() == pytest.approx(180, abs=3)
    assert half[-10][1][50:100, 50:110].mean() == pytest.approx(60, abs=3)
    assert monotonic(video.packets["h"])
    assert monotonic(audio.packets[""])
    assert max(len(p.payload) for p in video.packets["h"]) <= 1200

    heard = sound(audio)
    both, one = heard[2 * 48_000 : 4 * 48_000], heard[-48_000:]
    assert usual_level(both, 500) > 0.05
    assert usual_level(both, 1500) == pytest.approx(usual_level(both, 500), rel=0.3)
    assert level(one, 500) > 0.05
    assert level(one, 1500) < 0.002
    assert len(video.reports["h"]) >= 5
    # where the time goes is told, and survives the way to the node
    stats = [event for event in events if isinstance(event, Stats)]
    assert [event_from_document(json.loads(json.dumps(event_to_document(each)))) for each in stats] == stats
    assert {stage for each in stats for stage in STAGES if each.spent[stage].pictures} == set(STAGES)
    assert stats[-1].delay.common_us > 0
    assert len(audio.reports[""]) >= 5


async def test_hosts_come_and_go_and_layouts_that_make_no_sense_are_refused() -> None:
    room = Room([Host(60, 500, seconds=6), Host(180, 900, seconds=6)])
    ghost = LayoutSpec("spotlight", pinned="ghost")
    steps: list[tuple[float, Message]] = [
        (0.0, about(0)),
        (0.2, SetLayout(ghost)),
        (0.4, SetHost("p9", "Gone", Source(99, "audio"))),
        (0.6, RemoveHost("p9")),
        (1.5, about(1)),
        (3.0, RemoveHost("p0")),
    ]
    events = await run(room, steps, 4.5)
    problems = {(e.code, e.participant_id) for e in events if isinstance(e, Problem)}
    assert problems == {("layout-pinned", None), ("source-gone", "p9")}
    full = pictures(room.published[0], "h")

    def at(seconds: float) -> np.ndarray:
        return min(full, key=lambda entry: abs(entry[0] - seconds * 90_000))[1]

    assert at(1.3)[150:200, 300:340].mean() == pytest.approx(60, abs=3)
    assert at(2.8)[150:200, 100:200].mean() == pytest.approx(60, abs=3)
    assert at(2.8)[150:200, 440:540].mean() == pytest.approx(180, abs=3)
    assert at(4.3)[150:200, 100:540].mean() == pytest.approx(180, abs=3)
    heard = sound(room.published[1])
    assert level(heard[int(4.0 * 48_000) :], 500) < 0.002
    assert level(heard[int(4.0 * 48_000) :], 900) > 0.05


async def test_a_keyframe_comes_every_two_seconds_and_on_request() -> None:
    room = Room([Host(90, 500, seconds=6)])

    async def ask() -> None:
        await asyncio.sleep(1.0)
        for injector in room.published[:1]:
            for _ in range(5):
                injector.requests.put_nowait("l")

    asking = asyncio.create_task(ask())
    await run(room, [(0.0, about(0))], 3.0)
    await asking
    keyframes = {}
    for rid in ("h", "l"):
        depacketize = depacketizer(room.published[0].codec)
        units = depacketize.push(room.published[0].packets[rid], 0)
        keyframes[rid] = [unit.rtp_time for unit in units if unit.keyframe]
    assert len(keyframes["h"]) == 2
    assert keyframes["h"][0] == keyframes["l"][0]
    assert len(keyframes["l"]) == 3


async def test_8k_pictures_are_refused_before_decoding_and_the_show_goes_on() -> None:
    room = Room([Host(60, 500, seconds=2, size=(4352, 64)), Host(180, 900, seconds=3)])
    events = await run(room, [(0.0, about(0)), (0.0, about(1))], 2.5)
    problems = [(e.code, e.participant_id) for e in events if isinstance(e, Problem)]
    assert problems == [("picture-too-large", "p0")]
    full = pictures(room.published[0], "h")
    assert full[-5][1][150:200, 440:540].mean() == pytest.approx(180, abs=3)
    assert np.ptp(full[-5][1][100:260, 60:260]) > 100  # the card with the initials


class Garbage(Host):
    """Sends bytes that are neither H.264 nor Opus."""

    def video(self) -> Media:
        return self._noise(33_333, 3000, 900)

    def sound(self) -> Media:
        return self._noise(20_000, 960, 80)

    def _noise(self, every_us: int, ticks: int, size: int) -> Media:
        rng = random.Random(size)
        count = int(self.seconds * 1e6 / every_us)
        return [
            (n * every_us, [RtpPacket(n, n * ticks, True, rng.randbytes(rng.randrange(size)))])
            for n in range(count)
        ]


class Corrupt(Host):
    """H.264 and Opus whose headers are right: after the first second all behind them is noise."""

    def video(self) -> Media:
        # The NAL unit's header and that of its fragment (RFC 6184 section 5.8).
        return self._corrupt(super().video(), 2)

    def sound(self) -> Media:
        # The byte of the table of contents (RFC 6716 section 3.1).
        return self._corrupt(super().sound(), 1)

    def _corrupt(self, media: Media, kept: int) -> Media:
        rng = random.Random(kept)

        def noise(packet: RtpPacket) -> RtpPacket:
            payload = packet.payload[:kept] + rng.randbytes(max(len(packet.payload) - kept, 0))
            return replace(packet, payload=payload)

        return [(at, [noise(each) for each in packets] if at > 1e6 else packets) for at, packets in media]


@pytest.mark.parametrize("kind", [Garbage, Corrupt])
async def test_garbage_from_one_host_harms_nobody_else(kind: type[Host]) -> None:
    room = Room([kind(60, 500, seconds=4.5), Host(180, 900, seconds=4.5)])
    events = await run(room, [(0.0, about(0)), (0.0, about(1))], 4)
    assert [e for e in events if isinstance(e, Problem)] == []
    # it reached the decoder, which could make nothing of it
    assert [tap.keyframes_wanted > 0 for tap in room.taps if tap.kind == "video"] == [True, False]
    full = pictures(room.published[0], "h")
    assert full[-5][1][150:200, 440:540].mean() == pytest.approx(180, abs=3)
    assert np.ptp(full[-5][1][100:260, 60:260]) > 100  # the card with the initials
    # noise may well be Opus; the other host is heard beside it
    assert level(sound(room.published[1])[-48_000:], 900) > 0.05


async def test_the_end_of_the_participant_ends_the_mixer() -> None:
    class Closing(Room):
        async def tap(self, source: Source, *, encoding: str = "auto", queue_packets: int = 4096) -> LoopTap:
            raise ParticipantClosed("the stream has ended")

    room = Closing([Host(60, 500, seconds=1)])
    with pytest.raises(ParticipantClosed, match="the stream has ended"):
        await run(room, [(0.0, about(0))], 5.0)
    assert all(injector.closed for injector in room.published)
