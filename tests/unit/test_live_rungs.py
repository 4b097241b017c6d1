"""The rungs of a live stream: the master playlist, and when a rung stands in it."""

from __future__ import annotations

import pytest

from hls_bridge.part import Part, PartGroup, TrackSpec, TrackStart, TrackStop
from tests.unit.test_live import WALL, A, Driver, L, V


@pytest.mark.parametrize("segments", [1, 3])
def test_a_rung_that_an_epoch_lacks_goes_on_as_the_nearest(segments: int) -> None:
    d = Driver()
    d.epoch(V, L, A)
    for track in (V, L, A):
        d.parts(track, 0, range(6))
    source = TrackSpec("source", "video", "avc1.42E01F", 2_000_000, b"init-s", 1280, 720, 30)
    d.start_us += 2_000_000
    d.epoch(source, L, A)
    for segment in range(segments):
        for track in (source, L, A):
            d.parts(track, segment, range(6))
    full = d.live.tracks["720p30"].full
    assert full is not None
    assert "source/1.m4s" in full.plain.decode()
    assert '#EXT-X-MAP:URI="source/init-1.mp4"' in full.plain.decode()
    # Until players can begin with the new one, it goes by the name of the one that it takes the place of.
    top = "720p30.m3u8" if segments < 3 else "source.m3u8"
    assert listed(d) == [top, "360p30.m3u8"]
    assert 'CODECS="avc1.42E01F,mp4a.40.2"' in d.live.master("")


def test_master_is_measured() -> None:
    d = Driver()
    d.epoch(V, L, A)
    assert d.live.master("x/").splitlines()[4].startswith("#EXT-X-STREAM-INF:BANDWIDTH=2890000,")
    start = d.start_us
    for name, size in (("720p30", 500_000), ("360p30", 100_000), ("sound", 32_000)):
        part = Part(name, 0, 0, start, 2_000_000, True, True, bytes(size))
        d.live.handle_event(PartGroup((part,)), start, WALL)
    assert (
        d.live.master("x/")
        == """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="x/sound.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2128000,AVERAGE-BANDWIDTH=2128000,CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="sound",CLOSED-CAPTIONS=NONE
x/720p30.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=528000,AVERAGE-BANDWIDTH=528000,CODECS="avc1.64001E,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="sound",CLOSED-CAPTIONS=NONE
x/360p30.m3u8
"""
    )


def test_rungs_join_and_leave() -> None:
    d = Driver()
    d.epoch(V, A)
    d.parts(V, 0, range(6))
    d.live.handle_event(TrackStart(L, 1), 0, WALL)
    d.parts(L, 1, range(2))
    track = d.live.tracks["360p30"]
    assert track.full is not None
    assert "#EXT-X-MEDIA-SEQUENCE:1\n" in track.full.plain.decode()
    d.live.delist({"360p30"})
    assert "360p30" not in d.live.master("")
    d.live.handle_event(TrackStop("360p30"), 0, WALL)
    assert track.stopped


def listed(d: Driver) -> list[str]:
    return [line for line in d.live.master("").splitlines() if line.endswith(".m3u8")]


def test_a_rung_that_joins_is_listed_when_a_player_can_begin_with_it() -> None:
    d = Driver()
    d.epoch(V, A)
    for segment in range(4):
        d.parts(V, segment, range(6))
        d.parts(A, segment, range(6))
    d.live.handle_event(TrackStart(L, 4), 0, WALL)
    for segment in range(4, 7):
        assert listed(d) == ["720p30.m3u8"]
        assert d.live.playable, "nobody waits for the new rung"
        for track in (V, L, A):
            d.parts(track, segment, range(6))
    assert listed(d) == ["720p30.m3u8", "360p30.m3u8"]
    d.live.delist({"360p30"})
    assert listed(d) == ["720p30.m3u8"]
    d.live.delist(())
    assert listed(d) == ["720p30.m3u8", "360p30.m3u8"]


def test_rungs_that_begin_together_are_listed_together() -> None:
    d = Driver()
    d.epoch(V, L, A)
    assert not d.live.playable
    for track in (V, L, A):
        d.parts(track, 0, range(6))
    assert d.live.playable
    assert listed(d) == ["720p30.m3u8", "360p30.m3u8"]


def test_a_rung_that_rejoins_begins_anew() -> None:
    d = Driver()
    d.epoch(V, L)
    for segment in range(2):
        for track in (V, L):
            d.parts(track, segment, range(6))
    d.live.handle_event(TrackStop("360p30"), 0, WALL)
    for segment in range(2, 12):
        d.parts(V, segment, range(6))
    d.live.handle_event(TrackStart(L, 12), 0, WALL)
    assert listed(d) == ["720p30.m3u8"]
    for segment in range(12, 15):
        for track in (V, L):
            d.parts(track, segment, range(6))
    assert listed(d) == ["720p30.m3u8", "360p30.m3u8"]
    assert [(s.msn, s.gap) for s in d.live.tracks["360p30"].segments] == [(n, False) for n in (12, 13, 14)]
