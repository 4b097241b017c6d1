"""The Program: the audio and video that the audience sees, an alias that may be pointed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sfu.media import Codec, Kind, Source
from sfu.track import Track

if TYPE_CHECKING:
    from sfu._engine import Engine
    from sfu.participant import Participant

__all__ = ["Program", "Slot"]

Slot = Literal["primary", "backup"]


class Program:
    """Two aliases of the engine. Without a mixer it IS the active publisher's own tracks; point_to()
    points it at the mixer's, follow() back at the publisher's. Viewers stay subscribed to the aliases;
    video moves on a keyframe, and sound with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots: dict[Slot, Participant] = {}
        self._targets: dict[Kind, Track | None] = {"audio": None, "video": None}
        self._pinned = False
        self._active: Slot | None = None
        self.audio = Source(engine.open_alias("audio"), "audio")
        self.video = Source(engine.open_alias("video"), "video")

    @property
    def sources(self) -> tuple[Source, Source]:
        return self.audio, self.video

    @property
    def active_slot(self) -> Slot | None:
        """The slot whose publisher the audience sees, None while pinned or without publishers."""
        return None if self._pinned else self._active

    @property
    def active_publisher(self) -> Participant | None:
        """Whom the Program shows when it follows its publishers."""
        return self._slots.get(self._active) if self._active is not None else None

    @property
    def publishers(self) -> list[Participant]:
        """Holders of the slots."""
        return list(self._slots.values())

    @property
    def pinned(self) -> bool:
        return self._pinned

    @property
    def flowing(self) -> bool:
        track = self._targets["video"] or self._targets["audio"]
        return track is not None and track.flowing

    @property
    def has_source(self) -> bool:
        """Whether there is a publisher or a pinned track, flowing or not."""
        return any(track is not None and not track.closed for track in self._targets.values())

    def codec(self, kind: Kind) -> Codec | None:
        """What it sends now; None without such a track or before its media flows."""
        track = self._targets[kind]
        return track.codec if track is not None else None

    def track(self, kind: Kind) -> Track | None:
        return self._targets[kind]

    def publisher(self, slot: Slot) -> Participant | None:
        return self._slots.get(slot)

    def point_to(self, audio: Track | None, video: Track | None) -> None:
        """Point it at these tracks, whatever the publishers do, until follow()."""
        self._pinned = True
        self._point(audio, video)

    def follow(self) -> None:
        """Follow the publisher of the active slot (the default)."""
        self._pinned = False
        self.update()

    def take_slot(self, slot: Slot, publisher: Participant) -> None:
        self._slots[slot] = publisher
        self.update()

    def leave_slot(self, publisher: Participant) -> None:
        for slot, holder in list(self._slots.items()):
            if holder is publisher:
                del self._slots[slot]
        self.update()

    def update(self) -> None:
        """Choose the publisher anew: the primary as long as it sends, the backup while only it does."""
        self._active = self._choose()
        if self._pinned:
            audio, video = self._targets["audio"], self._targets["video"]
            self._point(
                None if audio is None or audio.closed else audio,
                None if video is None or video.closed else video,
            )
            return
        publisher = self.active_publisher
        if publisher is None:
            self._point(None, None)
        else:
            self._point(publisher.track_of("audio"), publisher.track_of("video"))

    def close(self) -> None:
        self._engine.remove_alias(self.audio.track_id)
        self._engine.remove_alias(self.video.track_id)

    def _choose(self) -> Slot | None:
        slots: tuple[Slot, Slot] = ("primary", "backup")
        for slot in slots:
            if (publisher := self._slots.get(slot)) is not None and publisher.flowing:
                return slot
        # nobody sends: stay where we are, a switch back would cost a keyframe for nothing
        if self._active in self._slots:
            return self._active
        return next((slot for slot in slots if slot in self._slots), None)

    def _point(self, audio: Track | None, video: Track | None) -> None:
        # the picture first: the sound waits for it
        for source, track, picture in (
            (self.video, video, None),
            (self.audio, audio, self.video.track_id),
        ):
            if track is not self._targets[source.kind]:
                self._targets[source.kind] = track
                target = track.track_id if track is not None else None
                self._engine.point_alias(source.track_id, target, picture)
