"""Sound without gaps on the bridge's time line, whatever the publisher's clock and network do."""

from __future__ import annotations

import numpy as np

from hls_bridge.resample import DriftLoop, Pcm, Resampler

__all__ = ["SAMPLE_RATE", "SoundTimeline"]

SAMPLE_RATE = 48_000
STEP_US = 120_000
"""Errors above six Opus packets are a gap or a jump: silence or a cut, not stretching."""


class SoundTimeline:
    """Takes decoded blocks with their times, gives an unbroken run of samples from ``start_us`` on."""

    def __init__(self, start_us: int) -> None:
        self._start_us = start_us
        self._out = 0
        self._resampler = Resampler()
        self._loop = DriftLoop()
        self.inserted = 0
        """Samples of silence put in so far."""
        self.cut = 0
        """Samples thrown away so far."""

    @property
    def samples_out(self) -> int:
        return self._out

    @property
    def position_us(self) -> int:
        """Time line position behind the last sample given out."""
        return self._start_us + self._out * 1_000_000 // SAMPLE_RATE

    @property
    def steady_ppm(self) -> float:
        return self._loop.steady_ppm

    def push(self, block: Pcm, at_us: int) -> list[Pcm]:
        """Sound whose first sample belongs at ``at_us``; float32 of shape (samples, 2)."""
        out: list[Pcm] = []
        error_us = at_us - self.position_us - self._resampler.pending * 1e6 / SAMPLE_RATE
        if error_us > STEP_US:
            out.append(self._silence(round(error_us * SAMPLE_RATE / 1e6)))
            error_us = 0.0
        elif error_us < -STEP_US:
            surplus = min(len(block), round(-error_us * SAMPLE_RATE / 1e6))
            self.cut += surplus
            block = block[surplus:]
            error_us = 0.0
        if len(block):
            ppm = self._loop.update(error_us, len(block) * 1_000_000 // SAMPLE_RATE)
            made = self._resampler.process(block, ppm)
            self._out += len(made)
            out.append(made)
        return out

    def fill(self, until_us: int) -> Pcm | None:
        """Silence up to ``until_us`` where nothing came; None if there is no hole."""
        missing = (until_us - self.position_us) * SAMPLE_RATE // 1_000_000
        return self._silence(missing) if missing > 0 else None

    def _silence(self, samples: int) -> Pcm:
        self.inserted += samples
        self._out += samples
        return np.zeros((samples, 2), np.float32)
