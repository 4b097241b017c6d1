from __future__ import annotations

import dataclasses
import itertools
import re

from hls_bridge.live import KEPT_SEGMENTS
from hls_bridge.part import Part, PartGroup
from hls_bridge.program_clock import ProgramClock, date_time
from tests.live_driver import WALL, A, Driver, L, V


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


def test_an_epoch_that_a_crash_left_empty_is_no_discontinuity() -> None:
    d = Driver()
    d.epoch(V)  # killed before its first part, and once more after its first segment
    for _ in range(3):
        d.epoch(V)
        d.parts(V, 0, range(6))
        d.start_us += 3_000_000
        d.epoch(V)
    d.parts(V, 0, range(6))
    counted: dict[int, int] = {}
    for segment in range(1, 24):
        d.parts(V, segment, range(6))
        rendered = d.live.tracks["720p30"].full
        assert rendered is not None
        text = rendered.plain.decode()
        discontinuities = int(text.split("#EXT-X-DISCONTINUITY-SEQUENCE:")[1].split("\n")[0])
        for line in text.splitlines():
            discontinuities += line == "#EXT-X-DISCONTINUITY"
            if re.fullmatch(r"720p30/\d+\.m4s", line):
                msn = int(line[7:-4])
                assert counted.setdefault(msn, discontinuities) == discontinuities, "players count on"
    assert [counted[msn] for msn in range(5)] == [0, 1, 2, 3, 3]


def test_memory_holds_the_newest_segments_alone() -> None:
    """Of tracks that have ended too: a source that passes through and disappoints again and again."""
    d = Driver()
    source = dataclasses.replace(V, name="source")
    held: list[tuple[str, int]] = []
    for _ in range(4):
        for track in (V, source):
            d.epoch(track)
            for segment in range(5):
                d.parts(track, segment, range(6))
            d.parts(track, 5, range(2))  # cut off
            d.start_us += 11_000_000
    for name, msn in itertools.product(("720p30", "source"), range(48)):
        if d.live.part(name, msn, 0) is not None or d.live.segment(name, msn) is not None:
            held.append((name, msn))
    assert sorted(msn for _, msn in held) == list(range(48 - KEPT_SEGMENTS - 1, 48))


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
