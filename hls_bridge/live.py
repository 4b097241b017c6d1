"""A live broadcast as the origin holds it: pure state that events change and playlists are read from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from hls_bridge.fragmented_mp4 import timescale
from hls_bridge.master_playlist import Bandwidth, Variant, render_master
from hls_bridge.media_window import MediaWindow
from hls_bridge.part import EpochEnd, EpochStart, Event, Part, PartGroup, TrackSpec, TrackStart, TrackStop
from hls_bridge.playlist import ListedPart, ListedSegment
from hls_bridge.program_clock import ProgramClock
from hls_bridge.stand_in import stand_in
from hls_bridge.track import ClosedSegment, Track

__all__ = ["Live"]

log = logging.getLogger(__name__)

SEGMENTS_TO_BEGIN = 3
"""Players that know no parts begin three target durations from the end (HOLD-BACK, RFC 8216bis 4.4.3.8)."""
KEPT_SEGMENTS = 22
"""Players may still ask for what has just left the playlist: its duration plus the playlist's longest
(RFC 8216bis 6.2.2) would be 32 s; the segment store has the rest."""


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
        self._media = MediaWindow()
        self._specs: dict[str, TrackSpec] = {}
        self._joining: dict[str, TrackSpec] = {}
        """Rungs without a part yet: their playlists, where there are any, have the rest of a segment to come
        from another rung, as rungs do what is asked of them in turn."""
        self._clock = ProgramClock(now_us, wall_us)
        self._on_closed = on_closed
        self._on_part = on_part
        self._epoch = -1
        self._discontinuities = 0
        self._base_msn = 0
        self._next_msn = 0
        self._ending = False
        self._held: list[tuple[Event, int, int]] = []
        self._offsets: dict[int, int] = {}
        self._walls: dict[tuple[str, int], int] = {}
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

    def delist(self, names: Collection[str]) -> None:
        """Leave these rungs out of the master playlist, and no others that run; they are served on."""
        for name, track in self.tracks.items():
            if track.source == name and not track.stopped:
                track.listed = name not in names

    # Reading ----------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        return self._epoch

    def wall_us(self, at_us: int) -> int:
        """EXT-X-PROGRAM-DATE-TIME of a moment on the time line."""
        return self._clock.wall_us(at_us)

    def init(self, name: str) -> bytes | None:
        """``{track}/init-{epoch}.mp4`` by that name."""
        return self._media.init_named(name)

    def part(self, track: str, msn: int, index: int) -> bytes | None:
        return self._media.part(track, msn, index)

    def segment(self, track: str, msn: int) -> bytes | None:
        return self._media.segment(track, msn)

    def part_may_come(self, source: str, msn: int, index: int) -> bool:
        """Whether this part is the next one of its track, or the first of the next segment."""
        return not self.ended and any(
            track.source == source and not track.stopped and track.following == (msn, index)
            for track in self.tracks.values()
        )

    def renditions(self) -> dict[str, Track]:
        """What the master playlist lists: playlists' names, and the tracks that describe them. A rung that
        has just joined isn't among them until a player can begin with it; where it takes the place of another
        one, that one's playlist, which goes on with its parts, is."""
        video = [track for track in self.tracks.values() if track.spec.kind == "video" and not track.stopped]
        enough = min(SEGMENTS_TO_BEGIN, max((track.finished for track in video), default=0))
        shown: dict[str, Track] = {}
        for name, track in self.tracks.items():
            if not track.listed:
                continue
            if track.spec.kind == "audio" or track.finished >= enough:
                shown[name] = track
            else:
                before = (t for t in video if t is not track and t.source == name and t.finished >= enough)
                if (predecessor := next(before, None)) is not None:
                    shown[predecessor.spec.name] = track
        return shown

    @property
    def playable(self) -> bool:
        """Every listed rendition has a whole segment: players that know no parts give up on an empty list."""
        shown = self.renditions()
        return bool(shown) and all(any(s.closed for s in self.tracks[name].segments) for name in shown)

    def master(self, prefix: str) -> str:
        """The multivariant playlist; ``prefix`` goes before the media playlists' names."""
        variants = [
            Variant(track.spec, f"{prefix}{name}.m3u8", track.bandwidth)
            for name, track in self.renditions().items()
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
                changed |= self._keep_hints(now_us, wall_us) | self._start_epoch(event)
            case EpochEnd():
                self._ending = True
            case TrackStart(track):
                self._joining[track.name] = track
            case TrackStop(name):
                self._joining.pop(name, None)
                if (track_of := self.tracks.get(name)) is not None:
                    track_of.stopped = True
                    track_of.listed = False
            case PartGroup(parts):
                for part in parts:
                    changed |= self._add_part(part, now_us, wall_us)
            case _:
                pass
        return changed

    def _keep_hints(self, now_us: int, wall_us: int) -> set[str]:
        """A worker that was killed has announced a part of each track. Players wait for it, and one that is
        answered 404 takes that for an error (Shaka Player, and for sound it has no other rendition to turn
        to). So a sample that is there stands in for the part."""
        changed: set[str] = set()
        for track in self.tracks.values():
            hint = track.hint
            if hint is None or track.stopped or self._media.part(*hint) or not self.part_may_come(*hint):
                continue
            try:
                part = self._stand_in(track.spec.kind == "audio", *hint)
            except ValueError as error:
                log.warning("no part stands in for %s/%d.%d: %s", *hint, error)
                continue
            if part is not None:
                changed |= self._add_part(part, now_us, wall_us)
        return changed

    def _stand_in(self, sound: bool, source: str, msn: int, index: int) -> Part | None:
        """None: this epoch has nothing of the track, so the next one may well have a part of that name.
        Raises ValueError."""
        newest_msn = msn if index else msn - 1
        parts = self._media.parts(source, newest_msn)
        if newest_msn < self._base_msn or not parts:
            return None
        behind = parts[-1]
        # Any block of sound can be decoded; of pictures the IDR that begins the segment.
        again = stand_in(behind if sound else parts[0], behind)
        ticks = timescale(self._media.init(self._epoch, source))
        start_us = again.start * 1_000_000 // ticks
        end_us = (again.start + again.duration) * 1_000_000 // ticks
        return Part(source, msn - self._base_msn, index, start_us, end_us - start_us, True, True, again.data)

    def _start_epoch(self, event: EpochStart) -> set[str]:
        changed = self._close_all() | self._running()
        for track in self.tracks.values():
            # What a crash kept one rung from making won't come: whatever follows is of the new epoch.
            self._fill_gap(track, self._next_msn)
        self._epoch += 1
        if self._next_msn > self._base_msn:  # else a crash has left the epoch before without any part
            self._discontinuities += 1
        self._forget_inits()
        self._ending = False
        self._base_msn = self._next_msn
        self._specs, self._joining = {}, {}
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
        self._media.add_init(self._epoch, spec.name, spec.init)
        track = self.tracks.get(spec.name)
        if track is None:
            track = self.tracks[spec.name] = Track(spec, Bandwidth(spec.bitrate_bps))
        if track.stopped:
            track.rejoin()
        track.spec, track.source, track.listed = spec, spec.name, True

    def _add_part(self, part: Part, now_us: int, wall_us: int) -> set[str]:
        if (joining := self._joining.pop(part.track, None)) is not None:
            self._add_track(joining)
        msn = self._base_msn + part.segment
        self._next_msn = max(self._next_msn, msn + 1)
        if msn not in self._offsets:
            self._offsets[msn] = self._clock.next_segment(0, now_us, wall_us)
        if (part.track, msn) not in self._walls:
            # Sound is cut some milliseconds beside the picture: each has the date of its own start.
            self._walls[part.track, msn] = part.start_us + self._offsets[msn]
        self._media.add_part(part.track, msn, part.index, part.data)
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
        begins_epoch = msn == self._base_msn and self._discontinuities > 0
        segment = ListedSegment(
            msn,
            f"{track.source}/{msn}.m4s",
            f"{track.source}/init-{self._epoch}.mp4",
            self._epoch,
            self._walls[track.source, msn],
            begins_epoch,
            self._discontinuities,
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
        of_this = msn >= self._base_msn
        gap = ListedSegment(
            msn,
            f"{track.source}/{msn}.m4s",
            previous.map_uri,
            self._epoch if of_this else previous.epoch,
            wall_us,
            msn == self._base_msn and self._discontinuities > 0,
            self._discontinuities if of_this else previous.discontinuities,
        )
        others = (
            s.duration_us for t in self.tracks.values() for s in t.segments if s.msn == msn and s.closed
        )
        gap.gap, gap.duration_us = True, max(others, default=2_000_000)
        gap.close()
        return gap

    def _close(self, track: Track) -> None:
        segment = track.segments[-1]
        segment.close()
        del track.segments[:-KEPT_SEGMENTS]

    def _finish_data(self, source: str, msn: int) -> None:
        start_us = self._starts.pop((source, msn), None)
        if start_us is None:
            return
        data = self._media.close_segment(source, msn)
        track = self.tracks.get(source)
        if track is not None and track.segments and track.segments[-1].msn == msn:
            listed = track.segments[-1]
            track.bandwidth.add(len(data), listed.duration_us)
            self._on_closed(ClosedSegment(source, listed, data, self._epoch, start_us))
        self._forget_before(self._next_msn - KEPT_SEGMENTS)

    def _forget_before(self, msn: int) -> None:
        self._media.forget_before(msn)
        self._walls = {key: wall_us for key, wall_us in self._walls.items() if key[1] >= msn}
        self._starts = {key: start_us for key, start_us in self._starts.items() if key[1] >= msn}
        self._offsets = {of: offset for of, offset in self._offsets.items() if of >= msn}

    def _forget_inits(self) -> None:
        """Of epochs that are in no window any more. One more is kept: the first segment may be a gap, which
        names the init segment before it."""
        windows = [t.segments[0].epoch for t in self.tracks.values() if t.segments and not t.stopped]
        oldest = min(windows, default=self._epoch) - 1
        self._media.forget_inits_before(oldest)

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
            self.tracks[name].render(lasts, ended=self.ended)
