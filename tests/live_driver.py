"""Regular parts for a `Live`, as a worker sends them."""

from __future__ import annotations

from hls_bridge.live import Live
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from hls_bridge.track import ClosedSegment

__all__ = ["WALL", "A", "Driver", "L", "V"]

WALL = 1_800_000_000_000_000
V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init-v", 1280, 720, 30)
L = TrackSpec("360p30", "video", "avc1.64001E", 770_000, b"init-l", 640, 360, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init-a", channels=2)


class Driver:
    """Feeds a `Live` with regular parts."""

    def __init__(self) -> None:
        self.closed: list[ClosedSegment] = []
        self.live = Live(0, WALL, on_closed=self.closed.append)
        self.start_us = 10_000_000

    def epoch(self, *tracks: TrackSpec) -> None:
        self.live.handle_event(EpochStart(tracks, self.start_us), self.start_us, WALL + self.start_us)
        self.segment = 0

    def parts(self, track: TrackSpec, segment: int, indices: range, *, last: int = 5) -> None:
        for i in indices:
            start = self.start_us + segment * 2_000_000 + i * 333_333
            part = Part(
                track.name, segment, i, start, 333_334 if i == 5 else 333_333, i == 0, i == last, b"%d" % i
            )
            self.live.handle_event(PartGroup((part,)), start, WALL + start)
