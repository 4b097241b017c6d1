"""Redundant audio (RFC 2198) around Opus: the copies fill losses, without waiting longer for them."""

from __future__ import annotations

from collections.abc import Sequence

from sfu.depacketize.access_unit import AccessUnit, MalformedPayload
from sfu.depacketize.reorder import DEFAULT_MAX_WAIT_US, Ordered, ReorderBuffer
from sfu.depacketize.unwrap import Unwrapper
from sfu.media import RtpPacket

__all__ = ["RedDepacketizer"]


class RedDepacketizer:
    """After a loss of n packets, up to n copies are taken from the packet behind it."""

    def __init__(self, max_wait_us: int = DEFAULT_MAX_WAIT_US) -> None:
        self._reorder = ReorderBuffer(max_wait_us)
        self._unwrap = Unwrapper(32)
        self._newest: int | None = None
        self._lost_before = False
        self.malformed = 0

    @property
    def next_deadline_us(self) -> int | None:
        return self._reorder.next_deadline_us

    def push(self, packets: Sequence[RtpPacket], now_us: int) -> list[AccessUnit]:
        return self._units(self._reorder.push(packets, now_us))

    def flush(self) -> list[AccessUnit]:
        return self._units(self._reorder.flush())

    def _units(self, ordered: Sequence[Ordered]) -> list[AccessUnit]:
        out: list[AccessUnit] = []
        for entry in ordered:
            if not entry.packet.payload:
                self._lost_before = self._lost_before or entry.lost > 0
                continue
            try:
                blocks = _blocks(entry.packet.payload)
            except MalformedPayload:
                self.malformed += 1
                self._lost_before = True
                continue
            rtp_time = self._unwrap(entry.packet.timestamp)
            copies = [
                (rtp_time - offset, data)
                for offset, data in blocks[:-1]
                if data and self._newest is not None and rtp_time - offset > self._newest
            ]
            copies = copies[-entry.lost :] if entry.lost else []
            self._lost_before = self._lost_before or len(copies) < entry.lost
            for time, data in [*copies, (rtp_time, blocks[-1][1])]:
                if data:
                    out.append(AccessUnit(data, time, True, entry.packet.arrival_us, self._lost_before))
                    self._lost_before = False
            self._newest = rtp_time
        return out


def _blocks(payload: bytes) -> list[tuple[int, bytes]]:
    """(timestamp offset, data) of each block, the primary one last with offset 0 (section 3)."""
    headers: list[tuple[int, int]] = []
    at = 0
    while at < len(payload) and payload[at] & 0x80:
        if at + 4 > len(payload):
            raise MalformedPayload("block header ends early")
        word = int.from_bytes(payload[at : at + 4], "big")
        headers.append((word >> 10 & 0x3FFF, word & 0x3FF))
        at += 4
    at += 1
    blocks = []
    for offset, size in headers:
        if at + size > len(payload):
            raise MalformedPayload("block ends early")
        blocks.append((offset, payload[at : at + size]))
        at += size
    if at > len(payload):
        raise MalformedPayload("no primary block")
    blocks.append((0, payload[at:]))
    return blocks
