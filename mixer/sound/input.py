"""One host's sound as the mix wants it: 10 ms blocks on our clock, whatever the network did."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from mixer.sound import BLOCK, RATE
from mixer.sound.buffer import SoundBuffer, SoundCounters
from mixer.sound.opus import OpusDecoder, Samples
from mixer.sound.playhead import Playhead
from mixer.sound.resample import AFTER, BEFORE, interpolate
from mixer.sync import HostSync, TrackClock
from sfu.depacketize.unwrap import Unwrapper
from sfu.media import RtpPacket, SenderReport

__all__ = ["SoundInput", "warm_up"]

# RTP times that leap by more against arrivals are a restart of the source, not jitter.
RESTART_US = 2_000_000
# Three packets of 20 ms in a row after their turn: no jitter, but read too early altogether.
STARVED_PACKETS = 3

_SILENCE = np.zeros((BLOCK, 2), np.float32)
_FADE_OUT = np.linspace(1, 0, BLOCK, dtype=np.float32)[:, None]


def warm_up() -> None:
    """Do now what would stall the first block: load libopus, make the filters. Raises OpusMissing."""
    OpusDecoder()
    interpolate(np.zeros((2 * BLOCK, 2), np.float32), 0, float(BEFORE), 1.0, BLOCK)


class SoundInput:
    """Packets are pushed by one thread, blocks are read by another.

    ``read`` alone touches the decoder; between the threads stands one deque.
    """

    def __init__(self, sync: HostSync) -> None:
        self._sync = sync
        self._track: TrackClock | None = None
        self._inbox: deque[tuple[TrackClock, int, bytes]] = deque(maxlen=500)
        self._unwrap = Unwrapper(32)
        self._last: tuple[int, int] | None = None
        self._sequence: int | None = None
        self._buffer = SoundBuffer()
        self._reading: TrackClock | None = None
        self._playhead = Playhead()
        self._late_in_a_row = 0
        self._block: Samples = _SILENCE

    @property
    def counters(self) -> SoundCounters:
        return self._buffer.counters

    @property
    def ratio(self) -> float:
        """Source samples read per sample given, at the last block."""
        return self._playhead.ratio

    def restart(self) -> None:
        """Sequence numbers and timestamps start anew (a new generation of the tap)."""
        if self._track is not None:
            self._sync.remove(self._track)
        self._track, self._last, self._sequence, self._unwrap = None, None, None, Unwrapper(32)

    def push(
        self, packets: Sequence[RtpPacket], report: SenderReport | None, now_us: int | None = None
    ) -> None:
        """Take Opus packets of one source in order of arrival, and its newest sender report.

        ``now_us`` is when they are ours: on a busy machine that is much later than they arrived.
        """
        for packet in packets:
            if not packet.payload:
                continue
            rtp_time = self._unwrap(packet.timestamp)
            if self._last is not None:
                leap = (rtp_time - self._last[0]) * 1e6 / RATE - (packet.arrival_us - self._last[1])
                if abs(leap) > RESTART_US:
                    self.restart()
                    rtp_time = self._unwrap(packet.timestamp)
            if self._track is None:
                self._track = self._sync.add_sound(RATE)
            if self._sequence is not None:
                ahead = (packet.sequence - self._sequence + 0x8000) % 0x10000 - 0x8000
                self._track.count_lost(min(ahead - 1, 10) if ahead > 0 else -1)
            if self._last is None or rtp_time > self._last[0]:
                self._sequence = packet.sequence
                self._last = rtp_time, packet.arrival_us
            self._track.observe(rtp_time, packet.arrival_us, now_us)
            self._inbox.append((self._track, rtp_time, packet.payload))
        if report is not None and self._track is not None:
            self._track.report(report)

    def read(self, now_us: int) -> Samples | None:
        """The 10 ms that are presented from ``now_us`` on, (480, 2); None while there was never a packet."""
        self._receive()
        if self._reading is None:
            return None
        if not self._reading.settled(now_us):
            before, self._block = self._block, _SILENCE
            return before[::-1] * _FADE_OUT
        if self._late_in_a_row >= STARVED_PACKETS:
            self._reading.starve()
            self._playhead, self._late_in_a_row = Playhead(), 0
        wanted = self._reading.rtp_at(now_us - self._sync.delay_us(now_us))
        step = self._playhead.move(wanted, self._reading.skew)
        before, self._block = self._block, self._at(step.position, step.ratio)
        if step.jumped:
            # What was heard last, backwards, meets its own end without a click; to read on there would decode
            # ahead of packets that are still to come.
            return before[::-1] * _FADE_OUT + self._block * (1 - _FADE_OUT)
        return self._block

    def _at(self, position: float, ratio: float) -> Samples:
        first = math.floor(position) - BEFORE
        last = math.floor(position + (BLOCK - 1) * ratio) + AFTER + 1
        window, start = self._buffer.window(first, last)
        return interpolate(window, start, position, ratio, BLOCK)

    def _receive(self) -> None:
        while self._inbox:
            track, rtp_time, packet = self._inbox.popleft()
            if track is not self._reading:
                # A new timeline: begin again, in a new buffer that keeps the counters.
                counters = self._buffer.counters
                self._buffer = SoundBuffer()
                self._buffer.counters = counters
                self._reading, self._playhead = track, Playhead()
                self._late_in_a_row = 0
            in_time = self._buffer.push(rtp_time, packet)
            self._late_in_a_row = 0 if in_time else self._late_in_a_row + 1
