from __future__ import annotations

import io
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import av
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from hls_bridge.part import EpochStart, Event, Part, PartGroup, Thumbnail, TrackStart, TrackStop
from hls_bridge.program import Program, ProgramSettings
from sfu.media import Kind, TapBatch
from tests.generated import AV1, H264, OPUS, VP8, VP9, Feed, merged

START_US = 5_000_000_000


@dataclass
class Run:
    """What came out, by epoch."""

    events: list[Event] = field(default_factory=list)
    epochs: list[EpochStart] = field(default_factory=list)
    parts: list[dict[str, list[Part]]] = field(default_factory=list)
    thumbnails: list[Thumbnail] = field(default_factory=list)
    keyframe_requests: int = 0

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def sort(self) -> Run:
        for event in self.events:
            match event:
                case EpochStart():
                    self.epochs.append(event)
                    self.parts.append(defaultdict(list))
                case PartGroup(parts):
                    for part in parts:
                        self.parts[-1][part.track].append(part)
                case Thumbnail():
                    self.thumbnails.append(event)
                case _:
                    pass
        return self

    def play(self, epoch: int, track: str) -> list[Fraction]:
        """Decode a track; the frames' times in seconds."""
        frames = self.decoded(epoch, track)
        return [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base]

    def decoded(self, epoch: int, track: str) -> Iterator[AudioFrame | VideoFrame]:
        spec = next(t for t in self.epochs[epoch].tracks if t.name == track)
        data = spec.init + b"".join(p.data for p in self.parts[epoch][track])
        with av.open(io.BytesIO(data)) as container:
            for frame in container.decode(container.streams[0]):
                assert isinstance(frame, AudioFrame | VideoFrame)
                yield frame


@dataclass(frozen=True)
class Delivery:
    """A batch on its way into the program."""

    arrival_us: int
    """In the tap's queue."""
    pushed_us: int
    kind: Kind
    batch: TapBatch


def deliveries(feeds: Sequence[Feed], held: tuple[float, float] | None) -> Iterator[Delivery]:
    """While the worker is ``held`` (from, to) packets lie in its socket. The engine reads them 30 ms after
    that, and gives them the time of then; the pipeline needs 2 ms for each batch."""
    low_us, high_us = (START_US + round(s * 1e6) for s in held or (0, 0))
    free_us = 0
    for at, kind, batch in merged(feeds, START_US):
        arrival_us = high_us + 30_000 if low_us <= at < high_us + 30_000 else at
        packets = [replace(packet, arrival_us=arrival_us) for packet in batch.packets]
        pushed_us = max(arrival_us, free_us)
        free_us = pushed_us + (2_000 if arrival_us < pushed_us or arrival_us != at else 0)
        yield Delivery(arrival_us, pushed_us, kind, replace(batch, packets=packets))


def simulate(
    feeds: Sequence[Feed],
    *,
    until_s: float,
    settings: ProgramSettings | None = None,
    held: tuple[float, float] | None = None,
) -> Run:
    run = Run()
    program = Program(
        run.emit, settings or ProgramSettings(codec_name="libx264", passthrough=False, realtime=False)
    )
    now = START_US
    for each in deliveries(feeds, held):
        while now + 20_000 <= each.pushed_us:
            now += 20_000
            if held is None or not held[0] * 1e6 < now - START_US < held[1] * 1e6:
                program.tick(now, all_read=each.arrival_us > now)
        program.push(each.kind, each.batch, each.pushed_us)
        run.keyframe_requests += program.take_keyframe_request()
    while now < START_US + until_s * 1e6:
        now += 20_000
        program.tick(now)
    program.close()
    return run.sort()


def check(run: Run) -> None:
    """What holds for every run."""
    for epoch, tracks in zip(run.epochs, run.parts, strict=True):
        names = {t.name for t in epoch.tracks}
        assert "sound" in names
        assert len(names) >= 2
        ends = {}
        for name, parts in tracks.items():
            limit = 341_334 if name == "sound" else 333_334
            assert max(p.duration_us for p in parts) <= limit
            assert [p.index for p in parts if p.index == 0 and not (p.independent)] == []
            for a, b in itertools.pairwise(parts):
                assert (b.segment, b.index) == ((a.segment + 1, 0) if a.last else (a.segment, a.index + 1))
                assert abs(a.start_us + a.duration_us - b.start_us) <= 1
            ends[name] = parts[-1].segment
            for segment in range(ends[name] + 1):
                length = sum(p.duration_us for p in parts if p.segment == segment)
                assert length < 2_500_000
        starts = {
            (p.segment, name): p.start_us for name, parts in tracks.items() for p in parts if p.index == 0
        }
        for (segment, name), start in starts.items():
            video = starts.get((segment, epoch.tracks[0].name))
            if segment and video is not None:
                assert abs(start - video) <= (25_000 if name == "sound" else 0)


@pytest.mark.parametrize("codec", [H264, VP8, VP9, AV1])
def test_each_codec_becomes_a_ladder(codec) -> None:
    run = simulate([Feed(codec, ends_s=5), Feed(OPUS, ends_s=5)], until_s=5)
    check(run)
    assert len(run.epochs) == 1
    assert [t.name for t in run.epochs[0].tracks] == ["360p30", "sound"]
    times = run.play(0, "360p30")
    assert len(times) >= 130
    assert all(b - a == Fraction(1, 30) for a, b in itertools.pairwise(times))
    assert len(run.play(0, "sound")) > 4.5 * 46
    assert run.keyframe_requests == 0
    assert run.thumbnails
    assert run.thumbnails[0].jpeg[:2] == b"\xff\xd8"


def test_four_rungs_are_cut_alike() -> None:
    settings = ProgramSettings(codec_name="libx264", all_rungs=True, passthrough=False, realtime=False)
    run = simulate(
        [Feed(H264, ends_s=4.5, width=1920, height=1080, fps=60, gop=120), Feed(OPUS, ends_s=4.5)],
        until_s=4.5,
        settings=settings,
    )
    check(run)
    names = [t.name for t in run.epochs[0].tracks]
    assert names == ["1080p60", "720p30", "480p30", "360p30", "sound"]
    starts = {n: [p.start_us for p in run.parts[0][n]] for n in names[:-1]}
    assert starts["1080p60"] == starts["720p30"] == starts["480p30"] == starts["360p30"]
    groups = [e for e in run.events if isinstance(e, PartGroup) and e.parts[0].track != "sound"]
    assert all(len(g.parts) == 4 for g in groups)


def test_passthrough_takes_over_and_an_overdue_keyframe_ends_it() -> None:
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    feeds = [
        Feed(H264, ends_s=14),
        Feed(
            H264,
            begins_s=14,
            ends_s=24,
            gop=240,
            generation=0,
            sequence=1000,
            timestamp=2**32 - 90_000 + 14 * 90_000,
        ),
        Feed(OPUS, ends_s=24),
    ]
    run = simulate(feeds, until_s=24, settings=settings)
    check(run)
    tops = [e.tracks[0].name for e in run.epochs]
    assert tops == ["360p30", "source", "360p30"]
    assert [t.name for t in run.epochs[1].tracks] == ["source", "sound"]
    times = run.play(1, "source")
    assert len(times) >= 200


def test_a_new_shape_is_a_discontinuity_and_a_new_codec_is_none() -> None:
    feeds = [
        Feed(H264, ends_s=4),
        Feed(VP8, begins_s=4, ends_s=8, generation=1, sequence=5, timestamp=77),
        Feed(VP8, begins_s=8, ends_s=12, generation=2, width=360, height=640),
        Feed(OPUS, ends_s=12),
    ]
    run = simulate(feeds, until_s=12)
    check(run)
    assert [(e.tracks[0].width, e.tracks[0].height) for e in run.epochs] == [(640, 360), (360, 640)]
    assert len(run.play(0, "360p30")) > 200


def test_thirty_seconds_without_picture_and_a_publisher_that_returns() -> None:
    feeds = [
        Feed(H264, ends_s=3),
        Feed(OPUS, ends_s=3),
        Feed(H264, begins_s=33, ends_s=37, generation=1, timestamp=9),
        Feed(OPUS, begins_s=33.1, ends_s=37, generation=1, timestamp=2**31),
    ]
    run = simulate(feeds, until_s=37)
    check(run)
    assert len(run.epochs) == 1
    times = run.play(0, "360p30")
    assert times[-1] - times[0] > 36
    assert len(run.play(0, "sound")) * 1024 / 48_000 > 36


def test_thirty_seconds_without_picture_while_sound_goes_on() -> None:
    """The source passed through; its last picture then stands in a transcoded epoch."""
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    run = simulate(
        [Feed(H264, ends_s=42, skip=[(9.5, 39.5)]), Feed(OPUS, ends_s=42)], until_s=42, settings=settings
    )
    check(run)
    assert [epoch.tracks[0].name for epoch in run.epochs] == ["360p30", "source", "360p30"]
    times = run.play(2, "360p30")
    assert times[-1] - times[0] > 29
    assert all(b - a == Fraction(1, 30) for a, b in itertools.pairwise(times))
    sound = [part for parts in run.parts for part in parts["sound"]]
    assert all(abs(b.start_us - a.start_us - a.duration_us) <= 25_000 for a, b in itertools.pairwise(sound))
    assert sound[-1].start_us - sound[0].start_us > 38_000_000


def test_gops_of_eight_seconds_never_pass_through() -> None:
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    run = simulate([Feed(H264, ends_s=20, gop=240), Feed(OPUS, ends_s=20)], until_s=20, settings=settings)
    check(run)
    assert [epoch.tracks[0].name for epoch in run.epochs] == ["360p30"]


def test_late_and_missing_tracks() -> None:
    run = simulate([Feed(OPUS, ends_s=4)], until_s=4)
    check(run)
    assert run.epochs[0].tracks[0].width == 640
    run = simulate([Feed(H264, ends_s=4)], until_s=4)
    check(run)
    assert len(run.play(0, "sound")) > 100
    run = simulate([Feed(VP8, ends_s=6), Feed(OPUS, begins_s=3, ends_s=6)], until_s=6)
    check(run)
    assert len(run.epochs) == 1


def test_a_picture_that_is_on_its_way_is_waited_for() -> None:
    late = Feed(H264, ends_s=6, width=360, height=640, skip=[(0, 0.1)])  # its first keyframe never comes
    run = simulate([late, Feed(OPUS, ends_s=6)], until_s=6)
    check(run)
    assert [(e.tracks[0].width, e.tracks[0].height) for e in run.epochs] == [(360, 640)]
    later = Feed(H264, begins_s=2.5, ends_s=6, width=360, height=640)
    run = simulate([later, Feed(OPUS, ends_s=6)], until_s=6)
    check(run)
    assert [(e.tracks[0].width, e.tracks[0].height) for e in run.epochs] == [(360, 640)]
    run = simulate([Feed(H264, ends_s=9, gop=240, skip=[(0, 0.1)]), Feed(OPUS, ends_s=7)], until_s=7)
    assert len(run.epochs) == 1, "sound alone begins in the end"
    assert len(run.play(0, "sound")) > 1.5 * 46


def test_loss_freezes_until_a_keyframe_and_asks_for_one() -> None:
    run = simulate([Feed(H264, ends_s=8, loss=0.02), Feed(OPUS, ends_s=8, loss=0.05)], until_s=8)
    check(run)
    assert run.keyframe_requests > 0
    assert len(run.play(0, "360p30")) > 200


def test_variable_frame_rate_keeps_time() -> None:
    skips = [(1 + i * 0.5, 1 + i * 0.5 + 0.3) for i in range(8)]
    run = simulate([Feed(H264, ends_s=6, skip=skips, gop=10), Feed(OPUS, ends_s=6)], until_s=6)
    check(run)
    times = run.play(0, "360p30")
    assert times[-1] - times[0] == pytest.approx(5.6, abs=0.4)


def test_rungs_come_and_go_where_segments_begin() -> None:
    run = Run()
    program = Program(run.emit, ProgramSettings(codec_name="libx264", passthrough=False, realtime=False))
    items = merged([Feed(VP8, ends_s=9, width=1280, height=720), Feed(OPUS, ends_s=9)], START_US)
    for at, kind, batch in items:
        program.push(kind, batch, at)
        program.tick(at)
        if at > START_US + 6_000_000:
            program.want([])
        elif at > START_US + 3_000_000:
            program.want(["480p30", "720p30"])
    program.close()
    changes = [e for e in run.events if isinstance(e, TrackStart | TrackStop)]
    assert [(type(e).__name__, e.track.name if isinstance(e, TrackStart) else e.name) for e in changes][
        :1
    ] == [("TrackStart", "480p30")]
    run.sort()
    rung = run.parts[0]["480p30"]
    assert rung[0].segment >= 1
    assert rung[0].independent
    assert {t.name for t in run.epochs[0].tracks} == {"720p30", "360p30", "sound"}


@pytest.mark.parametrize("pause", [(8.3, 8.63), (8.3, 8.7), (9.1, 10.1)])
def test_a_pause_that_no_part_can_hold_ends_passthrough(pause: tuple[float, float]) -> None:
    """One that it can; in the middle of a segment; over the place of a keyframe."""
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    feeds = [Feed(H264, ends_s=11, skip=[pause], width=640, height=480), Feed(OPUS, ends_s=11)]
    run = simulate(feeds, until_s=11, settings=settings)
    check(run)
    tops = [epoch.tracks[0].name for epoch in run.epochs]
    assert tops == ["480p30", "source"] if pause == (8.3, 8.63) else ["480p30", "source", "480p30"]
    for name in ("360p30", "sound"):
        parts = [part for parts in run.parts for part in parts[name]]
        steps = [b.start_us - a.start_us - a.duration_us for a, b in itertools.pairwise(parts)]
        assert max(map(abs, steps)) < 100_000, "pictures and sound go on over the pause"


def test_a_source_with_fewer_pictures_than_parts_never_passes_through() -> None:
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    run = simulate(
        [Feed(H264, ends_s=13, fps=2, gop=4), Feed(OPUS, ends_s=13)], until_s=13, settings=settings
    )
    check(run)
    assert [epoch.tracks[0].name for epoch in run.epochs] == ["360p30"]


def test_a_new_source_whose_keyframe_takes_long_is_transcoded_meanwhile() -> None:
    """The last picture of a source that passed through stands until then, and segments go on."""
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    new = Feed(H264, begins_s=8.5, ends_s=16, gop=150, generation=1, skip=[(8.5, 8.6)])
    run = simulate([Feed(H264, ends_s=8.5), new, Feed(OPUS, ends_s=16)], until_s=16, settings=settings)
    check(run)
    assert [epoch.tracks[0].name for epoch in run.epochs] == ["360p30", "source", "360p30"]
    times = run.play(2, "360p30")
    assert all(b - a == Fraction(1, 30) for a, b in itertools.pairwise(times))
