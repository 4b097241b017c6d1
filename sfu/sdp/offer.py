"""Offers (RFC 8866, RFC 8829) as typed values.

aiortc parses what it knows; what it drops is read here: rid and simulcast (RFC 8851, RFC 8853),
rtcp-rsize (RFC 5506), directions of header extensions (RFC 8285) and fmtp lines as they were written.
"""

from __future__ import annotations

import string
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, cast

from aiortc.sdp import MediaDescription, SessionDescription, grouplines

__all__ = [
    "Direction",
    "Fingerprint",
    "HeaderExtension",
    "IceCredentials",
    "MediaSection",
    "Offer",
    "PayloadType",
    "SdpError",
    "Setup",
    "parse_offer",
]

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup = Literal["actpass", "active", "passive"]

MAX_SECTIONS = 64
"""A stage of 16 hosts is 32 m-lines and a data channel; twice that is nobody's honest offer."""

ICE_CHARS = frozenset(string.ascii_letters + string.digits + "+/-_=#")
"""RFC 8839 section 5.4, and those four that older agents send (libwebrtc takes them too)."""

MOST = {"a=rtpmap:": 128, "a=rtcp-fb:*": 16, "a=rid:": 16, "a=ssrc": 256}
"""Lines of one m-line. There are no more payload types, and Chromium writes half as many of the others at
most; the parser takes time by their product, seconds for the 64 kB that anybody may send."""


class SdpError(ValueError):
    """The text is not an offer that can be answered; the message says why."""


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """RFC 8839 section 5.4."""

    ufrag: str
    pwd: str = field(repr=False)

    def check(self) -> None:
        """Raises SdpError: at least 24 and 128 bits, and none but ice-chars."""
        for value, shortest in ((self.ufrag, 4), (self.pwd, 22)):
            if not shortest <= len(value) <= 256 or not set(value) <= ICE_CHARS:
                raise SdpError("ice-ufrag or ice-pwd is missing, has a wrong length or other than ice-chars")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """RFC 8122 section 5: hash algorithm in lower case, upper-case hex bytes with colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """One a=extmap line (RFC 8285 section 5), its direction left out."""

    id: int
    uri: str


@dataclass(frozen=True, slots=True)
class PayloadType:
    """A payload type of an m-line with its rtpmap, fmtp and rtcp-fb lines."""

    number: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""
    feedback: tuple[str, ...] = ()
    """As written, ``nack``, ``nack pli``, ``ccm fir``, ``transport-cc``, ``goog-remb``."""

    @property
    def parameters(self) -> dict[str, str]:
        """The fmtp line split at semicolons, keys in lower case."""
        pairs = (item.partition("=") for item in self.fmtp.split(";") if item.strip())
        return {key.strip().lower(): value.strip() for key, _, value in pairs}


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One m-line of an offer."""

    kind: str
    """``audio``, ``video``, ``application``, or whatever the offer says (answered with port 0)."""
    mid: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    direction: Direction
    payload_types: tuple[PayloadType, ...] = ()
    """In the offer's order of preference; RTX included."""
    extensions: tuple[HeaderExtension, ...] = ()
    rids: tuple[str, ...] = ()
    """Simulcast rids that the peer sends, in its order; alternatives and paused marks resolved."""
    ssrcs: tuple[tuple[int, int], ...] = ()
    """(media, RTX) SSRCs by ssrc-group FID (RFC 5576), RTX 0 where there is none."""
    msid: str | None = None
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    sctp_port: int | None = None
    max_message_size: int = 65536
    bundled: bool = False

    def rtx_of(self, number: int) -> PayloadType | None:
        """The retransmission payload type of ``number`` (RFC 4588 section 8.1)."""
        for candidate in self.payload_types:
            if candidate.name.lower() == "rtx" and candidate.parameters.get("apt") == str(number):
                return candidate
        return None


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole offer. BUNDLE makes ICE and DTLS common to all sections."""

    sections: tuple[MediaSection, ...]
    ice: IceCredentials
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup

    def of_kind(self, kind: str) -> list[MediaSection]:
        """Sections of ``kind`` that the peer did not reject itself."""
        return [section for section in self.sections if section.kind == kind and section.bundled]


def parse_offer(text: str) -> Offer:
    """Read an offer; raises SdpError for whatever can't be answered with one bundled transport."""
    if not text.startswith("v=0"):
        raise SdpError("an SDP begins with v=0")
    _check_counts(text)
    try:
        session = SessionDescription.parse(text)
        _, groups = grouplines(text)
        own = [_own_lines(lines) for lines in groups]
    except (
        ValueError,
        AssertionError,
        KeyError,
        IndexError,
        StopIteration,
        AttributeError,
        TypeError,
    ) as error:
        # aiortc's parser meets malformed lines with whatever exception the line happens to cause
        raise SdpError(f"malformed SDP ({type(error).__name__})") from error
    if not session.media:
        raise SdpError("no m-line")
    bundle = next(([str(mid) for mid in g.items] for g in session.group if g.semantic == "BUNDLE"), None)
    if bundle is None and len(session.media) > 1:
        raise SdpError("m-lines must be bundled (RFC 9143)")
    sections = tuple(_section(media, lines, bundle) for media, lines in zip(session.media, own, strict=True))
    mids = [section.mid for section in sections if section.bundled]
    if not all(mids):
        raise SdpError("an m-line has no mid (RFC 8829 section 5.2.1)")
    if len(set(mids)) != len(mids):
        raise SdpError("two m-lines have the same mid")
    first = next((m for m, s in zip(session.media, sections, strict=True) if s.bundled), None)
    if first is None:
        raise SdpError("every m-line is rejected or outside the bundle")
    return Offer(sections, _credentials(first), *_dtls(first))


def _check_counts(text: str) -> None:
    sections = 0
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("m="):
            sections += 1
            counts.clear()
        for start, most in MOST.items():
            if line.startswith(start):
                counts[start] += 1
                if counts[start] > most:
                    raise SdpError(f"more than {most} lines {start} in an m-line")
    if sections > MAX_SECTIONS:
        raise SdpError(f"more than {MAX_SECTIONS} m-lines")


@dataclass(slots=True)
class _OwnLines:
    """What aiortc doesn't keep of one m-line."""

    fmtp: dict[int, str] = field(default_factory=dict)
    extensions: list[HeaderExtension] = field(default_factory=list)
    send_rids: list[str] = field(default_factory=list)
    simulcast: str | None = None
    rtcp_rsize: bool = False
    max_message_size: int = 65536
    bundle_only: bool = False


def _own_lines(lines: list[str]) -> _OwnLines:
    own = _OwnLines()
    for line in lines:
        name, _, value = line[2:].strip().partition(":")
        if not line.startswith("a="):
            continue
        if name == "fmtp":
            number, _, parameters = value.partition(" ")
            own.fmtp[int(number)] = parameters.strip()
        elif name == "extmap":
            identity, uri = value.split()[:2]
            own.extensions.append(HeaderExtension(int(identity.partition("/")[0]), uri))
        elif name == "rid":
            rid, direction = value.split()[:2]
            if direction == "send":
                own.send_rids.append(rid)
        elif name == "simulcast":
            words = value.split()
            sides = dict(zip(words[::2], words[1::2], strict=False))
            own.simulcast = sides.get("send")
        elif name == "rtcp-rsize":
            own.rtcp_rsize = True
        elif name == "max-message-size":
            own.max_message_size = int(value)
        elif name == "bundle-only":
            own.bundle_only = True
    return own


def _section(media: MediaDescription, own: _OwnLines, bundle: list[str] | None) -> MediaSection:
    mid = media.rtp.muxId or ""
    # RFC 9143 section 6: port 0 with a=bundle-only is offered, port 0 alone is not
    offered = media.port != 0 or own.bundle_only
    payload_types = tuple(
        PayloadType(
            number=codec.payloadType,
            name=codec.mimeType.partition("/")[2],
            clock_rate=codec.clockRate,
            channels=codec.channels or 1,
            fmtp=own.fmtp.get(codec.payloadType, ""),
            feedback=tuple(f"{f.type} {f.parameter}" if f.parameter else f.type for f in codec.rtcpFeedback),
        )
        for codec in sorted(media.rtp.codecs, key=lambda codec: _preference(media, codec.payloadType))
        if codec.payloadType is not None and codec.payloadType in media.fmt
    )
    return MediaSection(
        kind=media.kind,
        mid=mid,
        port=media.port,
        protocol=media.profile,
        formats=tuple(str(fmt) for fmt in media.fmt),
        direction=cast(Direction, media.direction or "sendrecv"),
        payload_types=payload_types,
        extensions=tuple(own.extensions),
        rids=_simulcast_rids(own),
        ssrcs=_ssrcs(media),
        msid=media.msid,
        rtcp_mux=media.rtcp_mux,
        rtcp_rsize=own.rtcp_rsize,
        sctp_port=_sctp_port(media),
        max_message_size=own.max_message_size,
        bundled=offered and (bundle is None or mid in bundle),
    )


def _preference(media: MediaDescription, number: int | None) -> int:
    return media.fmt.index(number) if number in media.fmt else len(media.fmt)


def _simulcast_rids(own: _OwnLines) -> tuple[str, ...]:
    """RFC 8853 section 5.1: ``;`` between streams, ``,`` between alternatives, ``~`` marks paused."""
    if own.simulcast is None:
        return ()
    rids = [stream.split(",")[0].lstrip("~") for stream in own.simulcast.split(";")]
    unknown = [rid for rid in rids if rid not in own.send_rids]
    if unknown:
        raise SdpError(f"a=simulcast names rid {unknown[0]!r} that no a=rid line describes")
    return tuple(rids)


def _ssrcs(media: MediaDescription) -> tuple[tuple[int, int], ...]:
    pairs = {
        int(g.items[0]): int(g.items[1])
        for g in media.ssrc_group
        if g.semantic == "FID" and len(g.items) == 2
    }
    if not all(0 <= ssrc < 2**32 for ssrc in [*pairs, *pairs.values(), *(d.ssrc for d in media.ssrc)]):
        raise SdpError("an SSRC has more than 32 bits")
    repair = set(pairs.values())
    return tuple((d.ssrc, pairs.get(d.ssrc, 0)) for d in media.ssrc if d.ssrc not in repair)


def _sctp_port(media: MediaDescription) -> int | None:
    port = media.sctp_port
    if port is not None and not 0 < port < 2**16:
        raise SdpError("a=sctp-port is none of 1 to 65535 (RFC 8841 section 5.1)")
    return port


def _credentials(media: MediaDescription) -> IceCredentials:
    ice = media.ice
    ufrag, pwd = (ice.usernameFragment, ice.password) if ice is not None else (None, None)
    credentials = IceCredentials(ufrag or "", pwd or "")
    credentials.check()
    return credentials


def _dtls(media: MediaDescription) -> tuple[tuple[Fingerprint, ...], Setup]:
    if media.dtls is None or not media.dtls.fingerprints:
        raise SdpError("a=fingerprint or a=setup is missing")
    setup = {"auto": "actpass", "client": "active", "server": "passive"}[media.dtls.role]
    fingerprints = tuple(
        dict.fromkeys(Fingerprint(f.algorithm.lower(), f.value.upper()) for f in media.dtls.fingerprints)
    )
    if not any(f.algorithm in ("sha-256", "sha-384", "sha-512") for f in fingerprints):
        raise SdpError("no fingerprint with SHA-256 or better")
    return fingerprints, cast(Setup, setup)
