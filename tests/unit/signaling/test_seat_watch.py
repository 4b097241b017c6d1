from __future__ import annotations

from signaling.seat_watch import SeatWatch


def test_it_is_full_at_once() -> None:
    watch = SeatWatch()
    assert not watch.update(1, 1, 0, 0)
    assert watch.update(2, 0, 0, 1)
    assert watch.full
    assert not watch.update(2, 0, 5, 2), "told once"


def test_a_freed_seat_goes_to_a_newcomer() -> None:
    watch = SeatWatch()
    watch.update(100, 0, 0, 0)
    for now in range(1, 60):
        assert not watch.update(91, 9, 0, now), "the reserve is ten"
        assert not watch.update(70, 30, 25, now), "not all 25 would find one"
    assert watch.full


def test_all_are_called_back_when_there_is_room_for_all_of_them_for_a_while() -> None:
    watch = SeatWatch()
    watch.update(100, 0, 0, 0)
    assert [watch.update(60, 40, 25, now) for now in range(1, 12)] == [False] * 10 + [True]
    assert not watch.full


def test_a_moment_without_room_starts_the_wait_anew() -> None:
    watch = SeatWatch()
    watch.update(100, 0, 0, 0)
    assert not watch.update(60, 40, 25, 1)
    assert not watch.update(80, 20, 25, 10)
    assert [watch.update(60, 40, 25, now) for now in range(11, 22)] == [False] * 10 + [True]


def test_no_seats_at_all() -> None:
    watch = SeatWatch()
    assert watch.update(0, 0, 0, 0)
    assert not any(watch.update(0, 0, 0, now) for now in range(1, 60))
