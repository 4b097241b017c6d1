"""Payload types and extensions of every relay: both ends are ours, nothing is negotiated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.media import Kind

if TYPE_CHECKING:
    from sfu._engine import CodecSpec, Extensions

__all__ = ["EXTENSIONS", "relay_codecs"]

EXTENSIONS: Extensions = {"mid": 1, "transport_cc": 2, "audio_level": 3, "video_orientation": 4}


def _spec(number: int, name: str, clock_rate: int, channels: int = 1, fmtp: str = "") -> CodecSpec:
    return {
        "payload_type": number,
        "rtx_payload_type": number + 1,
        "name": name,
        "clock_rate": clock_rate,
        "channels": channels,
        "fmtp": fmtp,
        "nack": True,
        "pli": clock_rate == 90000,
        "fir": False,
    }


VIDEO = (
    _spec(96, "H264", 90000, fmtp="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    _spec(98, "H264", 90000, fmtp="level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"),
    _spec(100, "VP8", 90000),
    _spec(102, "VP9", 90000, fmtp="profile-id=0"),
    _spec(104, "VP9", 90000, fmtp="profile-id=2"),
    _spec(106, "AV1", 90000, fmtp="profile=0"),
    _spec(108, "AV1", 90000, fmtp="profile=1"),
)
AUDIO = (
    _spec(110, "opus", 48000, 2, "minptime=10;useinbandfec=1"),
    _spec(112, "red", 48000, 2, "110/110"),
)


def relay_codecs(kind: Kind) -> tuple[CodecSpec, ...]:
    return VIDEO if kind == "video" else AUDIO
