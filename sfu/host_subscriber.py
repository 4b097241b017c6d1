"""What a host in a browser receives: the other hosts' Tracks on one transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.host_session import HostSession
from sfu.media import Kind
from sfu.sdp.answer import subscribe_answer
from sfu.sdp.negotiation import AcceptedMedia, Agreement, Sender
from sfu.ssrc import new_ssrcs
from sfu.track import Track, TrackSource

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant

__all__ = ["HostSubscriber", "ReceivedTrack"]


@dataclass(frozen=True, slots=True)
class ReceivedTrack:
    """What arrives on one m-line."""

    participant_id: str
    kind: Kind
    source: TrackSource


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


class HostSubscriber(HostSession):
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
