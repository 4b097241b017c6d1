"""When a source's own H.264 may be the top rung."""

from __future__ import annotations

import pytest

from hls_bridge.gop_watch import LONGEST_US, MOST_PROOFS, PROOFS, GopWatch
from hls_bridge.part import PART_US

FRAME_US = 33_333


class Source:
    """Pictures at 30 a second, a keyframe every ``gop``."""

    def __init__(self) -> None:
        self.watch = GopWatch()
        self.at_us = 0
        self.cuts: list[int] = []

    def frames(self, count: int, *, gop: int = 60) -> None:
        for index in range(count):
            if self.watch.push(self.at_us, keyframe=index % gop == 0):
                self.cuts.append(self.at_us)
            self.at_us += FRAME_US

    def pause(self, us: int) -> None:
        self.at_us += us

    def intervals_until_regular(self) -> int:
        before = len(self.cuts)
        while not self.watch.regular:
            self.frames(60)
            assert len(self.cuts) - before < 100
        return len(self.cuts) - before


def test_it_takes_intervals_in_a_row() -> None:
    source = Source()
    assert source.intervals_until_regular() == PROOFS + 1
    assert source.cuts == [60 * FRAME_US * index for index in range(PROOFS + 1)]


@pytest.mark.parametrize("gop", [20, 75, 240])
def test_keyframes_where_no_segment_can_end_prove_nothing(gop: int) -> None:
    source = Source()
    for _ in range(20):
        source.frames(gop, gop=gop)
    assert source.watch.regular == (gop == 20), "three GOPs of 0.67 s are a segment of 2 s"


def test_fewer_pictures_than_parts_prove_nothing() -> None:
    watch = GopWatch()
    for index in range(40):
        watch.push(index * 500_000, keyframe=index % 4 == 0)
    assert not watch.regular


def test_what_is_due_ends_at_the_segment_or_the_part() -> None:
    source = Source()
    source.intervals_until_regular()
    last_us = source.at_us - FRAME_US
    assert source.watch.limit_us == last_us + PART_US
    assert not source.watch.overdue(last_us + PART_US)
    assert source.watch.overdue(last_us + 400_000)
    source.frames(80, gop=1000)
    assert source.watch.limit_us == source.cuts[-1] + LONGEST_US
    assert source.watch.overdue(source.at_us)


def test_each_disappointment_doubles_what_it_takes() -> None:
    source = Source()
    needed = [source.intervals_until_regular() - 1]
    for _ in range(5):
        source.pause(400_000)
        source.frames(60)
        assert not source.watch.regular
        needed.append(1 + source.intervals_until_regular())  # the one with the pause, which wasn't too long
    assert needed == [3, 6, 12, 24, 24, 24]
    assert needed[-1] == MOST_PROOFS
    source.watch.restart()
    source.frames(60)
    assert source.intervals_until_regular() == PROOFS
