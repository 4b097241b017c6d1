"""One host's sound on its own RTP timeline: packets in, samples out for any span, losses concealed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixer.sound import RATE
from mixer.sound.opus import OpusDecoder, OpusError, Samples, packet_samples

__all__ = ["SoundBuffer", "SoundCounters"]

FRAME = RATE // 50
# Opus fades its concealment out over about 100 ms; longer gaps are silence (loss of path, or DTX).
CONCEALED_FRAMES = 5
# 5 ms: long enough that no edge clicks, short enough to keep the first consonant.
FADE = RATE // 200
# Two seconds of 20 ms packets, five times the largest delay.
MAX_PACKETS = 100


@dataclass(slots=True)
class SoundCounters:
    """Since the start, in packets or frames of 20 ms."""

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

    @property
    def decoded_until(self) -> int:
        """RTP time after the last sample that exists."""
        return self._start + len(self._pcm)

    def push(self, rtp_time: int, packet: bytes) -> bool:
        """Take the packet whose first sample has the 64-bit ``rtp_time``; order does not matter.

        False if its place has been read already.
        """
        if len(self._pcm) and rtp_time < self.decoded_until:
            self.counters.late += 1
            return False
        if len(self._packets) >= MAX_PACKETS:
            del self._packets[min(self._packets)]
        self._packets[rtp_time] = packet
        return True

    def window(self, first: int, last: int) -> tuple[Samples, int]:
        """Samples of the RTP times ``first`` to ``last`` (exclusive), and perhaps some more.

        Returns (samples, rtp time of the first); what lies before ``first`` is forgotten.
        """
        if not self._start <= first <= self.decoded_until + RATE or not len(self._pcm):
            self._start, self._pcm = first, np.zeros((0, 2), np.float32)
            self._missing, self._silent = CONCEALED_FRAMES, True
            self._packets = {time: data for time, data in self._packets.items() if time > first - FRAME}
            self._enter(first)
        chunks = [self._pcm[first - self._start :]] if first > self._start else [self._pcm]
        self._start = max(self._start, first)
        at = self._start + len(chunks[0])
        while at < last:
            chunk = self._next(at)
            chunks.append(chunk)
            at += len(chunk)
        self._pcm = np.concatenate(chunks) if len(chunks) > 1 else chunks[0]
        return self._pcm, self._start

    def _enter(self, first: int) -> None:
        """Begin inside the packet that covers ``first``, if there is one."""
        for time in sorted(self._packets):
            if time <= first:
                pcm = self._decode(self._packets.pop(time))
                if pcm is not None and len(pcm) > first - time:
                    self._pcm = self._faded_in(pcm[first - time :])

    def _next(self, at: int) -> Samples:
        """Some samples from ``at`` on: decoded, recovered, concealed or silent."""
        packet = self._packets.pop(at, None)
        if packet is not None:
            pcm = self._decode(packet)
            if pcm is not None:
                self._missing = 0
                return self._faded_in(pcm)
        following = min((time for time in self._packets if time > at), default=None)
        gap = FRAME if following is None else min(following - at, FRAME)
        if self._missing >= CONCEALED_FRAMES and (following is None or following - at > FRAME):
            # Silence up to one frame before the next packet, which may hold that frame's FEC.
            self._silent = True
            return np.zeros(
                (FRAME if following is None else min(following - at - FRAME, FRAME), 2), np.float32
            )
        self._missing += 1
        if following is not None and following - at <= FRAME:
            pcm = self._decoder_call(self._packets[following], gap)
            self.counters.recovered += 1
            return self._faded_in(pcm[:gap])
        self.counters.concealed += 1
        pcm = self._decoder.conceal(gap)[:gap]
        if self._missing >= CONCEALED_FRAMES and not self._silent:
            pcm = pcm * np.linspace(1, 0, len(pcm), dtype=np.float32)[:, None]
        return pcm

    def _decoder_call(self, following: bytes, samples: int) -> Samples:
        try:
            return self._decoder.recover(following, samples)
        except OpusError:
            return self._decoder.conceal(samples)

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
