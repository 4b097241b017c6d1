"""Watching: a peer that receives a stream's Program."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.claim import Claim
from sfu.media import Kind
from sfu.sdp.answer import subscribe_answer
from sfu.sdp.codecs import NoCommonCodec
from sfu.sdp.negotiation import AcceptedMedia, Agreement, Sender, accept_viewer
from sfu.sdp.offer import SdpError, parse_offer
from sfu.seats import Seat
from sfu.session import Session
from sfu.ssrc import new_ssrcs

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.stream import Stream

__all__ = ["StreamNotLive", "Subscription", "UnknownEncoding", "Viewer", "watch"]

MSID = "program"
RANKS = {"h": 0, "m": 1, "l": 2}


class StreamNotLive(LookupError):
    """Nobody publishes to the stream."""


class UnknownEncoding(ValueError):
    """``rid`` is none of the encodings that the Program has now, which ``known`` lists."""

    def __init__(self, rid: str, known: list[str]) -> None:
        super().__init__(f"encoding {rid!r} is none of {', '.join(known)}")
        self.rid = rid
        self.known = known


@dataclass(frozen=True, slots=True)
class Subscription:
    """One participant receiving the Program's audio or video."""

    subscription_id: int
    kind: Kind
    ssrc: int
    rtx_ssrc: int


class Viewer(Session):
    """A WHEP session: subscriptions to the Program's aliases, the seat it holds, and until it is connected
    its place among those of its address."""

    def __init__(self, sfu: Sfu, stream: Stream, agreement: Agreement, seat: Seat, place: Claim) -> None:
        super().__init__(sfu, stream, agreement)
        self._seat = seat
        self._place = place
        self.subscriptions: dict[Kind, Subscription] = {}
        self._answer_media: tuple[AcceptedMedia, ...] = ()
        self._lacks_mixer = False
        """Whether the mixer's codec is none of this viewer's."""
        self._sources: dict[Kind, int] = {}
        self._hold = asyncio.get_running_loop().call_later(sfu.config.seat_hold_s, self._never_connected)

    def open_media(self) -> None:
        """Subscriptions for every accepted m-line; ValueError if the engine refuses one."""
        sfu, stream = self._sfu, self.stream
        media = []
        for accepted in self.agreement.media:
            kind: Kind = "video" if accepted.section.kind == "video" else "audio"
            ssrc, rtx_ssrc = new_ssrcs()
            source = stream.program.video if kind == "video" else stream.program.audio
            subscription_id = sfu.engine.add_subscription(
                self.transport.transport_id,
                kind=kind,
                mid=accepted.section.mid,
                source=source.track_id,
                codecs=[codec.spec() for codec in accepted.codecs],
                ssrc=ssrc,
                rtx_ssrc=rtx_ssrc,
            )
            self.subscriptions[kind] = Subscription(subscription_id, kind, ssrc, rtx_ssrc)
            sender = Sender(MSID, f"{MSID}-{kind}", ssrc, rtx_ssrc, self.transport.cname)
            media.append(accepted.with_sender(sender))
        self._answer_media = tuple(media)

    @property
    def watching(self) -> bool:
        return self.transport.connected and not self.transport.closed

    def answer(self) -> str:
        agreement = Agreement(
            self.agreement.offer,
            self._answer_media,
            self.agreement.data,
            self.agreement.transport_cc,
            self.agreement.remb,
        )
        return subscribe_answer(agreement, self.local_end())

    def select_encoding(self, rid: str) -> None:
        """Receive the encoding ``rid`` of the Program's video, or ``auto``; raises UnknownEncoding.

        ``h``, ``m`` and ``l`` always have a meaning, whatever the publisher calls its encodings and
        however few there are: they are listed from the best to the lowest."""
        track = self.stream.program.track("video")
        rids = [each for each in (track.encodings if track is not None else ()) if each]
        known = [*dict.fromkeys((*rids, *RANKS)), "auto"]
        if rid not in known:
            raise UnknownEncoding(rid, known)
        if rids and rid in RANKS and rid not in rids:
            rid = rids[RANKS[rid] * (len(rids) - 1) // 2]
        if (video := self.subscriptions.get("video")) is not None:
            self._sfu.engine.set_encoding(self.transport.transport_id, video.subscription_id, rid)

    def handle_connected(self) -> None:
        self._hold.cancel()
        self._place.release()
        self.stream.handle_viewers()

    def handle_codec_mismatch(self, subscription: int, codec: str) -> None:
        self._sfu.codec_mismatches += 1
        if self.stream.stage.mixed and not self._lacks_mixer:
            self._lacks_mixer = True
            self.handle_stage()

    def handle_stage(self) -> None:
        """Who lacks the mixer's codec gets the lead's own tracks while the Program is mixed."""
        if not self._lacks_mixer or self.transport.closed:
            return
        stage, program = self.stream.stage, self.stream.program
        lead = stage.lead if stage.mixed else None
        for kind, subscription in self.subscriptions.items():
            alias = program.video if kind == "video" else program.audio
            track = lead.track_of(kind) if lead is not None else None
            source = alias.track_id if track is None or stage.muted(track) else track.track_id
            if source != self._sources.get(kind, alias.track_id):
                self._sources[kind] = source
                self._sfu.engine.set_source(self.transport.transport_id, subscription.subscription_id, source)

    async def _closed(self, reason: str) -> None:
        self._hold.cancel()
        self._place.release()
        self._seat.release()

    def _never_connected(self) -> None:
        self.transport.handle_closed("never-connected")


async def watch(sfu: Sfu, stream_id: str, sdp: str, address: str, seats: int | None = None) -> Viewer:
    """Negotiate, take a seat and subscribe to the Program.

    Raises SdpError, StreamNotLive, NoCommonCodec, TooManyPending or NoSeat. ``address``: the client's.
    ``seats`` overrides the node's limit per stream.
    """
    offer = parse_offer(sdp)
    stream = sfu.router.get(stream_id)
    if stream is None or not stream.live:
        raise StreamNotLive(stream_id)
    agreement = accept_viewer(offer, sfu.config.codecs)
    for media in agreement.media:
        kind: Kind = "video" if media.section.kind == "video" else "audio"
        current = stream.program.codec(kind)
        names = tuple(dict.fromkeys(codec.payload_type.name for codec in media.codecs))
        if current is None or current.name.lower() in [name.lower() for name in names]:
            continue
        lead = stream.stage.lead if stream.stage.mixed else None
        own = lead.track_of(kind) if lead is not None else None
        if own is None or own.codec is None or own.codec.name.lower() not in [n.lower() for n in names]:
            raise NoCommonCodec(kind, names, (current.name,))
    with ExitStack() as undo:
        place = sfu.pending.enter(address)
        undo.callback(place.release)
        seat = sfu.seats.take(stream_id, seats)
        undo.callback(seat.release)
        try:
            viewer = Viewer(sfu, stream, agreement, seat, place)
        except ValueError as error:
            raise SdpError(str(error)) from error
        undo.pop_all()
    try:
        viewer.open_media()
    except ValueError as error:
        await viewer.close("refused")
        raise SdpError(str(error)) from error
    return viewer
