from __future__ import annotations

import itertools
import re

from hls_bridge.live import Live
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from hls_bridge.program_clock import ProgramClock, date_time
from hls_bridge.track import ClosedSegment

WALL = 1_800_000_000_000_000
V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init-v", 1280, 720, 30)
L = TrackSpec("360p30", "video", "avc1.64001E", 770_000, b"init-l", 640, 360, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init-a", channels=2)


class Driver:
    """Feeds a `Live` with regular parts."""

    def __init__(self) -> None:
        self.closed: list[ClosedSegment] = []
        self.live = Live(0, WALL, on_closed=self.closed.append)
        self.start_us = 10_000_000

    def epoch(self, *tracks: TrackSpec) -> None:
        self.live.handle_event(EpochStart(tracks, self.start_us), self.start_us, WALL + self.start_us)
        self.segment = 0

    def parts(self, track: TrackSpec, segment: int, indices: range, *, last: int = 5) -> None:
        for i in indices:
            start = self.start_us + segment * 2_000_000 + i * 333_333
            part = Part(
                track.name, segment, i, start, 333_334 if i == 5 else 333_333, i == 0, i == last, b"%d" % i
            )
            self.live.handle_event(PartGroup((part,)), start, WALL + start)


def test_a_whole_playlist() -> None:
    d = Driver()
    d.epoch(V, A)
    for segment in range(3):
        d.parts(V, segment, range(6))
    d.parts(V, 3, range(2))
    d.parts(A, 0, range(1))
    assert d.live.tracks["720p30"].full is not None
    assert (
        d.live.tracks["720p30"].full.plain.decode()
        == """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.001,HOLD-BACK=6.0
#EXT-X-PART-INF:PART-TARGET=0.333336
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="720p30/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:10.000Z
#EXTINF:1.999999,
720p30/0.m4s
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:12.000Z
#EXT-X-PART:DURATION=0.333335,URI="720p30/1.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.333335,URI="720p30/1.1.m4s"
#EXT-X-PART:DURATION=0.333335,URI="720p30/1.2.m4s"
#EXT-X-PART:DURATION=0.333335,URI="720p30/1.3.m4s"
#EXT-X-PART:DURATION=0.333335,URI="720p30/1.4.m4s"
#EXT-X-PART:DURATION=0.333336,URI="720p30/1.5.m4s"
#EXTINF:1.999999,
720p30/1.m4s
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:14.000Z
#EXT-X-PART:DURATION=0.333335,URI="720p30/2.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.333335,URI="720p30/2.1.m4s"
#EXT-X-PART:DURATION=0.333335,URI="720p30/2.2.m4s"
#EXT-X-PART:DURATION=0.333335,URI="720p30/2.3.m4s"
#EXT-X-PART:DURATION=0.333335,URI="720p30/2.4.m4s"
#EXT-X-PART:DURATION=0.333336,URI="720p30/2.5.m4s"
#EXTINF:1.999999,
720p30/2.m4s
#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:16.000Z
#EXT-X-PART:DURATION=0.333335,URI="720p30/3.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.333335,URI="720p30/3.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="720p30/3.2.m4s"
"""
    )
    assert d.live.tracks["sound"].full is not None
    sound = d.live.tracks["sound"].full.plain.decode()
    assert sound.splitlines()[-1] == '#EXT-X-RENDITION-REPORT:URI="720p30.m3u8",LAST-MSN=3,LAST-PART=1'
    assert "PART-HOLD-BACK=1.025" in sound


def test_a_delta_joins_up_with_the_full_playlist() -> None:
    d = Driver()
    d.epoch(V)
    for segment in range(20):
        d.parts(V, segment, range(6))
    track = d.live.tracks["720p30"]
    assert track.full is not None
    assert track.delta is not None
    full, delta = track.full.plain.decode(), track.delta.plain.decode()
    skipped = int(delta.split("SKIPPED-SEGMENTS=")[1].split("\n")[0])
    assert skipped == 15 - 7
    kept = delta.split("SKIPPED-SEGMENTS=8\n")[1]
    assert full.endswith(kept)
    assert full.count("#EXTINF") == 15
    assert kept.count("#EXTINF") == 7
    assert "#EXT-X-MEDIA-SEQUENCE:5\n" in delta
    assert len(full) > 2000
    assert track.full.gzipped is not None


def test_a_discontinuity_is_equal_in_all_tracks() -> None:
    d = Driver()
    d.epoch(V, L, A)
    for track in (V, L, A):
        d.parts(track, 0, range(6))
    d.parts(V, 1, range(3))
    d.parts(L, 1, range(2))  # the worker dies here: sound has nothing of segment 1
    d.start_us += 5_000_000
    d.epoch(V, L, A)
    for track in (V, L, A):
        d.parts(track, 0, range(6))
        d.parts(track, 1, range(1))
    texts = {n: t.full.plain.decode() for n, t in d.live.tracks.items() if t.full}
    for name, text in texts.items():
        assert text.count("#EXT-X-DISCONTINUITY\n") == 1
        before, after = text.split("#EXT-X-DISCONTINUITY\n")
        assert before.count("#EXTINF") == 2
        assert after.startswith(f'#EXT-X-MAP:URI="{name}/init-1.mp4"\n')
        assert f"{name}/2.m4s" in after
    assert "#EXT-X-GAP\n" in texts["sound"]
    assert "#EXTINF:0.999999,\n720p30/1.m4s" in texts["720p30"]
    for segment in range(1, 18):
        for track in (V, L, A):
            d.parts(track, segment, range(1 if segment == 1 else 0, 6))
    for track in d.live.tracks.values():
        assert track.full is not None
        assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in track.full.plain.decode()
        assert "#EXT-X-DISCONTINUITY\n" not in track.full.plain.decode()


def test_blocking_rules() -> None:
    d = Driver()
    d.epoch(V)
    d.parts(V, 0, range(6))
    d.parts(V, 1, range(3))
    track = d.live.tracks["720p30"]
    assert [track.has(0, None), track.has(0, 5), track.has(1, 2)] == [True] * 3
    assert [track.has(1, None), track.has(1, 3), track.has(2, 0)] == [False] * 3
    assert track.has(0, 6)  # beyond the segment's end: the first part of the next one answers it
    assert d.live.part_may_come("720p30", 1, 3)
    assert not d.live.part_may_come("720p30", 1, 4)
    assert not d.live.part_may_come("720p30", 0, 6)
    d.parts(V, 1, range(3, 6))
    assert d.live.part_may_come("720p30", 2, 0)


def test_memory_is_bounded() -> None:
    d = Driver()
    d.epoch(V)
    for segment in range(100):
        d.parts(V, segment, range(6))
    assert len(d.live.tracks["720p30"].segments) == 22
    assert d.live.segment("720p30", 77) is None
    assert d.live.segment("720p30", 78) == b"012345"
    assert d.live.part("720p30", 77, 0) is None


def test_program_date_time_slews() -> None:
    clock = ProgramClock(0, WALL)
    assert clock.next_segment(2_000_000, 2_000_000, WALL + 2_000_000) == WALL + 2_000_000
    stepped = WALL + 3_600_000_000
    times = [clock.next_segment(i * 2_000_000, i * 2_000_000, stepped + i * 2_000_000) for i in range(1, 9)]
    assert [b - a for a, b in itertools.pairwise(times)] == [2_001_000] * 7
    assert date_time(1_700_000_000_999_600) == "2023-11-14T22:13:21.000Z"


def test_each_track_has_the_date_of_its_own_start() -> None:
    d = Driver()
    d.epoch(V, A)
    for segment in range(2):
        first, second = (V, A) if segment else (A, V)
        for track in (first, second):
            start = d.start_us + segment * 2_000_000 + (15_000 if track is A else 0)
            part = Part(track.name, segment, 0, start, 2_000_000, True, True, b"x")
            d.live.handle_event(PartGroup((part,)), start, WALL + start)
    dates = {
        name: re.findall(r"DATE-TIME:.*:(\d\d\.\d+)Z", t.full.plain.decode())
        for name, t in d.live.tracks.items()
        if t.full
    }
    assert dates == {"720p30": ["10.000", "12.000"], "sound": ["10.015", "12.015"]}
