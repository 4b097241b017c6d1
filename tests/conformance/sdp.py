"""Offers to be sent, and what a check wants to know of an answer.

Written by hand: a broken offer is one too.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

__all__ = ["Answer", "Section", "fragment", "offer", "parse_answer"]

AUDIO = "111"
VP8, VP8_RTX, H264, H264_RTX = "96", "97", "102", "103"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


def offer(
    ufrag: str,
    pwd: str,
    fingerprint: str,
    *,
    direction: str,
    setup: str = "actpass",
    kinds: tuple[str, ...] = ("audio", "video"),
    video_codec: str | None = None,
) -> str:
    """An offer of Opus, VP8 and H.264 without candidates (RFC 9725 section 4.3.2 allows an empty list).

    ``video_codec`` puts another name in place of both video codecs.
    """
    lines = [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(str(mid) for mid in range(len(kinds)))}",
        "a=extmap-allow-mixed",
    ]
    for mid, kind in enumerate(kinds):
        formats = AUDIO if kind == "audio" else " ".join((VP8, VP8_RTX, H264, H264_RTX))
        lines += [
            # RFC 9143 section 6: bundle-only comes with port 0
            f"m={kind} {0 if mid else 9} UDP/TLS/RTP/SAVPF {formats}",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{pwd}",
            "a=ice-options:trickle",
            f"a=fingerprint:sha-256 {fingerprint}",
            f"a=setup:{setup}",
            f"a=mid:{mid}",
            *(["a=bundle-only"] if mid else []),
            f"a=extmap:4 {MID}",
            f"a={direction}",
            "a=rtcp-mux",
            "a=rtcp-mux-only",
            "a=rtcp-rsize",
        ]
        if kind == "audio":
            lines += ["a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1"]
        else:
            lines += _video(VP8, VP8_RTX, video_codec or "VP8", "")
            profile = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
            lines += _video(H264, H264_RTX, video_codec or "H264", profile)
        if direction in ("sendonly", "sendrecv"):
            lines += [f"a=msid:conformance {kind}", f"a=ssrc:{ssrc_of(mid)} cname:conformance"]
            lines += [f"a=ssrc:{ssrc_of(mid)} msid:conformance {kind}"]
    return "\r\n".join(lines) + "\r\n"


def ssrc_of(mid: int) -> int:
    """What a publisher with these offers sends with."""
    return 0x10_0000 + mid


def _video(number: str, rtx: str, name: str, fmtp: str) -> list[str]:
    return [
        f"a=rtpmap:{number} {name}/90000",
        *(f"a=rtcp-fb:{number} {feedback}" for feedback in ("ccm fir", "nack", "nack pli")),
        *([f"a=fmtp:{number} {fmtp}"] if fmtp else []),
        f"a=rtpmap:{rtx} rtx/90000",
        f"a=fmtp:{rtx} apt={number}",
    ]


def fragment(ufrag: str, pwd: str, *candidates: str) -> str:
    """An ``application/trickle-ice-sdpfrag`` body (RFC 8840 section 9)."""
    lines = ["a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0"]
    lines += [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{pwd}"]
    lines += [f"a=candidate:{each}" for each in candidates]
    return "\r\n".join([*lines, "a=end-of-candidates"]) + "\r\n"


@dataclass(slots=True)
class Section:
    """One m-line with its attributes."""

    kind: str
    port: int
    formats: list[str]
    attributes: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        return name in self.attributes

    def values(self, name: str) -> list[str]:
        return [each.split(":", 1)[1] for each in self.attributes if each.startswith(f"{name}:")]


@dataclass(slots=True)
class Answer:
    """Of an answer or of an SDP fragment. ``setup`` is None in a fragment."""

    session: list[str]
    sections: list[Section]
    ufrag: str
    pwd: str
    setup: str | None
    fingerprint: str | None
    candidates: list[tuple[str, int]]
    """Over UDP, component 1, IPv4 first."""

    @property
    def bundle(self) -> list[str]:
        for each in self.session:
            if each.startswith("group:BUNDLE"):
                return each.split()[1:]
        return []


def parse_answer(text: str) -> Answer:
    """Raises ValueError where something that every peer needs is missing."""
    session: list[str] = []
    sections: list[Section] = []
    for line in text.splitlines():
        if line.startswith("m="):
            kind, port, _, *formats = line[2:].split()
            sections.append(Section(kind, int(port.split("/")[0]), formats))
        elif line.startswith("a="):
            (sections[-1].attributes if sections else session).append(line[2:].strip())

    def first(name: str) -> str | None:
        lines = [*session, *(a for section in sections for a in section.attributes)]
        return next((a.split(":", 1)[1].strip() for a in lines if a.startswith(f"{name}:")), None)

    ufrag, pwd = first("ice-ufrag"), first("ice-pwd")
    if ufrag is None or pwd is None:
        raise ValueError("ice-ufrag or ice-pwd is missing")
    found: list[tuple[str, int]] = []
    for section in sections:
        for value in section.values("candidate"):
            _, component, transport, _, address, port, *_ = value.split()
            if component == "1" and transport.lower() == "udp" and (address, int(port)) not in found:
                found.append((address, int(port)))
    found.sort(key=lambda each: ipaddress.ip_address(each[0]).version)
    return Answer(session, sections, ufrag, pwd, first("setup"), first("fingerprint"), found)
