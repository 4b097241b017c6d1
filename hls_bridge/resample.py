"""Continuous resampling of sound by a few hundred ppm, and the loop that says by how many."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["DriftLoop", "Pcm", "Resampler"]

Pcm: TypeAlias = npt.NDArray[np.float32]
"""Samples as float32 of shape (samples, channels), -1 to 1."""

TAPS = 24
PHASES = 256
MAX_PPM = 3_000.0
"""0.3 %, five cents: below what a listener can tell. Crystals need at most 300 ppm; the rest moves
sound onto the picture when the first sender reports come."""


class DriftLoop:
    """A PI loop: how far the output is behind its target in, correction in ppm out."""

    PROPORTIONAL_S = 8.0
    """An error is worked off with this time constant."""
    INTEGRAL_S = 120.0
    """The steady drift is learnt over two minutes, from then on no error is left."""

    def __init__(self) -> None:
        self._steady_ppm = 0.0

    def update(self, error_us: float, elapsed_us: int) -> float:
        """ppm by which to stretch the sound until the next update."""
        self._steady_ppm += error_us / self.PROPORTIONAL_S * (elapsed_us / 1e6) / self.INTEGRAL_S
        self._steady_ppm = max(-500.0, min(500.0, self._steady_ppm))
        return max(-MAX_PPM, min(MAX_PPM, error_us / self.PROPORTIONAL_S + self._steady_ppm))

    @property
    def steady_ppm(self) -> float:
        return self._steady_ppm


def _kernel() -> npt.NDArray[np.float32]:
    """Windowed sinc, (PHASES + 1, TAPS): row p interpolates p / PHASES behind the middle tap."""
    offsets = np.arange(TAPS) - (TAPS // 2 - 1)
    phases = np.arange(PHASES + 1)[:, None] / PHASES
    x = offsets[None, :] - phases
    window = np.kaiser(2 * TAPS * 64 + 1, 8.0)
    at = np.clip((x / TAPS + 0.5) * (len(window) - 1), 0, len(window) - 1)
    rows = np.sinc(x) * np.interp(at, np.arange(len(window)), window)
    rows /= rows.sum(axis=1, keepdims=True)
    return rows.astype(np.float32)


KERNEL = _kernel()
KERNEL_STEP = np.diff(KERNEL, axis=0, append=KERNEL[-1:])


class Resampler:
    """Polyphase interpolation at a rate that may change with every block."""

    DELAY = TAPS // 2
    """Samples of input that are still needed behind an output sample."""

    def __init__(self, channels: int = 2) -> None:
        self._tail = np.zeros((TAPS // 2 - 1, channels), np.float32)
        self._position = 0.0

    def process(self, block: Pcm, stretch_ppm: float) -> Pcm:
        """As many output samples as the input allows; positive ppm makes more of them."""
        data = np.concatenate([self._tail, block])
        step = 1.0 / (1.0 + stretch_ppm * 1e-6)
        usable = len(data) - TAPS + 1
        count = max(0, int(np.ceil((usable - self._position) / step)))
        at = self._position + step * np.arange(count)
        whole = at.astype(np.intp)
        phase = (at - whole) * PHASES
        row = phase.astype(np.intp)
        weights = KERNEL.take(row, 0)
        weights += KERNEL_STEP.take(row, 0) * (phase - row).astype(np.float32)[:, None]
        # Channel by channel on contiguous samples: 2.5 times as fast as windows over both.
        out: Pcm = np.empty((count, data.shape[1]), np.float32)
        for channel, samples in enumerate(np.ascontiguousarray(data.T)):
            shape, strides = (max(usable, 0), TAPS), samples.strides * 2
            windows = np.ndarray(shape, np.float32, samples, strides=strides).take(whole, 0)
            np.einsum("nt,nt->n", windows, weights, out=out[:, channel])
        self._position = self._position + step * count - max(usable, 0)
        self._tail = data[max(usable, 0) :]
        return out

    @property
    def pending(self) -> float:
        """Input samples taken but not yet given out."""
        return len(self._tail) - (TAPS // 2 - 1) - self._position
