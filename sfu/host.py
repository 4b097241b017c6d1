"""A host in a browser: one transport to publish, one to receive the other hosts, both renegotiated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sfu.media import Kind
from sfu.sdp.answer import publish_answer, subscribe_answer
from sfu.sdp.negotiation import AcceptedMedia, Agreement, Sender, accept_host
from sfu.sdp.offer import SdpError, parse_offer
from sfu.session import Session
from sfu.ssrc import new_ssrcs
from sfu.track import Change, Track, TrackSource

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant

__all__ = ["HostPublisher", "HostSubscriber", "ReceivedTrack", "StageHost"]

SOURCES: dict[Kind, tuple[TrackSource, TrackSource]] = {
    "audio": ("microphone", "screen-audio"),
    "video": ("camera", "screen"),
}
"""By order of m-lines, where the host doesn't say."""
PUBLISHED_PER_KIND = 2
"""A camera and a screen, with their sound."""
RECEIVED_PER_KIND = 31
"""Both of fifteen others."""


@dataclass(frozen=True, slots=True)
class ReceivedTrack:
    """What arrives on one m-line."""

    participant_id: str
    kind: Kind
    source: TrackSource


class _HostSession(Session):
    """What publishing and subscribing share: later offers on the same transport."""

    def __init__(self, sfu: Sfu, host: Participant, agreement: Agreement) -> None:
        super().__init__(sfu, host.stream, agreement)
        self.host = host
        self._extensions = frozenset(e.uri for media in agreement.media for e in media.extensions)

    @property
    def on_stage(self) -> bool:
        return True

    @property
    def participant_id(self) -> str | None:
        return self.host.participant_id

    def continues(self, agreement: Agreement) -> bool:
        """Whether the offer is a later one of this transport's peer: the same certificate."""
        return not self.transport.closed and agreement.offer.fingerprints == self.agreement.offer.fingerprints

    def renew(self, agreement: Agreement) -> None:
        """Take a later offer; new ICE credentials restart ICE (RFC 8839 section 4.4.1.1.1)."""
        if agreement.offer.ice != self.transport.remote:
            self.transport.restart_ice(agreement.offer.ice)
        self.agreement = agreement

    @property
    def known_extensions(self) -> frozenset[str]:
        return self._extensions


S = TypeVar("S", bound=_HostSession)


class HostPublisher(_HostSession):
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


@dataclass(slots=True)
class _Line:
    """One m-line to a host. Its SSRCs stay, whichever Track it carries."""

    media: AcceptedMedia
    kind: Kind
    ssrc: int
    rtx_ssrc: int
    track: Track | None = None
    subscription: int | None = None
    encoding: str = "auto"


class HostSubscriber(_HostSession):
    """The other hosts' Tracks to one host, straight from the router."""

    def __init__(self, sfu: Sfu, host: Participant, agreement: Agreement) -> None:
        super().__init__(sfu, host, agreement)
        self._lines: dict[str, _Line] = {}

    def apply(self) -> None:
        """Put every Track that the host should receive on an m-line, as far as the offer has them."""
        media = {each.section.mid: each for each in self.agreement.media}
        for mid in self._lines.keys() - media.keys():
            self._drop(self._lines.pop(mid))
        for mid, each in media.items():
            if mid in self._lines:
                self._lines[mid].media = each
            else:
                kind: Kind = "video" if each.section.kind == "video" else "audio"
                self._lines[mid] = _Line(each, kind, *new_ssrcs())
        self.refresh(assign=True)

    def refresh(self, *, assign: bool = False) -> None:
        """Follow the stage. Only an answer can tell of new Tracks: ``assign`` puts them on free lines."""
        tracks = self.stream.stage.tracks_for(self.host.participant_id)
        for line in self._lines.values():
            if line.track is not None and (line.track not in tracks or not line.media.active):
                self._drop(line)
        if assign:
            carried = [line.track for line in self._lines.values()]
            free = [line for line in self._lines.values() if line.track is None and line.media.active]
            for track in (track for track in tracks if track not in carried):
                fitting = next((each for each in free if each.kind == track.kind), None)
                if fitting is not None:
                    free.remove(fitting)
                    fitting.track = track
        encoding = self._encoding()
        for mid, line in self._lines.items():
            self._route(mid, line, encoding)

    def handle_stage(self) -> None:
        if self.closed_because is None:
            self.refresh()

    def received(self) -> dict[str, ReceivedTrack]:
        """What is on which mid."""
        return {
            mid: ReceivedTrack(line.track.participant_id, line.kind, line.track.source)
            for mid, line in self._lines.items()
            if line.track is not None
        }

    def answer(self) -> str:
        media = []
        for mid, line in self._lines.items():
            accepted = line.media
            if line.track is None:
                media.append(_inactive(accepted))
                continue
            track = f"{line.track.source}-{mid}"
            sender = Sender(line.track.participant_id, track, line.ssrc, line.rtx_ssrc, self.transport.cname)
            media.append(accepted.with_sender(sender))
        agreement = Agreement(
            self.agreement.offer,
            tuple(media),
            self.agreement.data,
            self.agreement.transport_cc,
            self.agreement.remb,
        )
        return subscribe_answer(agreement, self.local_end())

    def _encoding(self) -> str:
        """A page that shows nine hosts has a third of its width for each."""
        videos = sum(line.kind == "video" and line.track is not None for line in self._lines.values())
        return "auto" if videos <= 2 else "m" if videos <= 8 else "l"

    def _route(self, mid: str, line: _Line, encoding: str) -> None:
        """Have a subscription where the line's Track may be heard, none where it is muted."""
        track = line.track
        if track is None or self.stream.stage.muted(track):
            self._silence(line)
            return
        wanted = encoding if line.kind == "video" and track.source == "camera" else "auto"
        if line.subscription is None:
            line.encoding = wanted
            line.subscription = self._sfu.engine.add_subscription(
                self.transport.transport_id,
                kind=line.kind,
                mid=mid,
                source=track.track_id,
                codecs=[codec.spec() for codec in line.media.codecs],
                ssrc=line.ssrc,
                rtx_ssrc=line.rtx_ssrc,
                encoding=wanted,
                spared=True,
            )
        elif wanted != line.encoding:
            line.encoding = wanted
            self._sfu.engine.set_encoding(self.transport.transport_id, line.subscription, wanted)

    def _drop(self, line: _Line) -> None:
        self._silence(line)
        line.track = None

    def _silence(self, line: _Line) -> None:
        if line.subscription is not None:
            self._sfu.engine.remove_subscription(self.transport.transport_id, line.subscription)
            line.subscription = None

    async def _closed(self, reason: str) -> None:
        self._lines.clear()


def _inactive(media: AcceptedMedia) -> AcceptedMedia:
    return AcceptedMedia(media.section, media.codecs, media.extensions, (), None, active=False)


class StageHost:
    """A host who came through the gateway: the Participant and its two sessions."""

    def __init__(self, sfu: Sfu, participant: Participant) -> None:
        self._sfu = sfu
        self.participant = participant
        self._publisher: HostPublisher | None = None
        self._subscriber: HostSubscriber | None = None

    async def publish(self, sdp: str, sources: Mapping[str, TrackSource] | None = None) -> str:
        """The answer to an offer, the first or a later one. Raises SdpError or NoCommonCodec."""
        agreement = self._agree(sdp, PUBLISHED_PER_KIND, self._publisher, publishes=True)
        self._publisher = current = await self._settle(self._publisher, agreement, HostPublisher)
        try:
            current.apply(sources or {})
        except ValueError as error:
            await current.close("refused")
            raise SdpError(str(error)) from error
        return current.answer()

    async def unpublish(self) -> None:
        """Idempotent."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close("stopped")

    async def subscribe(self, sdp: str) -> tuple[str, dict[str, ReceivedTrack]]:
        """The answer and what is on which mid. Raises SdpError or NoCommonCodec."""
        agreement = self._agree(sdp, RECEIVED_PER_KIND, self._subscriber, publishes=False)
        self._subscriber = current = await self._settle(self._subscriber, agreement, HostSubscriber)
        try:
            current.apply()
        except ValueError as error:
            await current.close("refused")
            raise SdpError(str(error)) from error
        return current.answer(), current.received()

    async def leave(self, reason: str = "stopped") -> None:
        """Close both transports and leave the stream. Idempotent."""
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            await subscriber.close(reason)
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close(reason)
        await self.participant.close()

    async def _settle(self, current: S | None, agreement: Agreement, kind: type[S]) -> S:
        """The session that takes the offer: the current one, or another in its place."""
        if current is not None and current.continues(agreement):
            current.renew(agreement)
            return current
        if current is not None:
            await current.close("replaced")
        return kind(self._sfu, self.participant, agreement)

    def _agree(
        self, sdp: str, per_kind: int, current: HostPublisher | HostSubscriber | None, *, publishes: bool
    ) -> Agreement:
        offer = parse_offer(sdp)
        policy = self._sfu.config.codecs
        agreement = accept_host(offer, policy, per_kind, publishes=publishes)
        if current is not None and current.continues(agreement):
            known = current.known_extensions
            return accept_host(offer, policy, per_kind, publishes=publishes, extensions=known)
        return agreement
