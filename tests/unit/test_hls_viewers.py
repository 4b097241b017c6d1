"""Viewers of an HLS stream, counted."""

from __future__ import annotations

from hls_bridge.viewers import MOST, HlsViewers


def test_viewers_are_counted_by_session() -> None:
    viewers = HlsViewers()
    viewers.beacon("s1", "c1", 0)
    viewers.beacon("s2", "c1", 0)
    viewers.request("c1", 0)
    viewers.request("c2", 0)
    assert viewers.count(1_000_000) == (2, 1)
    viewers.leave("s2")
    assert viewers.count(12_000_000) == (1, 0)
    assert viewers.count(30_000_000) == (0, 0)


def test_viewers_that_are_made_up_take_no_memory() -> None:
    viewers = HlsViewers()
    for number in range(MOST + 500):
        viewers.request(f"c{number}", number)
        viewers.beacon(f"s{number}", f"c{number}", number)
    assert viewers.count(MOST) == (MOST, 0)
    viewers.leave(f"s{MOST + 499}")
    assert viewers.count(MOST) == (MOST - 1, 0)
