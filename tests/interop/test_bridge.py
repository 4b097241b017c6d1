from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hls_bridge.bridge import BridgeConfig, main
from hls_bridge.part import EpochStart, Event, PartGroup
from hls_bridge.program import ProgramSettings
from sfu.media import ParticipantClosed, TapBatch
from tests.generated import H264, OPUS, VP8, Feed, GeneratedParticipant, GeneratedTap

CONFIG = BridgeConfig(ProgramSettings(codec_name="libx264", passthrough=False))


class Collector:
    """A sink that keeps events; ``fails_after`` of them it is lost."""

    def __init__(self, fails_after: int | None = None) -> None:
        self.events: list[Event] = []
        self._fails_after = fails_after

    async def send(self, event: Event) -> None:
        if self._fails_after is not None and len(self.events) >= self._fails_after:
            raise ConnectionError("the origin is gone")
        self.events.append(event)

    async def next_want(self) -> frozenset[str]:
        await asyncio.Event().wait()
        raise AssertionError


def feeds(seconds: float, loss: float = 0.0) -> list[Feed]:
    made = [Feed(VP8, ends_s=seconds, loss=loss), Feed(OPUS, ends_s=seconds)]
    for feed in made:
        list(feed.batches(0))
    return made


async def test_it_ends_with_its_sources_and_asks_for_keyframes() -> None:
    participant, sink = GeneratedParticipant(feeds(4, loss=0.03)), Collector()
    sources = [participant.VIDEO, participant.AUDIO]
    await asyncio.wait_for(main(participant, sources, CONFIG, sink), 30)
    assert isinstance(sink.events[0], EpochStart)
    assert {p.track for e in sink.events if isinstance(e, PartGroup) for p in e.parts} == {"360p30", "sound"}
    tap = participant.taps["video"]
    assert 1 <= tap.keyframe_requests <= 5


async def test_a_lost_origin_ends_it() -> None:
    participant, sink = GeneratedParticipant(feeds(30)), Collector(fails_after=3)
    await asyncio.wait_for(main(participant, [participant.VIDEO, participant.AUDIO], CONFIG, sink), 20)
    assert len(sink.events) == 3


class LeavingTap(GeneratedTap):
    async def __aiter__(self) -> AsyncIterator[TapBatch]:
        count = 0
        async for batch in super().__aiter__():
            yield batch
            count += 1
            if count == 60:
                raise ParticipantClosed("the relay was lost")


async def test_a_lost_participant_ends_it_with_what_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.generated.GeneratedTap", LeavingTap)
    participant, sink = GeneratedParticipant(feeds(30)), Collector()
    await asyncio.wait_for(main(participant, [participant.VIDEO, participant.AUDIO], CONFIG, sink), 20)
    parts = [p for e in sink.events if isinstance(e, PartGroup) for p in e.parts]
    assert {p.track for p in parts} == {"360p30", "sound"}


async def test_cancelling_it_leaves_nothing_behind() -> None:
    participant, sink = GeneratedParticipant(feeds(30)), Collector()
    task = asyncio.create_task(main(participant, [participant.VIDEO, participant.AUDIO], CONFIG, sink))
    await asyncio.sleep(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others


def test_feeds_are_what_they_say() -> None:
    arrivals = [at for at, _ in Feed(H264, ends_s=1).batches(0)]
    assert len(arrivals) == 30
    assert arrivals == sorted(arrivals)
