"""Where an epoch or a stream ends: hints, gaps, the last playlist."""

from __future__ import annotations

import dataclasses
import re

from hls_bridge.part import EpochEnd
from tests.unit.test_live import WALL, Driver, L, V


def hints(d: Driver) -> list[str]:
    rendered = [track.full for track in d.live.tracks.values()]
    return [
        tag
        for full in rendered
        if full
        for tag in re.findall(r"PRELOAD-HINT:.*\"(.+)\"", full.plain.decode())
    ]


def test_a_hint_names_what_comes() -> None:
    d = Driver()
    d.epoch(V, L)
    for track in (V, L):
        d.parts(track, 0, range(6))
    assert hints(d) == ["720p30/1.0.m4s", "360p30/1.0.m4s"]
    d.live.handle_event(EpochEnd(), d.start_us, WALL)
    for track in (V, L):
        d.parts(track, 1, range(2), last=1)
    assert hints(d) == ["720p30/1.0.m4s", "360p30/1.0.m4s"]
    assert not d.live.tracks["720p30"].has(1, 0)
    assert d.live.part_may_come("720p30", 1, 0)
    source = dataclasses.replace(V, name="source")
    d.epoch(source, L)
    assert hints(d) == ["source/2.0.m4s", "360p30/2.0.m4s"]
    assert d.live.tracks["720p30"].last == (1, 1)


def test_what_ends_an_epoch_is_in_the_last_playlist() -> None:
    d = Driver()
    d.epoch(V)
    d.parts(V, 0, range(6))
    d.live.handle_event(EpochEnd(), d.start_us, WALL)
    d.parts(V, 1, range(2), last=1)
    assert d.live.end() == {"720p30"}
    track = d.live.tracks["720p30"]
    assert track.full is not None
    assert track.full.plain.decode().endswith("720p30/1.m4s\n#EXT-X-ENDLIST\n")
    assert d.closed[1].data == b"01"


def test_after_a_crash_no_hint_names_a_gap() -> None:
    """One rung was a segment behind when the worker died: the next epoch has no such part for it."""
    d = Driver()
    d.epoch(V, L)
    d.parts(V, 0, range(6))
    d.parts(L, 0, range(6))
    d.parts(V, 1, range(6))
    d.parts(V, 2, range(2))
    d.epoch(V, L)
    assert hints(d) == ["720p30/3.0.m4s", "360p30/3.0.m4s"]
    low = d.live.tracks["360p30"]
    assert [(s.msn, s.gap) for s in low.segments] == [(0, False), (1, True), (2, True)]
    assert d.live.part_may_come("360p30", 3, 0)
    d.start_us += 6_000_000
    for track in (L, V):
        d.parts(track, 0, range(1))
    assert [(s.msn, s.gap, s.discontinuity) for s in low.segments[1:]] == [
        (1, True, False),
        (2, True, False),
        (3, False, True),
    ]


def test_the_end() -> None:
    d = Driver()
    d.epoch(V)
    d.parts(V, 0, range(4))
    d.live.end()
    track = d.live.tracks["720p30"]
    assert track.full is not None
    assert track.full.plain.decode().endswith("720p30/0.m4s\n#EXT-X-ENDLIST\n")
    assert d.closed[0].data == b"0123"


def test_a_segment_that_nobody_closed() -> None:
    d = Driver()
    d.epoch(V)
    d.parts(V, 0, range(4))
    d.parts(V, 1, range(1))
    assert d.live.segment("720p30", 0) == b"0123"
    assert [c.listed.msn for c in d.closed] == [0]
    assert d.live.tracks["720p30"].last == (1, 0)
