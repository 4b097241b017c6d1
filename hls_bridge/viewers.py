"""HLS viewers of a stream, by session: exact where our player tells, an estimate for the others."""

from __future__ import annotations

__all__ = ["MOST", "HlsViewers"]

BEACON_TTL_US = 25_000_000
"""The player's beacon comes every 10 s; two may be lost."""
REQUEST_TTL_US = 10_000_000
"""A player that plays asks for a playlist at least every target duration."""

MOST = 100_000
"""Viewers of one stream that are told apart: some 20 MB. Made-up user agents can't take more."""


class HlsViewers:
    """Pure; ``now_us`` on a monotonic clock.

    ``beacon`` sessions are exact. ``request`` clients (address and user agent, hashed by the caller) come
    from the origin's or the edge's log and are an estimate: players behind one address count once.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, int] = {}
        self._clients: dict[str, int] = {}
        self._session_clients: dict[str, int] = {}

    def beacon(self, session_id: str, client: str, now_us: int) -> None:
        """Our player plays HLS."""
        _note(self._sessions, session_id, now_us)
        _note(self._session_clients, client, now_us)

    def leave(self, session_id: str) -> None:
        """Our player has stopped (page hidden for good, or upgraded to WebRTC)."""
        self._sessions.pop(session_id, None)

    def request(self, client: str, now_us: int) -> None:
        """A playlist went out to this client."""
        _note(self._clients, client, now_us)

    def count(self, now_us: int) -> tuple[int, int]:
        """(exact, estimated): our players, and others."""
        _expire(self._sessions, now_us - BEACON_TTL_US)
        _expire(self._session_clients, now_us - BEACON_TTL_US)
        _expire(self._clients, now_us - REQUEST_TTL_US)
        return len(self._sessions), len(self._clients.keys() - self._session_clients.keys())


def _note(entries: dict[str, int], key: str, now_us: int) -> None:
    """Newest last, so that the oldest goes when there are too many."""
    entries.pop(key, None)
    entries[key] = now_us
    if len(entries) > MOST:
        del entries[next(iter(entries))]


def _expire(entries: dict[str, int], before_us: int) -> None:
    for key in [key for key, at in entries.items() if at < before_us]:
        del entries[key]
