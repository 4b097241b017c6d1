"""One rendition of a live broadcast: its window of segments, and its playlists' texts."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hls_bridge.master_playlist import Bandwidth
from hls_bridge.part import AUDIO_PART_US, PART_US, TrackSpec
from hls_bridge.playlist import Header, ListedSegment, Report, render_delta, render_full

__all__ = ["ClosedSegment", "Rendered", "Track"]

WINDOW_SEGMENTS = 15
"""30 s in the live playlist."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A playlist's bytes, gzipped too where that pays."""

    plain: bytes
    gzipped: bytes | None
    answers: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)
    """Whole responses made of it, by what they differ in, with their date: made once, sent to all
    (`hot_path`)."""

    @classmethod
    def of(cls, text: str) -> Rendered:
        plain = text.encode()
        return cls(plain, gzip.compress(plain, 3, mtime=0) if len(plain) > 2_000 else None)


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """A finished segment, for the archive."""

    track: str
    listed: ListedSegment
    data: bytes
    epoch: int
    start_us: int


@dataclass(slots=True)
class Track:
    """One rendition: what is in its window, and the playlist's texts as of its newest part."""

    spec: TrackSpec
    bandwidth: Bandwidth
    listed: bool = True
    source: str = ""
    """The encoder's track that feeds it; another one after an epoch in which its own rung is missing."""
    segments: list[ListedSegment] = field(default_factory=list)
    full: Rendered | None = None
    delta: Rendered | None = None
    stopped: bool = False
    hint: tuple[str, int, int] | None = None
    """The part that its playlist announces: (source, msn, index)."""

    @property
    def last(self) -> tuple[int, int]:
        """(msn, part) of the newest part; (-1, -1) while there is none."""
        if not self.segments:
            return -1, -1
        segment = self.segments[-1]
        return segment.msn, len(segment.parts) - 1

    @property
    def open_msn(self) -> int:
        """The segment that the next part belongs to."""
        if not self.segments:
            return 0
        segment = self.segments[-1]
        return segment.msn + 1 if segment.closed else segment.msn

    @property
    def finished(self) -> int:
        """Segments that a player can begin with."""
        return sum(segment.closed and not segment.gap for segment in self.segments)

    @property
    def following(self) -> tuple[int, int]:
        """(msn, part) of the part that comes next."""
        if not self.segments or self.segments[-1].closed:
            return self.last[0] + 1, 0
        return self.last[0], self.last[1] + 1

    def has(self, msn: int, part: int | None) -> bool:
        """Whether a blocking reload for (msn, part) can be answered (RFC 8216bis 6.2.5.2)."""
        last_msn, last_part = self.last
        if msn < last_msn:
            following = msn + 1 < last_msn or last_part >= 0
            return part is None or part < self._part_count(msn) or following
        if msn > last_msn or not self.segments:
            return False
        segment = self.segments[-1]
        return segment.closed if part is None else part <= last_part

    def _part_count(self, msn: int) -> int:
        return next((len(s.parts) for s in self.segments if s.msn == msn), 0)

    def rejoin(self) -> None:
        """It runs again after it had stopped: its window begins anew, without a gap as long as the pause."""
        self.segments.clear()
        self.full = self.delta = self.hint = None
        self.stopped = False

    def render(self, lasts: Mapping[str, tuple[int, int]], *, ended: bool) -> None:
        """Make the playlists' texts anew; ``lasts``: the newest parts of all renditions by name."""
        shown = self.segments[-WINDOW_SEGMENTS:]
        if not shown:
            return
        first = shown[0]
        target = AUDIO_PART_US if self.spec.kind == "audio" else PART_US
        header = Header(target, first.msn, first.discontinuity_sequence)
        reports = [
            Report(f"{other}.m3u8", *last)
            for other, last in lasts.items()
            if other != self.spec.name and last[0] >= 0
        ]
        msn, index = self.following
        self.hint = (self.source, msn, index)
        hint = f"{self.source}/{msn}.{index}.m4s"
        delta = render_delta(header, shown, hint_uri=hint, reports=reports, ended=ended)
        full = render_full(header, shown, hint_uri=hint, reports=reports, ended=ended)
        self.full = Rendered.of(full)
        self.delta = Rendered.of(delta) if delta is not None else self.full
