"""The demo's sound: a soft chord, and a gentle beep on the second together with the picture's flash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "SAMPLE_RATE", "Sound"]

SAMPLE_RATE = 48_000
BLOCK = 960
"""Samples per channel in a block: 20 ms, Opus' usual packet (RFC 7587, section 4.2)."""

CHORD_HZ = (165, 220, 277)
BEEP_HZ = 880
BEEP_S = 0.09


class Sound:
    """Sound as a function of the program's time. Tones of whole hertz: one second repeats without a seam."""

    def __init__(self) -> None:
        t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
        chord = sum(np.sin(2 * np.pi * hz * t) for hz in CHORD_HZ) * (
            0.012 * (1 - 0.3 * np.cos(2 * np.pi * t))
        )
        # 3 ms of attack: a click at the start would be harsher than it is precise.
        envelope = np.clip(t / 0.003, 0, 1) * np.clip((BEEP_S - t) / (BEEP_S - 0.003), 0, 1) ** 2
        second = chord + 0.22 * envelope * np.sin(2 * np.pi * BEEP_HZ * t)
        samples = np.repeat(np.round(second * 32767).astype(np.int16), 2)
        # A block may begin near the end of the second.
        self._samples = np.concatenate([samples, samples[: 2 * BLOCK]])

    def block(self, program_samples: int) -> NDArray[np.int16]:
        """20 ms of interleaved stereo, shape (1, 1920), from a time in samples since a whole second."""
        start = program_samples % SAMPLE_RATE * 2
        return self._samples[start : start + 2 * BLOCK].reshape(1, -1)
