"""A worker that a busy machine holds for a while: what its sources sent is judged when it has been read."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from hls_bridge.program import Program, ProgramSettings
from tests.generated import H264, OPUS, Feed
from tests.sim.test_program import START_US, Run, check, deliveries, simulate

HOLDS = [(9.3, 10.8), (9.3, 14.3)]
"""A worker that is held, by a busy machine or a signal, while its sources go on."""


def silent(run: Run, epoch: int) -> int:
    """Blocks of sound without the tone that is in all of the source's, but for an encoder's first three."""
    levels = [np.abs(frame.to_ndarray()).max() for frame in run.decoded(epoch, "sound")]
    return sum(level < 0.02 for level in levels[3:])


@pytest.mark.parametrize("held", HOLDS)
def test_a_worker_that_was_held_goes_on_where_it_was(held: tuple[float, float]) -> None:
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    feeds = [Feed(H264, ends_s=17), Feed(OPUS, ends_s=17)]
    run = simulate(feeds, until_s=17, settings=settings, held=held)
    check(run)
    assert [epoch.tracks[0].name for epoch in run.epochs] == ["360p30", "source"]
    times = run.play(1, "source")
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.05, "no picture is missing"
    assert [silent(run, epoch) for epoch in (0, 1)] == [0, 0]
    assert run.keyframe_requests == 0


@pytest.mark.parametrize("held", HOLDS)
def test_pictures_that_came_while_it_was_held_are_encoded_in_their_places(held: tuple[float, float]) -> None:
    run = simulate([Feed(H264, ends_s=16), Feed(OPUS, ends_s=16)], until_s=16, held=held)
    check(run)
    assert len(run.epochs) == 1
    pictures = [frame.to_ndarray() for frame in run.decoded(0, "360p30")]
    repeated = sum(np.array_equal(a, b) for a, b in itertools.pairwise(pictures))
    assert len(pictures) > 450
    assert repeated < 10, "jitter repeats some; the hold were 45 or more"
    assert silent(run, 0) == 0


def test_a_pause_that_begins_while_it_is_held_is_noticed_afterwards() -> None:
    settings = ProgramSettings(codec_name="libx264", realtime=False)
    feeds = [Feed(H264, ends_s=14, skip=[(9.4, 12)]), Feed(OPUS, ends_s=14)]
    run = simulate(feeds, until_s=14, settings=settings, held=(9.1, 10.6))
    check(run)
    assert [epoch.tracks[0].name for epoch in run.epochs] == ["360p30", "source", "360p30"]
    assert run.play(2, "360p30")[0] < 10 + START_US / 1e6
    assert sum(silent(run, epoch) for epoch in range(3)) == 0


def test_a_picture_that_came_while_it_was_held_needs_no_black_one() -> None:
    feeds = [Feed(H264, begins_s=0.5, ends_s=8, width=360, height=640), Feed(OPUS, ends_s=8)]
    run = simulate(feeds, until_s=8, held=(0.3, 5.3))
    check(run)
    assert [(e.tracks[0].width, e.tracks[0].height) for e in run.epochs] == [(360, 640)]


def test_a_repair_that_came_while_it_was_held_is_taken() -> None:
    """A packet is lost just before, its repair is read behind two seconds of others."""
    feed = Feed(H264, ends_s=8)
    lost = next(batch for at, batch in feed.batches(START_US) if at > START_US + 3_900_000)
    run = Run()
    program = Program(run.emit, ProgramSettings(codec_name="libx264", passthrough=False, realtime=False))
    queue = list(deliveries([feed, Feed(OPUS, ends_s=8)], (4.0, 6.0)))
    again = next(i for i, each in enumerate(queue) if each.arrival_us > START_US + 6_030_000)
    packets = [replace(packet, arrival_us=START_US + 6_030_000) for packet in lost.packets]
    repair = replace(queue[again - 1], kind="video", batch=replace(lost, packets=packets))
    now, missing = START_US, packets[0].sequence
    for each in [*queue[:again], repair, *queue[again:]]:
        if each.kind == "video" and each is not repair and each.batch.packets[0].sequence == missing:
            continue
        while now + 20_000 <= each.pushed_us:
            now += 20_000
            if not START_US + 4_000_000 < now < START_US + 6_000_000:
                program.tick(now, all_read=each.arrival_us > now)
        program.push(each.kind, each.batch, each.pushed_us)
        run.keyframe_requests += program.take_keyframe_request()
    program.close()
    check(run.sort())
    assert run.keyframe_requests == 0
    pictures = [frame.to_ndarray() for frame in run.decoded(0, "360p30")]
    assert sum(np.array_equal(a, b) for a, b in itertools.pairwise(pictures)) < 10
