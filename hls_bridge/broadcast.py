"""What the origin holds of one stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from hls_bridge.live import Live
from hls_bridge.viewers import HlsViewers
from hls_bridge.waiting import WaitingRoom

__all__ = ["Broadcast"]


@dataclass(slots=True)
class Broadcast:
    """A stream while it is live, and for as long as its window is kept after the end."""

    stream_id: str
    session: str
    live: Live
    record: bool
    playlists: WaitingRoom[tuple[str, int, int | None]] = field(default_factory=WaitingRoom)
    parts: WaitingRoom[tuple[str, int, int]] = field(default_factory=WaitingRoom)
    ready: WaitingRoom[str] = field(default_factory=WaitingRoom)
    viewers: HlsViewers = field(default_factory=HlsViewers)
    asked_us: dict[str, int] = field(default_factory=dict)
    thumbnail: bytes | None = None
