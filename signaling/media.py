"""What the control plane asks of the node's media: seats, and to let go of a stream.

``sfu.node.Sfu`` behind ``signaling.webrtc`` is one; a node without the role ``engine`` has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from signaling.metrics import MediaCounters

__all__ = ["Media", "NoMedia", "Seats"]


@dataclass(frozen=True, slots=True)
class Seats:
    """WebRTC seats of one stream on this node."""

    taken: int
    free: int
    """How many the next viewers get: the limits of the stream and of the node."""


class Media(Protocol):
    def seats(self, stream_id: str) -> Seats: ...

    def counters(self) -> MediaCounters: ...

    async def close_publishers(self, stream_id: str) -> None:
        """Its key was rotated: sessions that publish to it end."""
        ...

    async def close_viewers(self, stream_id: str) -> None:
        """It turned private: viewers leave, and those who still may watch come again."""
        ...

    async def close_stream(self, stream_id: str) -> None:
        """It was deleted: everybody leaves."""
        ...


class NoMedia:
    """A node that carries no media."""

    def seats(self, stream_id: str) -> Seats:
        return Seats(0, 0)

    def counters(self) -> MediaCounters:
        return MediaCounters()

    async def close_publishers(self, stream_id: str) -> None:
        """Nobody publishes here."""

    async def close_viewers(self, stream_id: str) -> None:
        """Nobody watches here."""

    async def close_stream(self, stream_id: str) -> None:
        """Nobody is here."""
