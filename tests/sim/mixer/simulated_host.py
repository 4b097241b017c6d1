"""Hosts of a simulated show: each flashes and clicks once a second, behind a path of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import numpy as np

from mixer.composite.picture import blank, frame_of
from mixer.encode import VideoEncoder
from sfu.media import Codec, RtpPacket, SenderReport, TapBatch
from sfu.packetize import H264Packetizer
from tests.sim.mixer.flashes import Measured
from tests.sim.mixer.participant import Path
from tests.unit.mixer.signals import opus_packets, sine

__all__ = ["H264", "SimulatedHost"]

NTP_S = 3_900_000_000
FPS = 15
SIZE = (64, 64)
H264, OPUS = Codec("H264", 90_000), Codec("opus", 48_000, 2)
VIDEO_REPORT_S, SOUND_REPORT_S = 1.0, 5.0
"""How often Chromium sends sender reports."""


@cache
def second_of_pictures() -> list[list[RtpPacket]]:
    """A second, frame by frame: an IDR with a flash of 133 ms, then grey. Sent again and again."""
    encoder = VideoEncoder(SIZE, FPS, 100_000, names=("libx264",), preset="ultrafast", threads=1)
    packetizer, out = H264Packetizer(0), []
    for number in range(FPS):
        picture = blank(*SIZE)
        picture.y[:] = 235 if number < 2 else 40
        units = encoder.encode(frame_of(picture), number * 90_000 // FPS, keyframe=number == 0)
        out.append([packet for unit in units for packet in packetizer.packetize(unit.data, 0)])
    return out


@cache
def second_of_sound() -> list[bytes]:
    """A second of Opus that begins with a click of 100 ms; the encoder's look-ahead is taken off, as a
    browser's capture time does."""
    signal = sine(1000, 3.2)
    signal[(np.arange(len(signal)) + 312) % 48_000 >= 4_800] = 0
    return opus_packets(signal)[50:100]


class SimulatedHost:
    """Sends; packets arrive as its path lets them. ``born_us`` is local, its own clock starts anywhere."""

    def __init__(self, name: str, path: Path, born_us: int, seed: int) -> None:
        self.name = name
        self.path = path
        self.born_us = born_us
        self.left = False
        self.measured = Measured()
        self.wall_s = NTP_S + seed * 1000.0
        self._rng = random.Random(seed)
        self._rate = 1 + path.drift_ppm * 1e-6
        self._rtp = self._rng.randrange(2**32), self._rng.randrange(2**32)
        self._sequence = self._rng.randrange(2**16)

    def pictures(self) -> Iterator[tuple[int, TapBatch]]:
        """(arrival, batch) in order of capture."""
        frames, sequence, report = second_of_pictures(), self._sequence, None
        number = 0
        while True:
            sent_us = number * 1_000_000 // FPS
            arrival_us = self._arrival(sent_us)
            rtp_time = (self._rtp[0] + number * 90_000 // FPS) % 2**32
            if number % (FPS * VIDEO_REPORT_S) == FPS // 2:
                report = self._report(sent_us, rtp_time, arrival_us)
            packets = []
            for packet in frames[number % FPS]:
                sequence = (sequence + 1) % 2**16
                if self._rng.random() >= self.path.loss:
                    packets.append(RtpPacket(sequence, rtp_time, packet.marker, packet.payload, arrival_us))
            number += 1
            if packets:
                yield arrival_us, TapBatch(H264, "", 1, packets, report)

    def sound(self) -> Iterator[tuple[int, TapBatch]]:
        payloads, report = second_of_sound(), None
        number = 0
        while True:
            sent_us = number * 20_000
            # A packet leaves when its 20 ms have been captured.
            arrival_us = self._arrival(sent_us) + 20_000
            rtp_time = (self._rtp[1] + number * 960) % 2**32
            if number % (50 * SOUND_REPORT_S) == 25:
                report = self._report(sent_us, rtp_time, arrival_us)
            packet = RtpPacket(
                (self._sequence + number) % 2**16, rtp_time, False, payloads[number % 50], arrival_us
            )
            number += 1
            if self._rng.random() >= self.path.loss:
                yield arrival_us, TapBatch(OPUS, "", 1, [packet], report)

    def _arrival(self, sent_us: int) -> int:
        # A queue of some length: exponential, but no more than three times the mean.
        delay_ms = self.path.delay_ms + min(self._rng.expovariate(1), 3.0) * self.path.jitter_ms
        return int(self.born_us + sent_us / self._rate + delay_ms * 1000)

    def _report(self, sent_us: int, rtp_time: int, arrival_us: int) -> SenderReport:
        return SenderReport(int((self.wall_s + sent_us / 1e6) * 2**32), rtp_time, arrival_us)
