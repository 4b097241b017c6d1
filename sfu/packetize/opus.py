"""Opus over RTP (RFC 7587): one packet each; the marker begins a talk spurt (section 4.1 of RFC 3551)."""

from __future__ import annotations

from sfu.media import RtpPacket

__all__ = ["OpusPacketizer"]


class OpusPacketizer:
    """Wraps Opus packets; sequence numbers run on from ``sequence`` and wrap."""

    def __init__(self, sequence: int = 0) -> None:
        self._sequence = sequence
        self._first = True

    def packetize(self, packet: bytes, timestamp: int, *, talk_spurt: bool = False) -> RtpPacket:
        """``timestamp`` is RTP time at 48 kHz, taken modulo 2^32."""
        marker, self._first = self._first or talk_spurt, False
        out = RtpPacket(self._sequence & 0xFFFF, timestamp % 2**32, marker, packet)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return out
