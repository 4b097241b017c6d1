"""From an offer to what both sides agreed on: pure, before anything is opened."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfu.sdp.codecs import AcceptedCodec, CodecPolicy
from sfu.sdp.offer import HeaderExtension, MediaSection, Offer, SdpError

if TYPE_CHECKING:
    from sfu._engine import Extensions

__all__ = [
    "AcceptedMedia",
    "Agreement",
    "Sender",
    "accept_host",
    "accept_publisher",
    "accept_viewer",
]

TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
EXTENSIONS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": "mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id": "rid",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id": "repaired_rid",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": "audio_level",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": "abs_send_time",
    TRANSPORT_CC: "transport_cc",
    "urn:3gpp:video-orientation": "video_orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay": "playout_delay",
}
SIMULCAST = ("rid", "repaired_rid")
"""Towards a viewer there is one encoding: no rid."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What a viewer is told of a Subscription (RFC 8830 msid, RFC 5576 ssrc)."""

    stream: str
    track: str
    ssrc: int
    rtx_ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class AcceptedMedia:
    """One m-line that is answered with more than port 0."""

    section: MediaSection
    codecs: tuple[AcceptedCodec, ...]
    extensions: tuple[HeaderExtension, ...]
    rids: tuple[str, ...] = ()
    sender: Sender | None = None
    active: bool = True
    """False: answered as inactive, so that the m-line may be used later."""

    def with_sender(self, sender: Sender) -> AcceptedMedia:
        return replace(self, sender=sender)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an answer will say, without our own addresses and credentials."""

    offer: Offer
    media: tuple[AcceptedMedia, ...]
    data: MediaSection | None
    """The m=application section of a data channel (RFC 8841)."""
    transport_cc: bool
    remb: bool

    def of_kind(self, kind: str) -> AcceptedMedia | None:
        return next((media for media in self.media if media.section.kind == kind), None)

    def extension_ids(self) -> Extensions:
        """Header extension ids of the bundled transport (RFC 9143 section 9.2: one id, one meaning)."""
        ids: dict[str, int] = {}
        for media in self.media:
            for extension in media.extensions:
                ids.setdefault(EXTENSIONS[extension.uri], extension.id)
        return ids  # type: ignore[return-value]  # keys are those of Extensions, by the table above


def accept_publisher(offer: Offer, policy: CodecPolicy, per_kind: int = 1) -> Agreement:
    """What to take of a publisher's offer: at most ``per_kind`` audio and video sections each.

    Raises NoCommonCodec when a section offers nothing that is taken, SdpError when nothing is sent or more
    than is taken: RFC 9725 sections 4.4.2 and 4.4.3 want no answer that takes a part.
    """
    directions = ("sendonly", "sendrecv")
    for kind in ("audio", "video"):
        if sum(each.direction in directions for each in offer.of_kind(kind)) > per_kind:
            raise SdpError(f"more than {per_kind} {kind} sections are sent")
    wanted = _wanted(offer, directions, per_kind)
    if not wanted:
        raise SdpError("the offer sends neither audio nor video")
    return _agree(offer, wanted, policy, prefer_offer=False, skip=())


def accept_viewer(offer: Offer, policy: CodecPolicy, per_kind: int = 1) -> Agreement:
    """What to send of a viewer's offer: every codec the Program may take, the viewer's order kept.

    Raises NoCommonCodec when a section takes nothing that may come, SdpError when nothing is received.
    """
    wanted = _wanted(offer, ("recvonly", "sendrecv"), per_kind)
    if not wanted:
        raise SdpError("the offer receives neither audio nor video")
    agreement = _agree(offer, wanted, policy, prefer_offer=True, skip=SIMULCAST)
    return replace(agreement, media=tuple(replace(media, rids=()) for media in agreement.media))


def accept_host(
    offer: Offer,
    policy: CodecPolicy,
    per_kind: int,
    *,
    publishes: bool,
    extensions: Collection[str] | None = None,
) -> Agreement:
    """What to take of a host's offer, the first or a later one on the same transport (RFC 8829 section
    5.2.2): every m-line that isn't rejected, those that carry nothing now as inactive.

    ``extensions``: URIs that the transport knows already; None for the first offer. Raises
    NoCommonCodec, or SdpError where there are more than ``per_kind`` sections of a kind or none at all.
    """
    directions = ("sendonly", "sendrecv") if publishes else ("recvonly", "sendrecv")
    wanted = _wanted(offer, ("sendonly", "recvonly", "sendrecv", "inactive"), per_kind)
    if not wanted:
        raise SdpError("the offer has neither audio nor video")
    for kind in ("audio", "video"):
        if len(offer.of_kind(kind)) > per_kind:
            raise SdpError(f"more than {per_kind} m-lines of {kind}")
    agreement = _agree(offer, wanted, policy, prefer_offer=not publishes, skip=() if publishes else SIMULCAST)

    def settled(media: AcceptedMedia) -> AcceptedMedia:
        kept = tuple(e for e in media.extensions if extensions is None or e.uri in extensions)
        simulcast = publishes and any(EXTENSIONS[e.uri] == "rid" for e in kept)
        return replace(
            media,
            extensions=kept,
            rids=media.rids if simulcast else (),
            active=media.section.direction in directions,
        )

    return replace(agreement, media=tuple(settled(media) for media in agreement.media))


def _wanted(offer: Offer, directions: Collection[str], per_kind: int) -> list[MediaSection]:
    found: list[MediaSection] = []
    for kind in ("audio", "video"):
        usable = [
            section
            for section in offer.of_kind(kind)
            # RFC 8829 section 5.3.1: without rtcp-mux there would be a second port
            if section.direction in directions
            and section.rtcp_mux
            and section.protocol == "UDP/TLS/RTP/SAVPF"
        ]
        found += usable[:per_kind]
    return found


def _agree(
    offer: Offer,
    wanted: list[MediaSection],
    policy: CodecPolicy,
    *,
    prefer_offer: bool,
    skip: Collection[str],
) -> Agreement:
    congestion = _congestion(wanted)
    media = []
    for section in (section for section in offer.sections if section in wanted):
        codecs = policy.choose(section, prefer_offer=prefer_offer, congestion=congestion)
        extensions = _extensions(section, skip)
        names = {EXTENSIONS[extension.uri] for extension in extensions}
        # without the rid extension nothing tells the encodings apart (RFC 8852)
        rids = section.rids if "rid" in names else ()
        media.append(AcceptedMedia(section, codecs, extensions, rids))
    data = next(
        (
            s
            for s in offer.of_kind("application")
            if s.protocol == "UDP/DTLS/SCTP" and s.sctp_port is not None
        ),
        None,
    )
    return Agreement(offer, tuple(media), data, congestion == "transport-cc", congestion == "goog-remb")


def _extensions(section: MediaSection, skip: Collection[str]) -> tuple[HeaderExtension, ...]:
    kept: dict[str, HeaderExtension] = {}
    for extension in section.extensions:
        name = EXTENSIONS.get(extension.uri)
        # RFC 8285 section 4.2: one-byte headers, which everybody reads, hold ids 1 to 14
        if name is not None and name not in skip and 1 <= extension.id <= 14:
            kept.setdefault(name, extension)
    return tuple(kept.values())


def _congestion(sections: list[MediaSection]) -> str:
    """transport-cc where a video section (or the only one) has it with its extension, else REMB."""
    deciding = [section for section in sections if section.kind == "video"] or sections
    offered = {feedback for section in deciding for p in section.payload_types for feedback in p.feedback}
    uris = {extension.uri for section in deciding for extension in section.extensions}
    if "transport-cc" in offered and TRANSPORT_CC in uris:
        return "transport-cc"
    return "goog-remb" if "goog-remb" in offered else ""
