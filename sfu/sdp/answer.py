"""Answers, written by ourselves: ICE-lite (RFC 8445), BUNDLE (RFC 9143), one transport for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from sfu.sdp.negotiation import AcceptedMedia, Agreement
from sfu.sdp.offer import Fingerprint, IceCredentials, MediaSection

__all__ = ["Candidate", "LocalEnd", "candidate_lines", "publish_answer", "subscribe_answer"]

SCTP_PORT = 5000
MAX_MESSAGE_SIZE = 65536
"""RFC 8841 section 6.1: the default, which every peer can take."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host candidate: an address at which the node is reached, IPv4 or IPv6."""

    address: str
    port: int

    def __post_init__(self) -> None:
        ip_address(self.address)


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """Our end of the transport as the answer tells it."""

    session_id: int
    """sess-id of the o= line (RFC 8866 section 5.2), 62 random bits."""
    ice: IceCredentials
    fingerprint: Fingerprint
    setup: Literal["active", "passive"]
    candidates: Sequence[Candidate]
    version: int = 1
    """sess-version: rises with every answer of a session."""


def publish_answer(agreement: Agreement, local: LocalEnd) -> str:
    """The answer to a publisher: we receive."""
    return _answer(agreement, local, "recvonly")


def subscribe_answer(agreement: Agreement, local: LocalEnd) -> str:
    """The answer to a viewer: we send. Every AcceptedMedia has its ``sender``."""
    return _answer(agreement, local, "sendonly")


def candidate_lines(candidates: Sequence[Candidate]) -> Iterator[str]:
    """RFC 8839 section 5.1; priority as RFC 8445 section 5.1.2.1: host 126, the first address highest.
    Behind them the same addresses for peers without UDP: RFC 6544 section 4.5, with a type preference
    of 90, as TCP makes media wait for what was lost."""
    for index, candidate in enumerate(candidates):
        priority = (126 << 24) | ((65535 - index) << 8) | 255
        yield f"a=candidate:{index + 1} 1 udp {priority} {candidate.address} {candidate.port} typ host"
    for index, candidate in enumerate(candidates):
        priority = (90 << 24) | ((65535 - index) << 8) | 255
        foundation = len(candidates) + index + 1
        where = f"{candidate.address} {candidate.port}"
        yield f"a=candidate:{foundation} 1 tcp {priority} {where} typ host tcptype passive"
    yield "a=end-of-candidates"


def _answer(agreement: Agreement, local: LocalEnd, direction: str) -> str:
    accepted = {media.section.mid: media for media in agreement.media}
    data_mid = agreement.data.mid if agreement.data else None
    bundle = [s.mid for s in agreement.offer.sections if s.mid in accepted or s.mid == data_mid]
    lines = [
        "v=0",
        f"o=- {local.session_id} {local.version} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(bundle)}",
        "a=msid-semantic: WMS *",
    ]
    for section in agreement.offer.sections:
        media = accepted.get(section.mid) if section.bundled else None
        if media is not None and media.section is section:
            lines += _media_lines(media, direction if media.active else "inactive")
            lines += _transport_lines(local)
        elif section is agreement.data:
            lines += _data_lines(section)
            lines += _transport_lines(local)
        else:
            # RFC 3264 section 6: every m-line is answered, port 0 refuses it
            lines.append(f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}")
            lines.append("c=IN IP4 0.0.0.0")
            if section.mid:
                lines.append(f"a=mid:{section.mid}")
            lines.append("a=inactive")
    return "\r\n".join(lines) + "\r\n"


def _media_lines(media: AcceptedMedia, direction: str) -> Iterator[str]:
    section = media.section
    numbers: list[str] = []
    for codec in media.codecs:
        numbers.append(str(codec.payload_type.number))
        if codec.rtx is not None:
            numbers.append(str(codec.rtx.number))
    yield f"m={section.kind} 9 {section.protocol} {' '.join(numbers)}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{section.mid}"
    yield f"a={direction}"
    yield "a=rtcp-mux"
    # RFC 9725 section 4.4.1: the endpoint includes it in each bundled m-line
    yield "a=rtcp-mux-only"
    if section.rtcp_rsize:
        yield "a=rtcp-rsize"
    for extension in media.extensions:
        yield f"a=extmap:{extension.id} {extension.uri}"
    for codec in media.codecs:
        payload_type = codec.payload_type
        channels = f"/{payload_type.channels}" if payload_type.channels > 1 else ""
        yield f"a=rtpmap:{payload_type.number} {payload_type.name}/{payload_type.clock_rate}{channels}"
        for feedback in codec.feedback:
            yield f"a=rtcp-fb:{payload_type.number} {feedback}"
        if payload_type.fmtp:
            yield f"a=fmtp:{payload_type.number} {payload_type.fmtp}"
        if codec.rtx is not None:
            yield f"a=rtpmap:{codec.rtx.number} rtx/{codec.rtx.clock_rate}"
            yield f"a=fmtp:{codec.rtx.number} apt={payload_type.number}"
    for rid in media.rids:
        yield f"a=rid:{rid} recv"
    if media.rids:
        yield f"a=simulcast:recv {';'.join(media.rids)}"
    if media.sender is not None and media.active:
        sender = media.sender
        msid = f"{sender.stream} {sender.track}"
        yield f"a=msid:{msid}"
        ssrcs = [sender.ssrc]
        if any(codec.rtx for codec in media.codecs):
            ssrcs.append(sender.rtx_ssrc)
            yield f"a=ssrc-group:FID {sender.ssrc} {sender.rtx_ssrc}"
        for ssrc in ssrcs:
            yield f"a=ssrc:{ssrc} cname:{sender.cname}"
            yield f"a=ssrc:{ssrc} msid:{msid}"


def _data_lines(section: MediaSection) -> Iterator[str]:
    yield f"m=application 9 {section.protocol} {' '.join(section.formats)}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{section.mid}"
    yield f"a=sctp-port:{SCTP_PORT}"
    yield f"a=max-message-size:{MAX_MESSAGE_SIZE}"


def _transport_lines(local: LocalEnd) -> Iterator[str]:
    yield f"a=ice-ufrag:{local.ice.ufrag}"
    yield f"a=ice-pwd:{local.ice.pwd}"
    yield f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}"
    yield f"a=setup:{local.setup}"
    yield from candidate_lines(local.candidates)
