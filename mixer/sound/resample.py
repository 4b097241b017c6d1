"""Continuous resampling near ratio 1: reads a signal at fractional positions that creep.

A windowed sinc whose 24 taps are polynomials in the fractional position (a Farrow structure), so any
position costs the same small matrix product and the ratio may change from block to block.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["AFTER", "BEFORE", "interpolate"]

TAPS = 24
BEFORE, AFTER = TAPS // 2 - 1, TAPS // 2
"""Samples needed before and after the whole part of a position."""
DEGREE = 6
# Kaiser's beta for about 85 dB; the pass band reaches 19 kHz with 24 taps, above Opus's 20 kHz corner
# only by a soft roll-off that nobody hears.
BETA = 8.5

Samples = npt.NDArray[np.float32]


@cache
def _polynomials() -> npt.NDArray[np.float32]:
    """(TAPS, DEGREE + 1): coefficients of each tap in powers of the fraction, lowest first."""
    fractions = np.linspace(0, 1, 65)
    distance = np.arange(-BEFORE, AFTER + 1)[None, :] - fractions[:, None]
    window = np.i0(BETA * np.sqrt(np.clip(1 - (distance / (TAPS / 2)) ** 2, 0, 1))) / np.i0(BETA)
    taps = np.sinc(distance) * window
    taps /= taps.sum(axis=1, keepdims=True)
    return np.asarray(np.polynomial.polynomial.polyfit(fractions, taps, DEGREE).T, np.float32)


def interpolate(window: Samples, start: int, position: float, step: float, count: int) -> Samples:
    """``count`` samples at ``position``, ``position + step``, ... of a signal with two channels.

    ``window`` is (n, 2) and holds the signal from sample ``start`` on; it must reach from BEFORE
    samples before the first position to AFTER samples after the last. Raises ValueError otherwise.
    """
    relative = (position - start) + np.arange(count) * step
    whole = np.floor(relative)
    fraction = (relative - whole).astype(np.float32)
    first = whole.astype(np.intp) - BEFORE
    if count and (first[0] < 0 or first[-1] + TAPS > len(window)):
        raise ValueError("the window does not cover the positions asked for")
    # Every sample with its 23 followers, as a view: (n - 23, 2, TAPS).
    window = np.ascontiguousarray(window, np.float32)
    views = np.ndarray((len(window) - TAPS + 1, 2, TAPS), np.float32, window, strides=(8, 4, 8))
    slips = first[-1] - first[0] != count - 1
    neighbours = views[first] if slips else views[first[0] : first[-1] + 1]
    branches = neighbours.reshape(-1, TAPS) @ _polynomials()
    terms = branches.reshape(count, 2, DEGREE + 1)
    out = terms[:, :, DEGREE] * fraction[:, None]
    for power in range(DEGREE - 1, 0, -1):
        out += terms[:, :, power]
        out *= fraction[:, None]
    out += terms[:, :, 0]
    return np.asarray(out)
