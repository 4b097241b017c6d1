"""What a host in a browser publishes: Tracks that come and go on one transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sfu.host_session import HostSession
from sfu.media import Kind
from sfu.sdp.answer import publish_answer
from sfu.sdp.negotiation import Agreement
from sfu.track import Change, Track, TrackSource

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant

__all__ = ["HostPublisher"]

SOURCES: dict[Kind, tuple[TrackSource, TrackSource]] = {
    "audio": ("microphone", "screen-audio"),
    "video": ("camera", "screen"),
}
"""By order of m-lines, where the host doesn't say."""


class HostPublisher(HostSession):
    """Tracks of a host, by mid."""

    def __init__(self, sfu: Sfu, host: Participant, agreement: Agreement) -> None:
        super().__init__(sfu, host, agreement)
        self._tracks: dict[str, Track] = {}
        self._notice: str | None = None
        host.on_track = self._handle_track

    @property
    def publishing(self) -> bool:
        return True

    def apply(self, sources: Mapping[str, TrackSource]) -> None:
        """Open Tracks for m-lines that are new, close those that ended. ValueError if the engine refuses."""
        media = {each.section.mid: each for each in self.agreement.media if each.active}
        for mid in self._tracks.keys() - media.keys():
            self.host.remove_track(self._tracks.pop(mid).track_id)
        for mid, each in media.items():
            if mid in self._tracks:
                continue
            kind: Kind = "video" if each.section.kind == "video" else "audio"
            track_id = self._sfu.engine.add_track(
                self.transport.transport_id,
                kind=kind,
                mid=mid,
                codecs=[codec.spec() for codec in each.codecs],
                rids=each.rids,
                ssrcs=() if each.rids else each.section.ssrcs,
            )
            source = self._source(kind, sources.get(mid))
            self._tracks[mid] = self.host.add_track(track_id, kind, each.rids, source)

    def answer(self) -> str:
        return publish_answer(self.agreement, self.local_end())

    def _source(self, kind: Kind, told: TrackSource | None) -> TrackSource:
        if told in SOURCES[kind]:
            return told
        taken = {track.source for track in self._tracks.values()}
        return next((each for each in SOURCES[kind] if each not in taken), SOURCES[kind][0])

    def _handle_track(self, track: Track, change: Change, rid: str) -> None:
        if change != "resolution" or self.closed_because is not None:
            return
        encoding = track.encodings[rid]
        if (why := self._sfu.config.bounds.refuses(encoding.width, encoding.height)) is not None:
            self._notice = f"{self.host.name or 'A host'}: the picture is refused, {why}."
            self.transport.handle_closed("resolution")

    async def _closed(self, reason: str) -> None:
        self.host.on_track = None
        for track in self._tracks.values():
            self.host.remove_track(track.track_id)
        self._tracks.clear()
        if self._notice is not None:
            self.stream.notice(self.host, "resolution-refused", self._notice)
        elif reason == "too-fast":
            text = f"{self.host.name or 'A host'} sent more than this server takes."
            self.stream.notice(self.host, "bitrate-refused", text)
        await self.stream.publisher_left(reason)
