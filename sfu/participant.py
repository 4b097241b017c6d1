"""A Participant of a stream on this node: host, ingest, mixer, bridge or viewer.

It implements sfu.media.Participant, so whoever taps and publishes through it needn't know whether the
engine is in this process or behind a relay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from sfu.media import Codec, Encoding, Kind, ParticipantClosed, Source
from sfu.tap import EngineInjector, EngineTap
from sfu.track import Change, Track, TrackSource, codec_to_spec

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.stream import Stream

__all__ = ["Participant", "Role"]

Role = Literal["host", "ingest", "mixer", "bridge", "viewer", "relay"]

INJECTED_PAYLOAD_TYPE = 96
"""Inside the engine only; every subscription has its own payload types."""


class Participant:
    """Made by ``Stream.join()``. ``closed`` once it has left; then tap() and publish() raise."""

    def __init__(
        self, sfu: Sfu, stream: Stream, participant_id: str, role: Role, name: str, *, owner: bool = False
    ) -> None:
        self._sfu = sfu
        self.stream = stream
        self._participant_id = participant_id
        self.role = role
        self.name = name
        self.owner = owner
        """Whether it acts for the stream's owner."""
        self.tracks: dict[int, Track] = {}
        self.closed = False
        self.on_track: Callable[[Track, Change, str], None] | None = None
        """Called before the stream learns of news of a Track of this participant."""
        self._taps: set[EngineTap] = set()
        self._injectors: dict[int, EngineInjector] = {}

    @property
    def participant_id(self) -> str:
        return self._participant_id

    def track_of(self, kind: Kind) -> Track | None:
        """The first Track of ``kind``."""
        return next((track for track in self.tracks.values() if track.kind == kind), None)

    def track_from(self, source: TrackSource) -> Track | None:
        """The Track of this ``source``."""
        return next((track for track in self.tracks.values() if track.source == source), None)

    @property
    def flowing(self) -> bool:
        """Whether it sends what the audience looks at: video, or audio where it publishes no video."""
        track = self.track_of("video") or self.track_of("audio")
        return track is not None and track.flowing

    def add_track(self, track_id: int, kind: Kind, rids: Sequence[str], source: TrackSource) -> Track:
        """Register a Track that the engine knows by ``track_id``."""
        track = Track(track_id, kind, self.participant_id, rids, source, self._track_changed)
        self.tracks[track_id] = track
        self._sfu.register_track(track)
        self.stream.handle_tracks(self)
        return track

    def remove_track(self, track_id: int) -> None:
        track = self.tracks.pop(track_id, None)
        if track is not None:
            self._sfu.unregister_track(track)
            self._sfu.engine.remove_track(track_id)
            track.handle_closed()
            self.stream.handle_tracks(self)

    async def tap(self, source: Source, *, encoding: str = "auto", queue_packets: int = 4096) -> EngineTap:
        if self.closed:
            raise ParticipantClosed(self.participant_id)
        if not self._sfu.knows_source(source.track_id):
            raise LookupError(f"no source {source.track_id}")
        tap = EngineTap(self._sfu.engine, source.track_id, encoding, queue_packets, self._tap_closed)
        self._taps.add(tap)
        self._sfu.register_tap(tap)
        return tap

    async def publish(
        self,
        kind: Kind,
        codec: Codec,
        encodings: Sequence[Encoding] = (Encoding(),),
        source: TrackSource | None = None,
    ) -> EngineInjector:
        if self.closed:
            raise ParticipantClosed(self.participant_id)
        if codec.kind != kind:
            raise ValueError(f"{codec.name} is no {kind} codec")
        rids = [encoding.rid for encoding in encodings if encoding.rid]
        track_id = self._sfu.engine.open_injector(
            kind=kind, codec=codec_to_spec(codec, INJECTED_PAYLOAD_TYPE), rids=rids
        )
        injector = EngineInjector(self._sfu.engine, track_id, self._injector_closed)
        self._injectors[track_id] = injector
        track = self.add_track(
            track_id, kind, rids, source or ("mixer" if self.role == "mixer" else "ingest")
        )
        track.codec = codec
        return injector

    async def close(self) -> None:
        """Leave the stream: taps end, Tracks close. Idempotent."""
        if self.closed:
            return
        self.closed = True
        for tap in list(self._taps):
            tap.end()
        for injector in list(self._injectors.values()):
            injector.end()
        for track_id in list(self.tracks):
            self.remove_track(track_id)
        self.stream.handle_left(self)

    def _track_changed(self, track: Track, change: Change, rid: str) -> None:
        if change == "keyframe-needed":
            if (injector := self._injectors.get(track.track_id)) is not None:
                injector.handle_keyframe_needed(rid)
            return
        if self.on_track is not None:
            self.on_track(track, change, rid)
        self.stream.handle_track(self, change)

    def _tap_closed(self, tap: EngineTap) -> None:
        self._taps.discard(tap)
        self._sfu.unregister_tap(tap)

    def _injector_closed(self, injector: EngineInjector) -> None:
        self._injectors.pop(injector.track_id, None)
        self.remove_track(injector.track_id)
