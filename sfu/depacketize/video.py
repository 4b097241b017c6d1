"""Assembles frames from packets that are in order; what the payloads mean is the codec's format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sfu.depacketize.access_unit import AccessUnit, Frame, MalformedPayload
from sfu.depacketize.reorder import DEFAULT_MAX_WAIT_US, Ordered, ReorderBuffer
from sfu.depacketize.unwrap import Unwrapper
from sfu.media import RtpPacket

__all__ = ["VideoDepacketizer", "VideoFormat"]

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""A 4K keyframe at high quality is about 2 MB."""


class VideoFormat(Protocol):
    """The RTP payload format of one video codec."""

    def begins_frame(self, payload: bytes) -> bool:
        """Whether ``payload`` can be the first of a frame; asked only after a loss."""
        ...

    def assemble(self, payloads: Sequence[bytes]) -> Frame | None:
        """The frame made of these payloads, None if nothing in it is to be decoded.

        Raises MalformedPayload.
        """
        ...


class VideoDepacketizer:
    """One frame per RTP timestamp; it ends with the marker, or where the next timestamp begins."""

    def __init__(self, video_format: VideoFormat, max_wait_us: int = DEFAULT_MAX_WAIT_US) -> None:
        self._format = video_format
        self._reorder = ReorderBuffer(max_wait_us)
        self._unwrap = Unwrapper(32)
        self._payloads: list[bytes] = []
        self._bytes = 0
        self._timestamp: int | None = None
        self._arrival_us = 0
        self._damaged = False
        self._lost_before = False
        self._size: tuple[int | None, int | None] = (None, None)
        self.malformed = 0
        """Frames dropped because a payload broke its format."""

    @property
    def next_deadline_us(self) -> int | None:
        return self._reorder.next_deadline_us

    @property
    def lost(self) -> int:
        """Packets given up so far."""
        return self._reorder.lost

    def push(self, packets: Sequence[RtpPacket], now_us: int) -> list[AccessUnit]:
        return self._assemble(self._reorder.push(packets, now_us))

    def flush(self) -> list[AccessUnit]:
        return self._assemble(self._reorder.flush())

    def _assemble(self, ordered: Sequence[Ordered]) -> list[AccessUnit]:
        out: list[AccessUnit] = []
        for entry in ordered:
            packet = entry.packet
            if not packet.payload:
                if entry.lost:
                    self._damaged = self._damaged or bool(self._payloads)
                    self._lost_before = True
                continue
            if packet.timestamp != self._timestamp:
                # Without a marker and after a loss the tail of the frame before may be missing.
                if self._payloads:
                    self._damaged = self._damaged or entry.lost > 0
                    self._end(out)
                self._timestamp = packet.timestamp
                self._damaged = entry.lost > 0 and not self._format.begins_frame(packet.payload)
                self._lost_before = self._lost_before or entry.lost > 0
            elif entry.lost:
                self._damaged = True
            self._payloads.append(packet.payload)
            self._bytes += len(packet.payload)
            self._arrival_us = max(self._arrival_us, packet.arrival_us)
            if self._bytes > MAX_FRAME_BYTES:
                self._damaged = True
                self._payloads = [packet.payload]
                self._bytes = len(packet.payload)
            if packet.marker:
                self._end(out)
        return out

    def _end(self, out: list[AccessUnit]) -> None:
        payloads, self._payloads, self._bytes = self._payloads, [], 0
        damaged, self._damaged = self._damaged, False
        assert self._timestamp is not None
        rtp_time = self._unwrap(self._timestamp)
        arrival_us, self._arrival_us = self._arrival_us, 0
        frame: Frame | None = None
        if not damaged:
            try:
                frame = self._format.assemble(payloads)
            except MalformedPayload:
                self.malformed += 1
                damaged = True
        if damaged:
            self._lost_before = True
        if frame is None:
            return
        if frame.keyframe:
            self._size = (frame.width, frame.height)
        lost_before, self._lost_before = self._lost_before, False
        width, height = self._size
        out.append(AccessUnit(frame.data, rtp_time, frame.keyframe, arrival_us, lost_before, width, height))
