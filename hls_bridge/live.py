"""A live broadcast as the origin holds it: pure state that events change and playlists are read from."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hls_bridge.master_playlist import Bandwidth, Variant, render_master
from hls_bridge.part import (
    AUDIO_PART_US,
    PART_US,
    EpochEnd,
    EpochStart,
    Event,
    Part,
    PartGroup,
    TrackSpec,
    TrackStart,
    TrackStop,
)
from hls_bridge.playlist import Header, ListedPart, ListedSegment, Report, render_delta, render_full
from hls_bridge.program_clock import ProgramClock

__all__ = ["ClosedSegment", "Live", "Rendered", "Track"]

WINDOW_SEGMENTS = 15
"""30 s in the live playlist."""
KEPT_SEGMENTS = 22
"""Players may still ask for what has just left the playlist: its duration plus the playlist's longest
(RFC 8216bis 6.2.2) would be 32 s; the segment store has the rest."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A playlist's bytes, gzipped too where that pays."""

    plain: bytes
    gzipped: bytes | None
    answers: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)
    """Whole responses made of it, by what they differ in: made once, sent to all (`hot_path`)."""

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


class Live:
    """One broadcast, from its first epoch to its end. Times are arguments: ``now_us`` on the node's
    monotonic clock, ``wall_us`` of the Unix epoch."""

    def __init__(
        self,
        now_us: int,
        wall_us: int,
        *,
        on_closed: Callable[[ClosedSegment], None] = lambda _: None,
        on_part: Callable[[Part, int, int], None] = lambda *_: None,
    ) -> None:
        """``on_closed`` gets finished segments, ``on_part`` each part with its msn and the segment's wall
        time, before it is in a playlist."""
        self.tracks: dict[str, Track] = {}
        self.ended = False
        self.inits: dict[str, bytes] = {}
        self._specs: dict[str, TrackSpec] = {}
        self._clock = ProgramClock(now_us, wall_us)
        self._on_closed = on_closed
        self._on_part = on_part
        self._epoch = -1
        self._base_msn = 0
        self._next_msn = 0
        self._ending = False
        self._held: list[tuple[Event, int, int]] = []
        self._offsets: dict[int, int] = {}
        self._walls: dict[tuple[str, int], int] = {}
        self._parts: dict[tuple[str, int, int], bytes] = {}
        self._segments: dict[tuple[str, int], bytes] = {}
        self._starts: dict[tuple[str, int], int] = {}

    # Events -----------------------------------------------------------------------------------------

    def handle_event(self, event: Event, now_us: int, wall_us: int) -> set[str]:
        """Take an event of the worker; returns the tracks whose playlists changed. What ends an epoch is held
        until the next one begins: only then is it known which part follows, and a playlist always hints at
        one (RFC 8216bis, appendix B.1)."""
        if self._ending and not isinstance(event, EpochStart):
            self._held.append((event, now_us, wall_us))
            return set()
        changed = self._take_held() | self._take(event, now_us, wall_us)
        self._render(changed)
        return changed

    def end(self) -> set[str]:
        """The broadcast is over: close what is open, ENDLIST everywhere."""
        self._take_held()
        self._close_all()
        self.ended = True
        self._render(set(self.tracks))
        return set(self.tracks)

    def delist(self, name: str) -> None:
        """Take a rung out of the master playlist; it is served on."""
        self.tracks[name].listed = False

    # Reading ----------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        return self._epoch

    def wall_us(self, at_us: int) -> int:
        """EXT-X-PROGRAM-DATE-TIME of a moment on the time line."""
        return self._clock.wall_us(at_us)

    def init(self, name: str) -> bytes | None:
        """``{track}/init-{epoch}.mp4`` by that name."""
        return self.inits.get(name)

    def part(self, track: str, msn: int, index: int) -> bytes | None:
        return self._parts.get((track, msn, index))

    def segment(self, track: str, msn: int) -> bytes | None:
        return self._segments.get((track, msn))

    def part_may_come(self, source: str, msn: int, index: int) -> bool:
        """Whether this part is the next one of its track, or the first of the next segment."""
        for track in self.tracks.values():
            if track.source == source and not track.stopped and not self.ended:
                last_msn, last_part = track.last
                closed = not track.segments or track.segments[-1].closed
                if (msn, index) == ((last_msn + 1, 0) if closed else (last_msn, last_part + 1)):
                    return True
        return False

    def master(self, prefix: str) -> str:
        """The multivariant playlist; ``prefix`` goes before the media playlists' names."""
        variants = [
            Variant(track.spec, f"{prefix}{name}.m3u8", track.bandwidth)
            for name, track in self.tracks.items()
            if track.listed
        ]
        video = [v for v in variants if v.spec.kind == "video"]
        video.sort(key=lambda v: (-v.spec.height, -v.spec.bitrate_bps))
        sound = next((v for v in variants if v.spec.kind == "audio"), None)
        return render_master(video, sound)

    # Inside -----------------------------------------------------------------------------------------

    def _take_held(self) -> set[str]:
        held, self._held = self._held, []
        changed: set[str] = set()
        for event, now_us, wall_us in held:
            changed |= self._take(event, now_us, wall_us)
        return changed

    def _take(self, event: Event, now_us: int, wall_us: int) -> set[str]:
        changed: set[str] = set()
        match event:
            case EpochStart():
                changed |= self._start_epoch(event)
            case EpochEnd():
                self._ending = True
            case TrackStart(track):
                self._add_track(track)
            case TrackStop(name):
                if (track_of := self.tracks.get(name)) is not None:
                    track_of.stopped = True
                    track_of.listed = False
            case PartGroup(parts):
                for part in parts:
                    changed |= self._add_part(part, now_us, wall_us)
            case _:
                pass
        return changed

    def _start_epoch(self, event: EpochStart) -> set[str]:
        changed = self._close_all() | self._running()
        for track in self.tracks.values():
            # What a crash kept one rung from making won't come: whatever follows is of the new epoch.
            self._fill_gap(track, self._next_msn)
        self._epoch += 1
        self._ending = False
        self._base_msn = self._next_msn
        self._specs = {}
        for spec in event.tracks:
            self._add_track(spec)
        videos = [spec for spec in event.tracks if spec.kind == "video"]
        for name, track in self.tracks.items():
            if name in self._specs or track.stopped or not videos:
                continue
            # Players read the master playlist once: a rung that this epoch lacks goes on as the nearest.
            track.source = min(videos, key=lambda spec: abs(spec.height - track.spec.height)).name
            track.listed = False
        return changed

    def _running(self) -> set[str]:
        return {name for name, track in self.tracks.items() if not track.stopped}

    def _add_track(self, spec: TrackSpec) -> None:
        self._specs[spec.name] = spec
        self.inits[f"{spec.name}/init-{self._epoch}.mp4"] = spec.init
        track = self.tracks.get(spec.name)
        if track is None:
            track = self.tracks[spec.name] = Track(spec, Bandwidth(spec.bitrate_bps))
        track.spec, track.source, track.listed, track.stopped = spec, spec.name, True, False

    def _add_part(self, part: Part, now_us: int, wall_us: int) -> set[str]:
        msn = self._base_msn + part.segment
        self._next_msn = max(self._next_msn, msn + 1)
        if msn not in self._offsets:
            self._offsets[msn] = self._clock.next_segment(0, now_us, wall_us)
        if (part.track, msn) not in self._walls:
            # Sound is cut some milliseconds beside the picture: each has the date of its own start.
            self._walls[part.track, msn] = part.start_us + self._offsets[msn]
        self._parts[part.track, msn, part.index] = part.data
        self._on_part(part, msn, self._walls[part.track, msn])
        self._starts.setdefault((part.track, msn), part.start_us)
        changed = set()
        for name, track in self.tracks.items():
            if track.source == part.track and not track.stopped:
                self._append(track, part, msn)
                changed.add(name)
        if part.last:
            self._finish_data(part.track, msn)
        return changed

    def _append(self, track: Track, part: Part, msn: int) -> None:
        segment = track.segments[-1] if track.segments else None
        if segment is None or segment.msn != msn:
            if segment is not None and not segment.closed:
                # No part said that it was the last, for example because an encoder failed in between.
                self._close(track)
                if track.source == part.track and (part.track, segment.msn) in self._starts:
                    self._finish_data(part.track, segment.msn)
            segment = self._open_segment(track, msn)
        uri = f"{part.track}/{msn}.{part.index}.m4s"
        segment.parts.append(ListedPart(uri, part.duration_us, part.independent))
        if part.last:
            self._close(track)

    def _open_segment(self, track: Track, msn: int) -> ListedSegment:
        self._fill_gap(track, msn)
        begins_epoch = msn == self._base_msn and self._epoch > 0
        segment = ListedSegment(
            msn,
            f"{track.source}/{msn}.m4s",
            f"{track.source}/init-{self._epoch}.mp4",
            self._epoch,
            self._walls[track.source, msn],
            begins_epoch,
        )
        track.segments.append(segment)
        return segment

    def _fill_gap(self, track: Track, msn: int) -> None:
        """Up to the segment before ``msn``, if there is any."""
        segments = track.segments
        while segments and not track.stopped and segments[-1].msn < msn - 1:
            segments.append(self._gap(track, segments[-1].msn + 1))

    def _gap(self, track: Track, msn: int) -> ListedSegment:
        """A segment of which nothing came in this track (RFC 8216bis 4.4.4.7)."""
        previous = track.segments[-1]
        wall_us = previous.wall_us + previous.duration_us
        epoch = self._epoch if msn >= self._base_msn else previous.epoch
        gap = ListedSegment(msn, f"{track.source}/{msn}.m4s", previous.map_uri, epoch, wall_us, False)
        gap.gap, gap.duration_us = True, 2_000_000
        gap.discontinuity = msn == self._base_msn and self._epoch > 0
        gap.close()
        return gap

    def _close(self, track: Track) -> None:
        segment = track.segments[-1]
        segment.close()
        del track.segments[:-KEPT_SEGMENTS]

    def _finish_data(self, source: str, msn: int) -> None:
        pieces: list[bytes] = []
        while (piece := self._parts.get((source, msn, len(pieces)))) is not None:
            pieces.append(piece)
        data = self._segments[source, msn] = b"".join(pieces)
        track = self.tracks.get(source)
        start_us = self._starts.pop((source, msn))
        if track is not None and track.segments and track.segments[-1].msn == msn:
            listed = track.segments[-1]
            track.bandwidth.add(len(data), listed.duration_us)
            self._on_closed(ClosedSegment(source, listed, data, self._epoch, start_us))
        self._forget(source, msn - KEPT_SEGMENTS)

    def _forget(self, source: str, msn: int) -> None:
        self._segments.pop((source, msn), None)
        self._walls.pop((source, msn), None)
        self._offsets.pop(msn - KEPT_SEGMENTS, None)
        index = 0
        while self._parts.pop((source, msn, index), None) is not None:
            index += 1

    def _close_all(self) -> set[str]:
        changed = set()
        for name, track in self.tracks.items():
            if track.segments and not track.segments[-1].closed:
                msn = track.segments[-1].msn
                self._close(track)
                changed.add(name)
                if track.source == name:
                    self._finish_data(name, msn)
        return changed

    def _render(self, names: set[str]) -> None:
        lasts = {name: track.last for name, track in self.tracks.items() if not track.stopped}
        for name in names:
            track = self.tracks[name]
            shown = track.segments[-WINDOW_SEGMENTS:]
            if not shown:
                continue
            first = shown[0]
            target = AUDIO_PART_US if track.spec.kind == "audio" else PART_US
            header = Header(target, first.msn, first.epoch - (1 if first.discontinuity else 0))
            reports = [
                Report(f"{other}.m3u8", *last)
                for other, last in lasts.items()
                if other != name and last[0] >= 0
            ]
            msn, part = track.last
            newest = shown[-1]
            following = f"{msn + 1}.0" if newest.closed else f"{msn}.{part + 1}"
            hint = f"{track.source}/{following}.m4s"
            delta = render_delta(header, shown, hint_uri=hint, reports=reports, ended=self.ended)
            full = render_full(header, shown, hint_uri=hint, reports=reports, ended=self.ended)
            track.full = Rendered.of(full)
            track.delta = Rendered.of(delta) if delta is not None else track.full
