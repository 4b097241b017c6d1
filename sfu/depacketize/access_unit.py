"""What a depacketiser gives back, and its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sfu.media import RtpPacket

__all__ = ["AccessUnit", "Depacketizer", "Frame", "MalformedPayload"]


class MalformedPayload(ValueError):
    """A payload that breaks its codec's RTP format; the frame it belongs to is dropped."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One frame of video or one packet of sound, whole."""

    data: bytes
    """H.264: Annex B, SPS and PPS before each IDR. VP8 and VP9: the frame (VP9 with spatial layers: a
    superframe with its index). AV1: a temporal unit of OBUs with sizes, temporal delimiter first.
    Opus: the packet."""
    rtp_time: int
    """RTP time, unwrapped to 64 bits; the first packet keeps its 32-bit value."""
    keyframe: bool
    """Decoding can start here. Always True for sound."""
    arrival_us: int
    """Arrival of the packet that completed the unit, engine's monotonic clock."""
    lost_before: bool
    """Something between the unit before and this one is missing or was dropped as damaged: ask for a
    keyframe (video) or conceal (sound)."""
    width: int | None = None
    """Coded picture size in pixels of the newest keyframe, after cropping; None for sound and before
    it is known."""
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What a codec's format makes of the payloads of one frame."""

    data: bytes
    keyframe: bool
    width: int | None = None
    height: int | None = None


class Depacketizer(Protocol):
    """Packets and a time in, access units out (in decoding order)."""

    def push(self, packets: Sequence[RtpPacket], now_us: int) -> list[AccessUnit]:
        """Take ``packets`` in order of arrival; an empty sequence only lets time pass.

        Never raises for what stands in a packet: damaged frames are dropped and show as
        ``lost_before`` on the next unit.
        """
        ...

    @property
    def next_deadline_us(self) -> int | None:
        """When to call `push` again at the latest: a missing packet is given up then. None: no need."""
        ...

    def flush(self) -> list[AccessUnit]:
        """The source has ended: give up all waiting and return what is left."""
        ...
