"""The sound thread: a block every 10 ms of our clock, a packet every 20, whatever else the process does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from mixer.encode import OPUS_LOOKAHEAD, OpusEncoder
from mixer.sound import BLOCK, RATE
from mixer.sound.limiter import DELAY
from mixer.sound.mix import SoundMix
from mixer.sound.opus import Samples
from sfu.media import RtpPacket
from sfu.packetize import OpusPacketizer

__all__ = ["ADDED_SAMPLES", "SoundOutput", "SoundThread"]

ADDED_SAMPLES = DELAY + OPUS_LOOKAHEAD
"""A packet's RTP time runs ahead of the sound in it by the limiter's and the encoder's look-ahead."""
BLOCK_US = 10_000
# After a stall (a suspended machine) the missed blocks are left out: the RTP times show the gap.
MAX_BEHIND_US = 200_000


class SoundOutput:
    """Mix to RTP packets; pure but for the encoder. RTP time 0 is the first block's first sample."""

    def __init__(self, mix: SoundMix, bitrate_bps: int = 128_000) -> None:
        self._mix = mix
        self._encoder = OpusEncoder(bitrate_bps)
        self._packetizer = OpusPacketizer()
        self._start_us: int | None = None
        self._blocks: list[Samples] = []
        self._next: int = 0
        self._packet_blocks = 0
        self._gap = False

    def rtp_at(self, now_us: int) -> int | None:
        """RTP time of the sound presented at ``now_us``, for sender reports; None before the first block."""
        if self._start_us is None:
            return None
        return round((now_us - self._start_us) * RATE / 1e6) + ADDED_SAMPLES

    def next_us(self) -> int | None:
        """When the next block is due; None before the first."""
        return None if self._start_us is None else int(self._start_us + self._next * BLOCK_US)

    def render(self, now_us: int) -> list[RtpPacket]:
        """Render the next block, at the time ``next_us`` or any time for the first."""
        if self._start_us is None:
            self._start_us = now_us
        due = self._start_us + self._next * BLOCK_US
        if now_us - due > MAX_BEHIND_US and not self._blocks:
            # Whole packets only, so that RTP times stay multiples of 20 ms apart.
            missed = (now_us - due) // (2 * BLOCK_US) * 2
            self._next += missed
            due += missed * BLOCK_US
            self._gap = True
        if not self._blocks:
            self._packet_blocks = self._next
        self._blocks.append(self._mix.render(due))
        self._next += 1
        if len(self._blocks) < 2:
            return []
        pair = np.concatenate(self._blocks)
        self._blocks.clear()
        gap, self._gap = self._gap, False
        rtp_time = self._packet_blocks * BLOCK
        return [
            self._packetizer.packetize(data, rtp_time, talk_spurt=gap) for data in self._encoder.encode(pair)
        ]


class SoundThread:
    """Drives a SoundOutput; ``deliver`` is called on the thread with each packet."""

    def __init__(
        self, output: SoundOutput, clock: Callable[[], int], deliver: Callable[[list[RtpPacket]], None]
    ) -> None:
        self._output = output
        self._clock = clock
        self._deliver = deliver
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
        self.error: Exception | None = None
        """What ended the thread, if anything did."""

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask the thread to end and wait for it (at most a block)."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                due = self._output.next_us()
                wait_us = 0 if due is None else due - self._clock()
                if wait_us > 0 and self._stopped.wait(wait_us / 1e6):
                    return
                packets = self._output.render(self._clock())
                if packets:
                    self._deliver(packets)
        except Exception as error:  # the worker must learn of any fault, or a program goes on without sound
            self.error = error
