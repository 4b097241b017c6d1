"""One host's sound on its own RTP timeline: packets in, samples out for any span, losses concealed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixer.sound import RATE
from mixer.sound.opus import OpusDecoder, OpusError, Samples, packet_samples

__all__ = ["SoundBuffer", "SoundCounters"]

FRAME = RATE // 50
# Opus fades its concealment out over about 100 ms; longer gaps are silence (loss of path, or DTX).
CONCEALED = 5 * FRAME
# libopus conceals in multiples of 2.5 ms; the same is long enough to bend a seam into none.
PIECE = RATE // 400
# 5 ms: long enough that no edge clicks, short enough to keep the first consonant.
FADE = RATE // 200
# Two seconds of 20 ms packets, five times the largest delay.
MAX_PACKETS = 100


@dataclass(slots=True)
class SoundCounters:
    """Since the start, in packets; of ``concealed`` in pieces of at most 20 ms."""

    decoded: int = 0
    recovered: int = 0
    concealed: int = 0
    late: int = 0
    damaged: int = 0


class SoundBuffer:
    """Decodes as late as possible, so that a packet is concealed only when it really is not there."""

    def __init__(self) -> None:
        self.counters = SoundCounters()
        self._decoder = OpusDecoder()
        self._packets: dict[int, bytes] = {}
        self._pcm: Samples = np.zeros((0, 2), np.float32)
        self._start = 0
        self._missing = 0
        self._silent = True
        self._edge = np.zeros(2, np.float32)

    @property
    def decoded_until(self) -> int:
        """RTP time after the last sample that exists."""
        return self._start + len(self._pcm)

    def push(self, rtp_time: int, packet: bytes) -> bool:
        """Take the packet whose first sample has the 64-bit ``rtp_time``; order does not matter.

        False if its beginning has been read already; of the rest nothing is lost.
        """
        in_time = not len(self._pcm) or rtp_time >= self.decoded_until
        if not in_time:
            self.counters.late += 1
            if rtp_time + _duration(packet) <= self.decoded_until:
                return False
        if len(self._packets) >= MAX_PACKETS:
            del self._packets[min(self._packets)]
        self._packets[rtp_time] = packet
        return in_time

    def window(self, first: int, last: int) -> tuple[Samples, int]:
        """Samples of the RTP times ``first`` to ``last`` (exclusive), and perhaps some more.

        Returns (samples, rtp time of the first); what lies before ``first`` is forgotten.
        """
        if not self._start <= first <= self.decoded_until + RATE or not len(self._pcm):
            self._start, self._pcm = first, np.zeros((0, 2), np.float32)
            self._missing, self._silent = CONCEALED, True
            self._packets = {time: data for time, data in self._packets.items() if time > first - FRAME}
        chunks = [self._pcm[first - self._start :]] if first > self._start else [self._pcm]
        self._start = max(self._start, first)
        at = self._start + len(chunks[0])
        while at < last:
            chunk = self._next(at, last)
            self._edge = chunk[-1]
            chunks.append(chunk)
            at += len(chunk)
        self._pcm = np.concatenate(chunks) if len(chunks) > 1 else chunks[0]
        return self._pcm, self._start

    def _next(self, at: int, last: int) -> Samples:
        """Some samples from ``at`` on: decoded, recovered, or no more than is asked for concealed or silent,
        so that a packet that is late by less than its length is still heard."""
        while (time := max((time for time in self._packets if time <= at), default=None)) is not None:
            packet = self._packets.pop(time)
            if time < at and time + _duration(packet) <= at:
                continue
            pcm = self._decode(packet)
            if pcm is not None and len(pcm) > at - time:
                self._missing = 0
                return self._faded_in(pcm if time == at else self._joined(pcm[at - time :]))
        following = min(self._packets, default=None)
        asked = min(-(-(last - at) // PIECE) * PIECE, FRAME)
        if following is not None and following - at <= FRAME:
            gap = following - at
            self._missing += gap
            pcm = self._recover(self._packets[following])[-gap:]
            self.counters.recovered += 1
            return self._faded_in(pcm if gap == FRAME else self._joined(pcm))
        if self._missing >= CONCEALED:
            # Silence up to one frame before the next packet, which may hold that frame's FEC.
            self._silent = True
            asked = last - at if following is None else min(last - at, following - at - FRAME)
            return np.zeros((asked, 2), np.float32)
        self._missing += asked
        self.counters.concealed += 1
        pcm = self._decoder.conceal(asked)
        if self._missing >= CONCEALED and not self._silent:
            pcm = pcm * np.linspace(1, 0, len(pcm), dtype=np.float32)[:, None]
        return pcm

    def _recover(self, following: bytes) -> Samples:
        """The frame before ``following``."""
        try:
            return self._decoder.recover(following, FRAME)
        except OpusError:
            return self._decoder.conceal(FRAME)

    def _joined(self, pcm: Samples) -> Samples:
        """``pcm`` bent so that it begins where the last samples ended."""
        if self._silent:
            return pcm
        count = min(len(pcm), PIECE)
        bent = pcm.copy()
        bent[:count] += (self._edge - pcm[0]) * np.linspace(1, 0, count, dtype=np.float32)[:, None]
        return bent

    def _decode(self, packet: bytes) -> Samples | None:
        try:
            packet_samples(packet)
            pcm = self._decoder.decode(packet)
        except OpusError:
            self.counters.damaged += 1
            return None
        self.counters.decoded += 1
        return pcm

    def _faded_in(self, pcm: Samples) -> Samples:
        if self._silent and len(pcm):
            self._silent = False
            ramp = np.minimum(np.arange(len(pcm), dtype=np.float32) / FADE, 1)
            return pcm * ramp[:, None]
        return pcm


def _duration(packet: bytes) -> int:
    """In samples, 0 for what is no Opus packet."""
    try:
        return packet_samples(packet)
    except OpusError:
        return 0
