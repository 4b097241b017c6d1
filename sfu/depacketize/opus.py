"""Opus over RTP (RFC 7587): each packet is an access unit."""

from __future__ import annotations

from collections.abc import Sequence

from sfu.depacketize.access_unit import AccessUnit
from sfu.depacketize.reorder import DEFAULT_MAX_WAIT_US, Ordered, ReorderBuffer
from sfu.depacketize.unwrap import Unwrapper
from sfu.media import RtpPacket

__all__ = ["OpusDepacketizer"]


class OpusDepacketizer:
    """RTP time steps over silence (DTX) without a loss: ``lost_before`` tells the two apart."""

    def __init__(self, max_wait_us: int = DEFAULT_MAX_WAIT_US) -> None:
        self._reorder = ReorderBuffer(max_wait_us)
        self._unwrap = Unwrapper(32)
        self._lost_before = False

    @property
    def next_deadline_us(self) -> int | None:
        return self._reorder.next_deadline_us

    @property
    def lost(self) -> int:
        """Packets given up so far."""
        return self._reorder.lost

    def push(self, packets: Sequence[RtpPacket], now_us: int) -> list[AccessUnit]:
        return self._units(self._reorder.push(packets, now_us))

    def flush(self) -> list[AccessUnit]:
        return self._units(self._reorder.flush())

    def _units(self, ordered: Sequence[Ordered]) -> list[AccessUnit]:
        out = []
        for entry in ordered:
            self._lost_before = self._lost_before or entry.lost > 0
            if not entry.packet.payload:
                continue
            rtp_time = self._unwrap(entry.packet.timestamp)
            out.append(
                AccessUnit(entry.packet.payload, rtp_time, True, entry.packet.arrival_us, self._lost_before)
            )
            self._lost_before = False
        return out
