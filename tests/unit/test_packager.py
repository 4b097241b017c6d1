from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from hls_bridge.encoder import VIDEO_TIME_BASE, PassthroughTrack, SoundEncoder, VideoEncoder
from hls_bridge.pacer import Pacer
from hls_bridge.packager import PartCutter, Sample, TrackPackager
from hls_bridge.part import PART_US, Part
from hls_bridge.rendition import SOUND, base_tier, choose_fps, choose_ladder


def boxes(data: bytes) -> list[str]:
    at, names = 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert size >= 8
        names.append(data[at + 4 : at + 8].decode())
        at += size
    return names


def picture(index: int, width: int, height: int) -> av.VideoFrame:
    y, x = np.mgrid[0:height, 0:width]
    grey = ((x + y + 5 * index) % 256).astype(np.uint8)
    return av.VideoFrame.from_ndarray(np.stack([grey] * 3, -1), format="rgb24").reformat(format="yuv420p")


def encode_parts(encoder: VideoEncoder, count: int, fps: int = 30) -> list[Part]:
    track = TrackPackager("v", encoder.template, VIDEO_TIME_BASE)
    tick = 90_000 // fps
    parts: list[Part] = []
    for index in range(count):
        begins = index % (2 * fps) == 0
        for packet in encoder.encode(picture(index, 640, 360), 900_000 + index * tick, idr=begins):
            ends = (index + 1) % (2 * fps) == 0
            parts += track.push(Sample(packet, packet.pts or 0, packet.is_keyframe, begins, tick, ends))
    return parts


def test_parts_of_a_constant_rate() -> None:
    ladder = choose_ladder(640, 360, 30)
    encoder = VideoEncoder(ladder[0], "libx264")
    parts = encode_parts(encoder, 150)
    assert boxes(encoder.init) == ["ftyp", "moov"]
    assert encoder.codec.startswith("avc1.6400")
    assert all(boxes(p.data) == ["moof", "mdat"] for p in parts)
    assert [(p.segment, p.index, p.last) for p in parts[:7]] == [
        (0, 0, False),
        (0, 1, False),
        (0, 2, False),
        (0, 3, False),
        (0, 4, False),
        (0, 5, True),
        (1, 0, False),
    ]
    assert len(parts) == 15
    assert {p.duration_us for p in parts} == {333_333, 333_334}
    assert [p.independent for p in parts[:7]] == [True, *[False] * 5, True]
    with av.open(io.BytesIO(encoder.init + b"".join(p.data for p in parts))) as container:
        stream = container.streams.video[0]
        times = [p.pts * stream.time_base for p in container.demux(stream) if p.pts is not None]
        assert times == [10 + Fraction(i, 30) for i in range(150)]
        container.seek(0)
        assert sum(1 for _ in container.decode(stream)) == 150


def test_any_segment_plays_by_itself() -> None:
    encoder = VideoEncoder(choose_ladder(640, 360, 30)[0], "libx264")
    parts = encode_parts(encoder, 120)
    second = b"".join(p.data for p in parts if p.segment == 1)
    with av.open(io.BytesIO(encoder.init + second)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60


def test_held_samples_get_their_length_from_the_next() -> None:
    cutter = PartCutter(30_000)
    times = [0, 3000, 6500, 9000, 12_000, 27_000, 40_000, 43_000, 46_000, 100_000]
    cuts = []
    for index, pts in enumerate(times):
        cuts += cutter.push(Sample(av.Packet(b"x"), pts, index in (0, 6), index in (0, 6)))
    cuts += cutter.end(3000)
    got = [(c.segment, c.index, c.last, [s.pts for s in c.samples]) for c in cuts]
    assert got == [
        (0, 0, False, [0, 3000, 6500, 9000, 12_000]),
        (0, 1, True, [27_000]),
        (1, 0, False, [40_000, 43_000]),
        (1, 1, False, [46_000]),
        (1, 2, True, [76_000]),
    ]


def test_a_steady_source_fills_its_parts_without_waiting() -> None:
    """What fills a part goes with it, unless the segment may end there; a late sample leaves no hole."""
    cutter = PartCutter(30_000, shortest_segment=50_000)
    got, ends = [], 0
    for index in range(42):
        jitter = 20 if index % 3 else 0
        late = 4500 if index == 30 else jitter
        begins = index in (0, 20)
        for cut in cutter.push(Sample(av.Packet(b"x"), index * 3000 + late, begins, begins)):
            times = [(s.pts, s.pts + (s.duration or 0)) for s in cut.samples]
            assert [start for start, _ in times] == [ends, *(end for _, end in times[:-1])]
            ends = times[-1][1]
            assert ends - times[0][0] <= 30_000
            got.append((index, cut.segment, cut.index, cut.last, len(cut.samples)))
    assert got == [(9, 0, 0, False, 10), (20, 0, 1, True, 10), (29, 1, 0, False, 10), (40, 1, 1, False, 10)]


@pytest.mark.parametrize("cut", [False, True])
def test_no_pause_makes_a_part_too_long(cut: bool) -> None:
    """What follows a pause begins where its part ends, but a segment begins no earlier than its picture."""
    cutter = PartCutter(30_000)
    times = [0, 3000, 6000, 51_000, 54_000, 57_000, 60_000]
    cuts = []
    for pts in times:
        begins = pts == 0 or (cut and pts == 51_000)
        cuts += cutter.push(Sample(av.Packet(b"x"), pts, begins, begins))
    cuts += cutter.end(3000)
    got = [(c.segment, c.index, [(s.pts, s.duration) for s in c.samples]) for c in cuts]
    after = [(54_000, 3000), (57_000, 3000), (60_000, 3000)]
    if cut:
        assert got == [
            (0, 0, [(0, 3000), (3000, 3000)]),
            (0, 1, [(6000, 30_000)]),
            (1, 0, [(51_000, 3000), *after]),
        ]
    else:
        assert got == [
            (0, 0, [(0, 3000), (3000, 3000)]),
            (0, 1, [(6000, 30_000)]),
            (0, 2, [(36_000, 18_000)]),
            (0, 3, after),
        ]


def test_an_unsteady_source_is_waited_for() -> None:
    cutter = PartCutter(30_000, shortest_segment=150_000)
    times = [0, 3000, 9000, 12_000, 15_000, 18_000, 24_000, 27_000]
    for pts in times:
        assert cutter.push(Sample(av.Packet(b"x"), pts, pts == 0, pts == 0)) == []
    (cut,) = cutter.push(Sample(av.Packet(b"x"), 33_000, False, False))
    assert [sample.pts for sample in cut.samples] == times[:-1]


def test_a_promise_is_a_part_that_the_segment_has_begun_to_need() -> None:
    cutter = PartCutter(30_000)
    promised = []
    for slot in range(21):
        cutter.push(Sample(av.Packet(b"x"), slot * 3000, slot == 0, slot == 0, 3000, slot == 19))
        promised.append(cutter.promised)
    assert [each for each in enumerate(promised) if each[1] is not None] == [(9, 30_000)]


def test_a_sample_without_data_is_refused_by_name() -> None:
    """FFmpeg's muxer leaves it out: a part of nothing else has no moof."""
    encoder = SoundEncoder(SOUND, 0)
    track = TrackPackager("sound", encoder.template, Fraction(1, 48_000))
    with pytest.raises(ValueError, match="without data"):
        track.push(Sample(av.Packet(b""), 0, True, True, 1024, True))


def test_passthrough_keeps_the_bytes() -> None:
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.options = {"tune": "zerolatency", "x264-params": "keyint=60:min-keyint=60:scenecut=0"}
    units = []
    for index in range(130):
        frame = picture(index, 640, 360)
        frame.pts, frame.time_base = index, Fraction(1, 30)
        units += [(bytes(p), p.is_keyframe) for p in context.encode(frame)]
    passthrough = PassthroughTrack(units[0][0])
    assert (passthrough.sps.width, passthrough.sps.height) == (640, 360)
    assert passthrough.fits(units[60][0])
    track = TrackPackager("source", passthrough.template, VIDEO_TIME_BASE)
    parts = []
    for index, (data, key) in enumerate(units):
        packet = passthrough.packet(data, 90_000 + 3000 * index, key)
        parts += track.push(Sample(packet, 90_000 + 3000 * index, key, key))
    assert [p.segment for p in parts] == [0] * 6 + [1] * 6 + [2]
    whole = passthrough.init + b"".join(p.data for p in parts)
    with av.open(io.BytesIO(whole)) as container:
        times = [round(f.time * 30) for f in container.decode(video=0)]
    assert times == list(range(30, 160))


def test_sound_parts() -> None:
    encoder = SoundEncoder(SOUND, 480_000)
    track = TrackPackager("sound", encoder.template, Fraction(1, 48_000))
    parts = []
    for index in range(200):
        frame = av.AudioFrame.from_ndarray(
            np.sin(np.arange(index * 1024, index * 1024 + 1024) / 20).astype(np.float32)[None].repeat(2, 0),
            format="fltp",
            layout="stereo",
        )
        for packet in encoder.encode(frame):
            pts = packet.pts or 0
            ends = (pts + 1024) // 96_000 > pts // 96_000
            parts += track.push(Sample(packet, pts, True, False, 1024, ends))
    assert parts[0].start_us == (480_000 - 1024) * 1_000_000 // 48_000
    assert max(p.duration_us for p in parts) <= 341_334
    assert parts[3].duration_us == pytest.approx(341_333, abs=1)
    assert all(boxes(p.data) == ["moof", "mdat"] for p in parts)
    with av.open(io.BytesIO(encoder.init + b"".join(p.data for p in parts))) as container:
        assert sum(f.samples for f in container.decode(audio=0)) >= 1024 * 180


def test_ladder_is_never_above_the_source() -> None:
    def names(*args: int, passthrough: bool = False) -> list[str]:
        return [f"{r.name}:{r.width}x{r.height}" for r in choose_ladder(*args, passthrough=passthrough)]

    assert names(1920, 1080, 60)[:2] == ["1080p60:1920x1080", "720p30:1280x720"]
    assert names(1280, 720, 30) == ["720p30:1280x720", "480p30:854x480", "360p30:640x360"]
    assert names(720, 1280, 30)[0] == "720p30:720x1280"
    assert names(320, 180, 30) == ["180p30:320x180"]
    assert names(1280, 720, 30, passthrough=True) == [
        "source:1280x720",
        "480p30:854x480",
        "360p30:640x360",
    ]
    assert [r.name for r in base_tier(choose_ladder(1920, 1080, 30))] == ["1080p30", "360p30"]
    assert [choose_fps(f) for f in (15, 24, 25, 29.97, 50, 59.94)] == [30, 24, 25, 30, 50, 60]


@pytest.mark.parametrize("rates", [(1920, 1080, 30, "avc1.640028"), (1280, 720, 30, "avc1.64001F")])
def test_codec_names_match_the_encoder(rates: tuple[int, int, int, str]) -> None:
    width, height, fps, want = rates
    rendition = choose_ladder(width, height, fps)[0]
    assert rendition.codec == want
    assert VideoEncoder(rendition, "libx264").codec == want


def test_pacer_repeats_drops_and_fills() -> None:
    pacer: Pacer[str] = Pacer(30, 0)
    assert [(p.picture, p.slot) for p in pacer.push("a", 1_000)] == [("a", 0)]
    assert [(p.picture, p.slot) for p in pacer.push("b", 34_000)] == [("b", 1)]
    assert pacer.push("c", 36_000) == []
    assert [(p.picture, p.slot, p.repeated) for p in pacer.push("d", 133_000)] == [
        ("c", 2, True),
        ("c", 3, True),
        ("d", 4, False),
    ]
    assert pacer.tick(280_000) == []
    assert [(p.picture, p.slot) for p in pacer.tick(330_000)] == [("d", 5)]
    assert len(pacer.tick(10_000_000)) == 290
    assert pacer.push("late", 5_000_000) == []
    assert [p.picture for p in pacer.tick(10_040_000)] == ["late"]


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_no_part_is_short_except_the_last(fps: int) -> None:
    """RFC 8216bis 4.4.4.9: at least 85 % of the part target, the last of a segment excepted."""
    tick = 90_000 // fps
    cutter = PartCutter(PART_US * 9 // 100)
    cuts = []
    for i in range(4 * fps):
        ends = (i + 1) % (2 * fps) == 0
        cuts += cutter.push(Sample(av.Packet(b"x"), i * tick, True, False, tick, ends))
    for cut in cuts:
        length = len(cut.samples) * tick / 90_000
        assert length <= PART_US / 1e6
        assert cut.last or length >= 0.85 * PART_US / 1e6
