"""Puts packets back in order of sequence number, waiting a bounded time for what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.depacketize.unwrap import Unwrapper
from sfu.media import RtpPacket

__all__ = ["DEFAULT_MAX_WAIT_US", "Ordered", "ReorderBuffer"]

DEFAULT_MAX_WAIT_US = 150_000
"""One NACK and its repair at 100 ms round trip, plus 50 ms of jitter."""
MAX_HELD = 1024
"""Half a second of a 20 Mb/s source: more waiting than that is overload, not reordering."""
MAX_MISORDER = 1000
"""A packet this far behind is no straggler; two in sequence mean that the source began anew (RFC 3550
appendix A.1: MAX_MISORDER and bad_seq; its 100 is too small for late repairs)."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A packet in its place."""

    packet: RtpPacket
    lost: int
    """How many packets in front of this one were given up."""


class ReorderBuffer:
    """Holds packets behind a gap until it is filled, or ``max_wait_us`` after the gap was noticed."""

    def __init__(self, max_wait_us: int = DEFAULT_MAX_WAIT_US) -> None:
        self._max_wait_us = max_wait_us
        self._unwrap = Unwrapper(16)
        self._next: int | None = None
        self._held: dict[int, tuple[RtpPacket, int]] = {}
        self._restart_at: int | None = None
        self.late = 0
        """Packets that came after they had been given up, and repeats."""
        self.lost = 0
        """Packets given up so far."""

    @property
    def next_deadline_us(self) -> int | None:
        if not self._held:
            return None
        return min(noticed for _, noticed in self._held.values()) + self._max_wait_us

    def push(self, packets: Sequence[RtpPacket], now_us: int) -> list[Ordered]:
        """Packets in order of arrival in, packets in order of sequence out."""
        out: list[Ordered] = []
        for packet in packets:
            self._take(packet, now_us, out)
        self._drain(0, out)
        while self._held:
            deadline = self.next_deadline_us
            if len(self._held) <= MAX_HELD and deadline is not None and now_us < deadline:
                break
            self._skip_gap(out)
        return out

    def flush(self) -> list[Ordered]:
        """Give up every gap at once."""
        out: list[Ordered] = []
        while self._held:
            self._skip_gap(out)
        return out

    def _take(self, packet: RtpPacket, now_us: int, out: list[Ordered]) -> None:
        index = self._unwrap.peek(packet.sequence)
        if self._next is None:
            self._next = index
        if index < self._next - MAX_MISORDER:
            if packet.sequence != self._restart_at:
                self._restart_at = (packet.sequence + 1) & 0xFFFF
                return
            self._restart_at = None
            self._unwrap(packet.sequence)
            out += self.flush()
            self.lost += 1
            out.append(Ordered(packet, 1))
            self._next = index + 1
            return
        self._restart_at = None
        self._unwrap(packet.sequence)
        if index < self._next or index in self._held:
            self.late += 1
            return
        self._held[index] = (packet, now_us)
        self._drain(0, out)

    def _drain(self, lost: int, out: list[Ordered]) -> None:
        while self._next is not None and (entry := self._held.pop(self._next, None)) is not None:
            out.append(Ordered(entry[0], lost))
            lost = 0
            self._next += 1

    def _skip_gap(self, out: list[Ordered]) -> None:
        first = min(self._held)
        assert self._next is not None
        lost = first - self._next
        self.lost += lost
        self._next = first
        self._drain(lost, out)
