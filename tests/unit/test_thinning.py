from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest

from hls_bridge.collector import PartCollector
from hls_bridge.encoder import VideoEncoder
from hls_bridge.ladder import CATCH_UP_US, Ladder
from hls_bridge.packager import PartCutter, Sample
from hls_bridge.part import PART_US, Event, Part, PartGroup, TrackStop
from hls_bridge.rendition import choose_ladder
from hls_bridge.rung import TICKS, Picture, Rung
from hls_bridge.sound_path import SoundPath
from hls_bridge.thinning import Thinning

FRAME = av.VideoFrame(16, 16, "yuv420p")
LARGE = av.VideoFrame(640, 360, "yuv420p")
FIRST = 700
"""Of the slots: even, and no multiple of what pictures are shown for."""


def thinned(fps: int, behind: list[int]) -> list[Picture]:
    """Two seconds of pictures for each entry: so many wait during them."""
    thinning = Thinning(fps)
    out = []
    for slot in range(FIRST, FIRST + 2 * fps * len(behind)):
        segment, place = divmod(slot - FIRST, 2 * fps)
        cut = slot - place + 2 * fps
        picture = Picture(FRAME, slot * TICKS // fps, segment, place == 0, slot, slot, cut)
        if (thin := thinning.thin(picture, behind[segment])) is not None:
            out.append(thin)
    return out


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_what_is_left_out_is_no_hole(fps: int) -> None:
    """In no rung, at the full rate or at half of it: parts and segments follow each other."""
    pictures = thinned(fps, [0, 20, 0, 100, 20, 100, 0])
    assert len(pictures) < 2 * fps * 5
    for divisor in (1, 2) if fps > 30 else (1,):
        cutter = PartCutter(PART_US * 9 // 100)
        cuts = []
        for picture in pictures:
            assert picture.slot is not None
            assert picture.next_cut_slot is not None
            if picture.slot % divisor:
                continue
            slots = max(picture.slots, divisor)
            ends = picture.slot + slots >= picture.next_cut_slot
            sample = Sample(
                av.Packet(b"x"),
                picture.pts,
                picture.begins_segment,
                picture.begins_segment,
                slots * TICKS // fps,
                ends,
            )
            cuts += cutter.push(sample)
        samples = [sample for cut in cuts for sample in cut.samples]
        assert samples[0].pts == FIRST * TICKS // fps
        for sample, following in itertools.pairwise(samples):
            assert sample.pts + (sample.duration or 0) == following.pts
        lengths = [sum(Fraction(s.duration or 0, TICKS) for s in cut.samples) for cut in cuts]
        assert max(lengths) <= Fraction(PART_US, 1_000_000)
        assert sum(cut.last for cut in cuts) == 7
        for cut in cuts:
            if cut.index == 0:
                assert cut.samples[0].keyframe


def test_a_machine_that_is_far_behind_makes_a_picture_for_each_part() -> None:
    assert [p.slots for p in thinned(30, [0, 20, 100])] == [1] * 60 + [2] * 30 + [10] * 6
    assert [p.slots for p in thinned(60, [100])] == [20] * 6


def test_pictures_at_the_sources_times_stay_within_a_part() -> None:
    thinning = Thinning(30)
    pts = []
    for number in range(240):
        begins = number % 60 == 0
        picture = Picture(FRAME, 3000 * number + number * 7 % 40, number // 60, begins, number)
        if thinning.thin(picture, 100 if number < 120 else 20) is not None:
            pts.append(picture.pts)
    steps = [b - a for a, b in itertools.pairwise(pts)]
    assert max(steps) <= TICKS // 3
    assert len(pts) < 80


def part(track: str, segment: int, index: int, *, last: bool = False) -> Part:
    return Part(track, segment, index, 0, 333_333, index == 0, last, b"")


def test_rungs_with_other_numbers_of_parts_do_not_wait_for_each_other() -> None:
    """One that leaves out pictures cuts elsewhere; nothing may wait for a part that will never come."""
    events: list[Event] = []
    collector = PartCollector(events.append)
    for track in ("source", "360p30"):
        collector.join(track, 0)
    for index in range(7):
        collector.add(part("source", 0, index, last=index == 6))
    collector.add(part("source", 1, 0))
    for index in range(6):
        collector.add(part("360p30", 0, index, last=index == 5))
    collector.add(part("360p30", 1, 0))
    groups = [[(p.track, p.segment, p.index) for p in e.parts] for e in events if isinstance(e, PartGroup)]
    assert groups == [
        *[[("source", 0, i), ("360p30", 0, i)] for i in range(6)],
        [("source", 0, 6)],
        [("source", 1, 0), ("360p30", 1, 0)],
    ]
    collector.add(part("360p30", 1, 1))
    assert len(events) == 8, "what may still come is waited for"


@pytest.mark.parametrize("pictures", [19, 20, 21])
def test_an_epoch_ends_with_the_part_that_players_wait_for(pictures: int) -> None:
    """Where the last picture has filled a part, it is shown once more: the name of the next is out."""
    events: list[Event] = []
    rungs = choose_ladder(640, 360, 30)
    ladder = Ladder(rungs, 30, events.append, active=["360p30"], codec_name="libx264", realtime=False)
    for slot in range(pictures):
        ladder.push(Picture(LARGE, 3000 * slot, 0, slot == 0, slot, slot, 60))
    end_us = ladder.end()
    parts = [p for e in events if isinstance(e, PartGroup) for p in e.parts]
    assert [(p.index, p.last) for p in parts][-1] == ((1, True) if pictures < 20 else (2, True))
    assert (
        end_us == parts[-1].start_us + parts[-1].duration_us == (19 if pictures == 19 else 21) * 100_000 // 3
    )


@pytest.mark.parametrize("blocks", [32, 33, 34, 35])
def test_sound_ends_so_too(blocks: int) -> None:
    events: list[Event] = []
    sound = SoundPath(events.append)
    sound.restart(0)
    sound.know_until(2_000_001)
    for number in range(blocks):
        sound.push(np.zeros((1024, 2), np.float32), number * 1024 * 1_000_000 // 48_000)
    told = [p for e in events if isinstance(e, PartGroup) for p in e.parts]
    sound.end()
    parts = [p for e in events if isinstance(e, PartGroup) for p in e.parts]
    assert len(parts) == len(told) + 1
    assert parts[-1].last


def test_rungs_that_got_much_at_once_may_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a hold of the worker; those that stay behind are too many."""
    waiting = 84
    monkeypatch.setattr(Rung, "behind", property(lambda _: waiting))
    events: list[Event] = []
    renditions = choose_ladder(1280, 720, 30)
    ladder = Ladder(renditions, 30, events.append, active={r.name for r in renditions}, codec_name="libx264")
    frame = av.VideoFrame(1280, 720, "yuv420p")

    def stopped(segment: int) -> list[str]:
        """Rungs that end where this segment begins."""
        slot = 60 * segment
        ladder.push(Picture(frame, slot * TICKS // 30, segment, True, slot, slot, slot + 60))
        ladder.flush()
        return [event.name for event in events if isinstance(event, TrackStop)]

    ladder.tick(0)
    ladder.tick(CATCH_UP_US - 1)
    assert stopped(0) == []
    waiting = 40
    ladder.tick(CATCH_UP_US)
    waiting = 84
    ladder.tick(CATCH_UP_US + 1)
    ladder.tick(2 * CATCH_UP_US)
    assert stopped(1) == []
    ladder.tick(2 * CATCH_UP_US + 1)
    assert stopped(2) == ["480p30"]
    ladder.end()


def test_a_rung_that_fails_is_said_to_have_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its playlist would be listed on, and never grow."""
    encode = VideoEncoder.encode

    def failing(self: VideoEncoder, frame: av.VideoFrame, pts: int, *, idr: bool) -> Sequence[av.Packet]:
        if frame.height == 480 and pts > TICKS:
            raise av.FFmpegError(5, "the card was lost")
        return encode(self, frame, pts, idr=idr)

    monkeypatch.setattr(VideoEncoder, "encode", failing)
    events: list[Event] = []
    renditions = choose_ladder(1280, 720, 30)
    active = {rendition.name for rendition in renditions}
    ladder = Ladder(renditions, 30, events.append, active=active, codec_name="libx264", realtime=False)
    frame = av.VideoFrame(1280, 720, "yuv420p")
    for slot in range(60):
        ladder.push(Picture(frame, slot * TICKS // 30, 0, slot == 0, slot, slot, 60))
    ladder.end()
    assert [event.name for event in events if isinstance(event, TrackStop)] == ["480p30"]
    parts = [part for event in events if isinstance(event, PartGroup) for part in event.parts]
    ends = {name: max(p.start_us + p.duration_us for p in parts if p.track == name) for name in active}
    assert ends["720p30"] == ends["360p30"] == 2_000_000
    assert ends["480p30"] < 1_100_000
