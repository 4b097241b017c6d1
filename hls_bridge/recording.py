"""One recording as its index tells it: what `dvr.m3u8`, replays and lists are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from hls_bridge.master_playlist import Bandwidth, Variant, render_master
from hls_bridge.part import TrackSpec
from hls_bridge.playlist import Header, ListedPart, ListedSegment, render_delta, render_full, render_vod
from hls_bridge.segment_index import Record
from hls_bridge.track import Rendered

__all__ = ["ROLES", "Recording", "SegmentRecord"]

ROLES = ("best", "small", "sound")
"""What is recorded: the best rung, one small one, the sound. Which track that is may change with an epoch;
where one has a single rung, that is the small one too."""


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """One recorded segment."""

    track: str
    msn: int
    epoch: int
    wall_us: int
    start_us: int
    duration_us: int
    bytes: int

    @property
    def key(self) -> str:
        return f"{self.track}/{self.msn}.m4s"

    @property
    def init_key(self) -> str:
        return f"{self.track}/init-{self.epoch}.mp4"


@dataclass(slots=True)
class _Role:
    spec: TrackSpec
    bandwidth: Bandwidth
    segments: list[SegmentRecord] = field(default_factory=list)
    listed: list[ListedSegment] = field(default_factory=list)

    def add(self, segment: SegmentRecord, discontinuities: int) -> None:
        """One that follows those before, with gaps for what is missing in between."""
        while self.listed and self.listed[-1].msn < segment.msn - 1:
            self.listed.append(_gap(self.listed[-1]))
        new_epoch = bool(self.listed) and self.listed[-1].epoch != segment.epoch
        self.segments.append(segment)
        self.bandwidth.add(segment.bytes, segment.duration_us)
        listed = ListedSegment(
            segment.msn,
            f"../{segment.key}",
            f"../{segment.init_key}",
            segment.epoch,
            segment.wall_us,
            new_epoch,
            discontinuities,
            duration_us=segment.duration_us,
        )
        listed.close()
        self.listed.append(listed)


class Recording:
    """Built by `apply`, record after record; after a crash from the same records."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.stream_id = ""
        self.node_id = ""
        self.started_us = 0
        self.ended_us: int | None = None
        self.thumbnails: list[int] = []
        self.bytes = 0
        self.changes = 0
        """Records applied so far."""
        self._keys: set[str] = set()
        self.tracks: dict[tuple[int, str], str] = {}
        """(epoch, track) to role."""
        self._epochs: dict[int, int] = {}
        """Those that have segments, numbered anew: a crash may leave one without any."""
        self._with_small: set[int] = set()
        """Epochs that have a small rung of their own."""
        self.open_parts: dict[tuple[str, int], list[ListedPart]] = {}
        self.open_starts: dict[tuple[str, int], tuple[int, int, int]] = {}
        self._roles: dict[str, _Role] = {}

    @classmethod
    def load(cls, session: str, records: Iterable[Record]) -> Recording:
        """Raises nothing for records of a kind it doesn't know."""
        recording = cls(session)
        for record in records:
            recording.apply(record)
        return recording

    def apply(self, r: Record) -> None:
        """Take one record."""
        self.changes += 1
        match r.get("type"):
            case "begin":
                self.stream_id, self.started_us = r["stream_id"], r["wall_us"]
                self.node_id = r.get("node_id", "")
            case "track":
                self._apply_track(r)
            case "part":
                key = (r["track"], r["msn"])
                self.open_parts.setdefault(key, []).append(ListedPart("", r["duration_us"], False))
                self.open_starts.setdefault(key, (r["epoch"], r["wall_us"], r["start_us"]))
            case "segment":
                self._apply_segment(r)
            case "lost":
                self._apply_lost(r["track"], r["msn"])
            case "thumbnail":
                self.thumbnails.append(r["wall_us"])
            case "end":
                self.ended_us = r["wall_us"]

    def has(self, key: str) -> bool:
        """Whether a segment of this key is finished and kept."""
        return key in self._keys

    @property
    def duration_us(self) -> int:
        """Of the longest role."""
        return max((sum(s.duration_us for s in role.segments) for role in self._roles.values()), default=0)

    @property
    def missing_us(self) -> int:
        """Of the longest role: what is a gap in it."""
        return max(
            (sum(s.duration_us for s in role.listed if s.gap) for role in self._roles.values()), default=0
        )

    @property
    def roles(self) -> list[str]:
        return [name for name in ROLES if name in self._roles]

    def current_track(self, role: str) -> str | None:
        """The encoder's track that feeds a role in the newest epoch."""
        epochs = [(epoch, track) for (epoch, track), name in self.tracks.items() if name == role]
        return max(epochs)[1] if epochs else None

    def segments(self, role: str) -> list[SegmentRecord]:
        return self._roles[role].segments if role in self._roles else []

    def newest(self, role: str) -> int:
        """Media sequence number of the newest segment of a role; -1: there is none."""
        segments = self.segments(role)
        return segments[-1].msn if segments else -1

    def spec(self, role: str) -> TrackSpec:
        return self._roles[role].spec

    def master(self, prefix: str) -> str | None:
        """The multivariant playlist; None while there is nothing to list."""
        listed = {name: role for name, role in self._roles.items() if role.listed}
        variants = {
            name: Variant(role.spec, f"{prefix}{name}.m3u8", role.bandwidth) for name, role in listed.items()
        }
        sound = variants.pop("sound", None)
        video = [variants[name] for name in ROLES if name in variants]
        return render_master(video, sound) if video or sound else None

    def playlist(self, role: str, *, window_us: int | None, ended: bool) -> tuple[Rendered, Rendered] | None:
        """(full, delta) of a role; ``window_us`` None: everything, with ENDLIST. None if nothing is there."""
        entry = self._roles.get(role)
        if entry is None or not entry.listed:
            return None
        if ended:
            rendered = Rendered.of(render_vod(entry.listed))
            return rendered, rendered
        shown = entry.listed
        if window_us is not None:
            length, at = 0, len(shown)
            while at > 0 and length < window_us:
                at -= 1
                length += shown[at].duration_us
            shown = shown[at:]
        first = shown[0]
        header = Header(None, first.msn, first.discontinuity_sequence)
        full = Rendered.of(render_full(header, shown))
        delta = render_delta(header, shown)
        return full, Rendered.of(delta) if delta is not None else full

    def entry(self) -> dict[str, Any]:
        """For the list of recordings; URLs and expiry are the caller's."""
        return {
            "recording_id": self.session,
            "started_us": self.started_us,
            "duration_s": round(self.duration_us / 1e6, 3),
            "bytes": self.bytes,
            "missing_s": round(self.missing_us / 1e6, 3),
        }

    def _apply_track(self, r: Record) -> None:
        spec = TrackSpec(
            r["track"],
            r["kind"],
            r["codec"],
            r["bitrate_bps"],
            b"",
            r["width"],
            r["height"],
            r["fps"],
            r["channels"],
        )
        self.tracks[r["epoch"], r["track"]] = r["role"]
        if r["role"] == "small":
            self._with_small.add(r["epoch"])
        role = self._roles.get(r["role"])
        if role is not None:
            role.spec = spec
            return
        role = self._roles[r["role"]] = _Role(spec, Bandwidth(spec.bitrate_bps))
        if r["role"] == "small":
            # The epochs before had a single rung, a black picture for one.
            for segment in self.segments("best"):
                role.add(segment, self._epochs[segment.epoch])

    def _apply_segment(self, r: Record) -> None:
        self.open_parts.pop((r["track"], r["msn"]), None)
        self.open_starts.pop((r["track"], r["msn"]), None)
        roles = [self._roles[name] for name in self._fed_by(r["epoch"], r["track"])]
        roles = [role for role in roles if not role.segments or r["msn"] > role.segments[-1].msn]
        if not roles:
            return
        segment = SegmentRecord(
            r["track"], r["msn"], r["epoch"], r["wall_us"], r["start_us"], r["duration_us"], r["bytes"]
        )
        discontinuities = self._epochs.setdefault(segment.epoch, len(self._epochs))
        for role in roles:
            role.add(segment, discontinuities)
        self._keys.add(segment.key)
        self.bytes += segment.bytes

    def _fed_by(self, epoch: int, track: str) -> list[str]:
        """Roles that a track is recorded as."""
        role = self.tracks.get((epoch, track))
        if role is None:
            return []
        both = role == "best" and "small" in self._roles and epoch not in self._with_small
        return [role, "small"] if both else [role]

    def _apply_lost(self, track: str, msn: int) -> None:
        """A segment that could not be kept: a gap of its length takes its place."""
        for role in self._roles.values():
            for segment in [s for s in role.segments if (s.track, s.msn) == (track, msn)]:
                role.segments.remove(segment)
                if segment.key in self._keys:
                    self.bytes -= segment.bytes
                    self._keys.discard(segment.key)
                at = next(i for i, listed in enumerate(role.listed) if listed.msn == msn)
                role.listed[at] = replace(role.listed[at], uri="../gap.m4s", closed=False, gap=True)
                role.listed[at].close()


def _gap(previous: ListedSegment) -> ListedSegment:
    gap = ListedSegment(
        previous.msn + 1,
        "../gap.m4s",
        previous.map_uri,
        previous.epoch,
        previous.wall_us + previous.duration_us,
        False,
        previous.discontinuities,
        gap=True,
        duration_us=2_000_000,
    )
    gap.close()
    return gap
