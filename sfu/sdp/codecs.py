"""Which codecs are taken, in which order, and with which RTCP feedback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.sdp.offer import MediaSection, PayloadType

if TYPE_CHECKING:
    from sfu._engine import CodecSpec

__all__ = ["AcceptedCodec", "CodecPolicy", "NoCommonCodec"]

FEEDBACK = ("nack", "nack pli", "ccm fir")
"""RFC 4585, RFC 5104; congestion feedback is chosen beside them: one kind for the transport."""


@dataclass(frozen=True, slots=True)
class AcceptedCodec:
    """A payload type that both sides take, with its retransmissions (RFC 4588)."""

    payload_type: PayloadType
    rtx: PayloadType | None
    feedback: tuple[str, ...]

    def spec(self) -> CodecSpec:
        """The same for the engine."""
        return {
            "payload_type": self.payload_type.number,
            "rtx_payload_type": self.rtx.number if self.rtx else None,
            "name": self.payload_type.name,
            "clock_rate": self.payload_type.clock_rate,
            "channels": self.payload_type.channels,
            "fmtp": self.payload_type.fmtp,
            "nack": "nack" in self.feedback,
            "pli": "nack pli" in self.feedback,
            "fir": "ccm fir" in self.feedback,
        }


class NoCommonCodec(ValueError):
    """An m-line offers no codec that is taken here."""

    def __init__(self, kind: str, offered: tuple[str, ...], accepted: tuple[str, ...]) -> None:
        super().__init__(
            f"no common {kind} codec: offered {', '.join(offered) or 'none'}; accepted {', '.join(accepted)}"
        )
        self.kind = kind
        self.offered = offered
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class CodecPolicy:
    """Codecs by SDP name, the preferred first. Within one name (H.264 profiles and packetization
    modes) the offer's order stays."""

    video: tuple[str, ...] = ("H264", "VP8", "VP9", "AV1")
    """H.264 first: hardware encodes it everywhere and HLS passes it through."""
    audio: tuple[str, ...] = ("opus", "red")

    def names(self, kind: str) -> tuple[str, ...]:
        return self.video if kind == "video" else self.audio

    def choose(
        self, section: MediaSection, *, prefer_offer: bool, congestion: str
    ) -> tuple[AcceptedCodec, ...]:
        """What to accept of ``section``; raises NoCommonCodec.

        ``prefer_offer`` keeps the peer's order (RFC 3264 section 6.1): right for viewers, who know what
        they decode best. ``congestion`` is the rtcp-fb value to keep besides, ``transport-cc``,
        ``goog-remb`` or empty.
        """
        names = [name.lower() for name in self.names(section.kind)]
        chosen = [p for p in section.payload_types if p.name.lower() in names]
        plain = {str(p.number) for p in chosen if p.name.lower() != "red"}
        # RFC 2198: RED that carries a codec we didn't take is of no use
        chosen = [
            p for p in chosen if p.name.lower() != "red" or set(filter(None, p.fmtp.split("/"))) <= plain
        ]
        if not any(p.name.lower() != "red" for p in chosen):
            offered = tuple(dict.fromkeys(p.name for p in section.payload_types if p.name.lower() != "rtx"))
            raise NoCommonCodec(section.kind, offered, self.names(section.kind))
        if not prefer_offer:
            chosen.sort(key=lambda p: names.index(p.name.lower()))
        wanted = (congestion, *FEEDBACK)
        return tuple(
            AcceptedCodec(p, section.rtx_of(p.number), tuple(f for f in wanted if f and f in p.feedback))
            for p in chosen
        )
