"""Seats: the right of one viewer to WebRTC."""

from __future__ import annotations

from collections import Counter

from sfu.claim import Claim

__all__ = ["NoSeat", "Seat", "Seats"]


class NoSeat(LookupError):
    """Every seat of the stream or of the node is taken, or the node is too busy for more."""


class Seat(Claim):
    """Held from the WHEP POST until the viewer leaves."""


class Seats:
    """Counts seats of every stream and of the node."""

    def __init__(self, per_stream: int, per_node: int | None) -> None:
        self.per_stream = per_stream
        self.per_node = per_node
        self.refusing = False
        """Whether the engine has no time for further viewers."""
        self._taken: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self._taken.total()

    def taken(self, stream_id: str) -> int:
        return self._taken[stream_id]

    def free(self, stream_id: str, per_stream: int | None = None) -> int:
        """Seats that a viewer of the stream could take now."""
        if self.refusing:
            return 0
        limit = self.per_stream if per_stream is None else per_stream
        left = limit - self._taken[stream_id]
        if self.per_node is not None:
            left = min(left, self.per_node - self.total)
        return max(0, left)

    def take(self, stream_id: str, per_stream: int | None = None) -> Seat:
        """Raises NoSeat. ``per_stream`` overrides the node's limit for this stream."""
        if not self.free(stream_id, per_stream):
            raise NoSeat(stream_id)
        return Seat(self._taken, stream_id)
