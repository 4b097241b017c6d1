"""Look-ahead limiter: the true peak of what leaves stays at or below -1 dBTP."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixer.sound import RATE
from mixer.sound.opus import Samples

__all__ = ["CEILING_DB", "DELAY", "Limiter", "true_peaks"]

CEILING_DB = -1.0
# 3 ms: an attack that short is masked by the peak itself, and 3 ms are all the delay it costs.
LOOKAHEAD = RATE * 3 // 1000
# Back to full level from 6 dB of reduction in 0.12 s: no pumping, no lasting hole.
RELEASE_DB = 50.0 / RATE
# The inter-sample estimate reads up to 0.3 dB low near 20 kHz; the margin covers that.
MARGIN_DB = 0.3

# ITU-R BS.1770-5 annex 2: the 4-phase interpolator for true peaks, 12 taps a phase.
_PHASES = np.array([
    [0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
     0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500],
    [-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
     0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375],
    [-0.0189208984375, 0.0330810546875, -0.0582275390625, 0.1015625000000, -0.2003173828125, 0.7797851562500,
     0.4650878906250, -0.1665039062500, 0.0891113281250, -0.0517578125000, 0.0292968750000, -0.0291748046875],
    [-0.0083007812500, 0.0148925781250, -0.0266113281250, 0.0476074218750, -0.1022949218750, 0.9721679687500,
     0.1373291015625, -0.0594482421875, 0.0332031250000, -0.0196533203125, 0.0109863281250, 0.0017089843750],
], np.float32)  # fmt: skip
_TAPS = int(_PHASES.shape[1])
# No sum of 12 samples below this reaches the ceiling, whatever their signs.
_HARMLESS = 10 ** ((CEILING_DB - MARGIN_DB) / 20) / max(1.0, float(np.abs(_PHASES).sum(axis=1).max()))
# A peak between samples shows in the taps' middle, 6 samples after it came in.
_PEAK_DELAY = _TAPS // 2
DELAY = LOOKAHEAD + _PEAK_DELAY
"""Samples from input to output."""


def true_peaks(signal: Samples) -> npt.NDArray[np.float32]:
    """(n - 11,) largest magnitude over both channels, four times oversampled, around each sample."""
    windows = np.lib.stride_tricks.sliding_window_view(signal, _TAPS, axis=0)
    oversampled = windows.reshape(-1, _TAPS) @ _PHASES.T
    return np.asarray(np.abs(oversampled).reshape(len(windows), -1).max(axis=1))


class Limiter:
    """Feeds blocks through; each comes out DELAY samples later, never above the ceiling."""

    def __init__(self) -> None:
        self._tail: Samples = np.zeros((_TAPS - 1, 2), np.float32)
        self._delay: Samples = np.zeros((DELAY, 2), np.float32)
        self._wanted_db = np.zeros(LOOKAHEAD, np.float64)
        self._held_db = np.zeros(LOOKAHEAD, np.float64)
        self._envelope_db = 0.0
        self._idle = True
        """Nothing is being held down, nor was within the look-ahead: what stays low passes as it is."""

    def process(self, block: Samples) -> Samples:
        """(n, 2) in, (n, 2) out, DELAY samples late."""
        count = len(block)
        signal = np.concatenate((self._tail, block))
        self._tail = signal[count:]
        delayed = np.concatenate((self._delay, block))
        self._delay = delayed[count:]
        if self._idle and np.abs(signal).max() < _HARMLESS:
            return delayed[:count]
        peaks = np.maximum(
            true_peaks(signal), np.abs(signal[_TAPS - 1 - _PEAK_DELAY : -_PEAK_DELAY]).max(axis=1)
        )
        wanted = np.minimum(CEILING_DB - MARGIN_DB - 20 * np.log10(np.maximum(peaks, 1e-9)), 0.0)
        # Hold each reduction over the look-ahead, then release linearly in dB. Linear release is a
        # running minimum of (wanted + slope * time), which needs no loop over samples.
        windows = np.concatenate((self._wanted_db, wanted))
        self._wanted_db = windows[count:]
        held = np.lib.stride_tricks.sliding_window_view(windows, LOOKAHEAD + 1).min(axis=1)
        rise = RELEASE_DB * np.arange(1, count + 1)
        envelope = np.minimum.accumulate(np.concatenate(([self._envelope_db], held - rise)))[1:] + rise
        envelope = np.minimum(envelope, 0.0)
        self._envelope_db = float(envelope[-1])
        # The attack: a mean over the look-ahead reaches a held minimum exactly when its peak leaves.
        history = np.concatenate((self._held_db, envelope))
        self._held_db = history[count:]
        total = np.concatenate(([0.0], np.cumsum(history)))
        smooth = (total[LOOKAHEAD + 1 :] - total[: -LOOKAHEAD - 1]) / (LOOKAHEAD + 1)
        self._idle = not (self._wanted_db.any() or self._held_db.any() or self._envelope_db)
        gain = (10 ** (smooth / 20)).astype(np.float32)
        return delayed[:count] * gain[:, None]
