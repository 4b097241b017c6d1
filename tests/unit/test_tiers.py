from __future__ import annotations

import asyncio

import pytest

from hls_bridge.part import EpochEnd, EpochStart, Part, PartGroup, Thumbnail, TrackSpec, TrackStart, TrackStop
from hls_bridge.tiers import TierPolicy
from hls_bridge.waiting import Overdue, WaitingRoom
from hls_bridge.wire import BadFrame, decode_event, encode_event

S = 1_000_000


def test_tiers_rise_at_once_and_fall_after_a_calm_minute() -> None:
    policy = TierPolicy(10)

    def update(viewers: int, at_s: int, asked: dict[str, int] | None = None):
        return policy.update(
            viewers,
            at_s * S,
            optional=["720p30", "480p30"],
            last_asked_us={k: v * S for k, v in (asked or {}).items()},
        )

    assert policy.update(9, 0, optional=[], last_asked_us={}).want == frozenset()
    first = update(10, 1)
    assert (first.want, first.delist) == ({"*"}, frozenset())
    assert update(5, 10).want == {"*"}
    assert update(8, 30).want == {"*"}  # hysteresis: the calm minute begins anew
    assert update(5, 60).want == {"*"}
    assert update(5, 119).want == {"*"}
    falls = update(5, 120, {"720p30": 119, "480p30": 80})
    assert falls.delist == {"720p30", "480p30"}
    assert falls.want == {"720p30"}
    assert update(5, 150, {"720p30": 119}).want == frozenset()


V = TrackSpec("v", "video", "avc1.64001F", 1, b"init", 2, 2, 30)
EVENTS = [
    EpochStart((V, TrackSpec("a", "audio", "mp4a.40.2", 1, b"", channels=2)), 77),
    EpochEnd(),
    TrackStart(V, 3),
    TrackStop("v"),
    PartGroup((Part("v", 1, 2, 3, 4, True, False, b"abc"), Part("w", 1, 2, 3, 4, False, True, b""))),
    Thumbnail(5, b"jpeg"),
]


@pytest.mark.parametrize("event", EVENTS)
def test_events_survive_the_wire(event) -> None:
    assert decode_event(*encode_event(event)) == event


@pytest.mark.parametrize(
    "header", [{}, {"type": "x"}, {"type": "parts", "parts": [{"data": 9}]}, {"type": "epoch"}]
)
def test_bad_frames(header) -> None:
    with pytest.raises(BadFrame):
        decode_event(header, b"")


async def test_one_future_for_many_waiters() -> None:
    room: WaitingRoom[int] = WaitingRoom()

    async def waits(key: int, timeout_s: float) -> None:
        await asyncio.shield(room.pending(key, timeout_s))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(waits(1, 5)) for _ in range(1000)]
        await asyncio.sleep(0)
        assert len(room) == 1
        room.release(lambda key: key == 2)
        assert len(room) == 1
        room.release(lambda key: key == 1)
    assert all(t.done() for t in tasks)
    with pytest.raises(Overdue):
        await waits(3, 0.01)
    assert len(room) == 0
