"""Publishing: a peer whose Tracks come into a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.config import PublishBounds
from sfu.media import Kind
from sfu.program import Slot
from sfu.sdp.answer import publish_answer
from sfu.sdp.negotiation import Agreement, accept_publisher
from sfu.sdp.offer import SdpError, parse_offer
from sfu.session import Session
from sfu.track import Change, Track, TrackSource

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.stream import Stream

__all__ = ["PublishGrant", "Publisher", "publish"]

SOURCES: dict[Kind, TrackSource] = {"audio": "microphone", "video": "camera"}

NOTICES = {
    "too-fast": ("bitrate-refused", "The encoder sent more than this server takes; lower its bitrate."),
    "dtls": ("connection-failed", "The encoder's encryption handshake failed."),
    "never-reached": ("connection-failed", "No media path to the encoder: check firewall and UDP port."),
    "consent": ("connection-lost", "The encoder went silent."),
    "replaced": ("replaced", "The same key was used again; the newer connection took over."),
    "resolution": ("resolution-refused", "The picture is larger than this server takes."),
}


@dataclass(frozen=True, slots=True)
class PublishGrant:
    """What a key allows."""

    stream_id: str
    publisher: str = "host"
    """Who publishes; publishing again as the same one in the same slot takes over."""
    name: str = ""
    program: bool = True
    """Whether the Program follows these Tracks; a co-host's are on stage only."""
    bounds: PublishBounds | None = None
    """In place of the node's."""


class Publisher(Session):
    """A WHIP session, or a co-host's publishing transport. A Participant with Tracks."""

    def __init__(
        self, sfu: Sfu, stream: Stream, agreement: Agreement, grant: PublishGrant, slot: Slot
    ) -> None:
        super().__init__(sfu, stream, agreement)
        self._bounds = grant.bounds or sfu.config.bounds
        identity = publisher_id(grant, slot)
        self.participant = stream.join("host", participant_id=identity, name=grant.name, owner=grant.program)
        self.participant.on_track = self._handle_track
        self._notice: tuple[str, str] | None = None
        self._grant = grant
        self._slot: Slot = slot

    def open_media(self) -> None:
        """Tracks for every accepted m-line; ValueError if the engine refuses one."""
        sfu, stream = self._sfu, self.stream
        for media in self.agreement.media:
            kind: Kind = "video" if media.section.kind == "video" else "audio"
            track_id = sfu.engine.add_track(
                self.transport.transport_id,
                kind=kind,
                mid=media.section.mid,
                codecs=[codec.spec() for codec in media.codecs],
                rids=media.rids,
                # the SSRCs of simulcast encodings are learnt from their rids
                ssrcs=() if media.rids else media.section.ssrcs,
            )
            self.participant.add_track(track_id, kind, media.rids, SOURCES[kind])
        if self._grant.program:
            stream.program.take_slot(self._slot, self.participant)
            stream.refresh()

    @property
    def publishing(self) -> bool:
        return True

    @property
    def keyed(self) -> bool:
        return self._grant.program

    @property
    def participant_id(self) -> str | None:
        return self.participant.participant_id

    def answer(self) -> str:
        return publish_answer(self.agreement, self.local_end())

    def _handle_track(self, track: Track, change: Change, rid: str) -> None:
        if change != "resolution" or self.closed_because is not None:
            return
        encoding = track.encodings[rid]
        if (why := self._bounds.refuses(encoding.width, encoding.height)) is not None:
            self._notice = ("resolution-refused", f"The picture is refused: {why}.")
            self.transport.handle_closed("resolution")

    async def _closed(self, reason: str) -> None:
        notice = self._notice or NOTICES.get(reason)
        if notice is not None:
            self.stream.notice(self.participant, *notice)
        await self.participant.close()
        await self.stream.publisher_left(reason)


def publisher_id(grant: PublishGrant, slot: Slot) -> str:
    return grant.publisher if slot == "primary" else f"{grant.publisher}-{slot}"


async def publish(
    sfu: Sfu, authorize: Callable[[], Awaitable[PublishGrant]], slot: Slot, sdp: str
) -> Publisher:
    """Negotiate and open; an older session of the same publisher in the same slot is closed.

    ``authorize`` is asked again after each wait: a key may be replaced meanwhile. Raises what it raises,
    SdpError, NoCommonCodec or StageFull, before anything has changed.
    """
    grant = await authorize()
    agreement = accept_publisher(parse_offer(sdp), sfu.config.codecs)
    while True:
        stream = sfu.router.open(grant.stream_id)
        stream.stage.check_room(owner=grant.program, participant_id=publisher_id(grant, slot))
        older = stream.publisher(publisher_id(grant, slot))
        if older is None:
            break
        # while it closes another request of the same publisher may come first
        await older.close("replaced")
        grant = await authorize()
    try:
        publisher = Publisher(sfu, stream, agreement, grant, slot)
    except ValueError as error:
        stream.discard()
        raise SdpError(str(error)) from error
    try:
        publisher.open_media()
    except ValueError as error:
        await publisher.close("refused")
        raise SdpError(str(error)) from error
    return publisher
