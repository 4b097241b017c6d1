from __future__ import annotations

from hls_bridge.part import EpochEnd, EpochStart, Event, Part, PartGroup, TrackSpec
from hls_bridge.sound_gate import MOST_HELD, SoundGate

V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init", 1280, 720, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init", channels=2)


def part(track: TrackSpec, number: int) -> PartGroup:
    segment, index = divmod(number, 6)
    return PartGroup((Part(track.name, segment, index, number * 333_333, 333_333, True, index == 5, b""),))


def through(gate: SoundGate, *events: Event) -> list[Event]:
    return [out for event in events for out in gate.push(event)]


def test_on_a_machine_that_keeps_up_nothing_waits() -> None:
    gate = SoundGate()
    events: list[Event] = [EpochStart((V, A), 0)]
    for number in range(12):
        events += [part(V, number), part(A, number)]
    assert through(gate, *events) == events


def test_sound_waits_for_pictures_that_are_late() -> None:
    gate = SoundGate()
    sound = [part(A, number) for number in range(9)]
    start = EpochStart((V, A), 0)
    assert through(gate, start, part(V, 0), *sound[:5]) == [start, part(V, 0), *sound[:2]]
    assert through(gate, part(V, 1), part(V, 2)) == [part(V, 1), sound[2], part(V, 2), sound[3]]
    assert through(gate, part(V, 3), part(V, 4), sound[5]) == [part(V, 3), sound[4], part(V, 4), sound[5]]


def test_an_epoch_ends_with_all_of_its_sound() -> None:
    gate = SoundGate()
    sound = [part(A, number) for number in range(4)]
    start, end = EpochStart((V, A), 0), EpochEnd()
    assert through(gate, start, part(V, 0), *sound, end) == [start, part(V, 0), *sound[:2], end]
    assert gate.push(start) == [*sound[2:], start]
    assert gate.end() == []


def test_pictures_that_never_come_are_not_waited_for() -> None:
    gate = SoundGate()
    sound = [part(A, number) for number in range(MOST_HELD + 3)]
    assert through(gate, EpochStart((V, A), 0), *sound)[1:] == sound[:3]
    assert gate.end() == sound[3:]
