"""Estimates from arrivals: how a sender's clock runs against ours, and how late its packets may be.

Pure: both take times and give times.
"""

from __future__ import annotations

from collections import deque

import numpy as np

__all__ = ["ClockEstimate", "LatenessEstimate"]

BIN_US = 1_000_000
# Two minutes of one-second minima: 10 ms of jitter leaves a slope good to about 5 ppm.
BINS = 120
# Crystals are within 100 ppm, cheap virtual machines within 300; more is a measurement gone wrong.
MAX_SKEW = 500e-6
# Before this many bins a slope would mostly be noise; 500 ppm over 8 s are 4 ms.
BINS_FOR_SKEW = 8


class ClockEstimate:
    """Maps a sender's time to the local time at which its packets arrive at the earliest.

    The queues of a path only ever add to a packet's delay, so the smallest delay of each second is
    taken, and a line laid through these minima: its slope is the skew between the clocks.
    """

    def __init__(self) -> None:
        self._bins: deque[tuple[float, float]] = deque(maxlen=BINS)
        self._bin_end_us = 0.0
        self._best: tuple[float, float] | None = None
        self._origin_us = 0.0
        self._offset_us = 0.0
        self._skew = 0.0

    @property
    def known(self) -> bool:
        """True once anything has been observed."""
        return self._best is not None

    @property
    def skew(self) -> float:
        """Local microseconds per sender microsecond, less one."""
        return self._skew

    def observe(self, remote_us: float, local_us: float) -> None:
        """A packet of the sender's time ``remote_us`` arrived at ``local_us``."""
        delay = local_us - remote_us
        if self._best is None:
            self._origin_us = remote_us
            self._offset_us = delay
        if self._best is None or local_us >= self._bin_end_us:
            if self._best is not None:
                self._bins.append(self._best)
                self._fit()
            self._bin_end_us = local_us + BIN_US
            self._best = (remote_us, delay)
        elif delay < self._best[1] + (remote_us - self._best[0]) * self._skew:
            self._best = (remote_us, delay)
        # Until a line exists, the smallest delay seen is the best guess, at once.
        if len(self._bins) < BINS_FOR_SKEW:
            self._offset_us = min(self._offset_us, delay)

    def to_local_us(self, remote_us: float) -> float:
        """Earliest local arrival of the sender's time ``remote_us``."""
        return remote_us + self._offset_us + (remote_us - self._origin_us) * self._skew

    def to_remote_us(self, local_us: float) -> float:
        """Inverse of ``to_local_us``."""
        at_origin = self._origin_us + self._offset_us
        return self._origin_us + (local_us - at_origin) / (1 + self._skew)

    def shift_remote(self, by_us: float) -> None:
        """The sender's clock was set: all its times are greater by ``by_us`` from now on."""
        self._bins = deque(((remote + by_us, delay - by_us) for remote, delay in self._bins), maxlen=BINS)
        if self._best is not None:
            self._best = (self._best[0] + by_us, self._best[1] - by_us)
        self._origin_us += by_us
        self._offset_us -= by_us

    def _fit(self) -> None:
        if len(self._bins) < BINS_FOR_SKEW:
            return
        remote, delay = np.array(self._bins).T
        origin = remote[-1]
        x, y = remote - origin, delay - delay[-1]
        keep = np.ones(len(x), bool)
        # Seconds in which every packet was late (a burst, a stalled reader) lie above the line: the
        # worse half of the residuals is left out of the second fit.
        for _ in range(2):
            slope, intercept = np.polyfit(x[keep], y[keep], 1)
            residual = y - (slope * x + intercept)
            keep = residual <= np.median(residual)
        self._skew = float(np.clip(slope, -MAX_SKEW, MAX_SKEW))
        self._origin_us = float(origin)
        self._offset_us = float(delay[-1] + np.median((y - self._skew * x)[keep]))


YOUTH = 3


class LatenessEstimate:
    """How late packets come, as a quantile that forgets (as WebRTC's NetEq does).

    97 % with a memory of 500 packets (10 s of 20 ms sound): three packets in a hundred may be
    concealed, which in-band FEC mostly repairs, for a delay that jitter bursts do not inflate.

    A young estimate remembers a third of its life: what is late while a host and its decoders start counts
    (1/3)^3 of itself, less than 4 %, after three times as long; with equal weights it stood above the
    quantile for 22 s if it was the first second.
    """

    BUCKET_US = 2_500
    BUCKETS = 200

    def __init__(self, quantile: float = 0.97, memory: int = 500) -> None:
        self._quantile = quantile
        self._forget = 1 - 1 / memory
        self._weights = np.zeros(self.BUCKETS)
        self._seen = 0
        self._us = 0.0

    def observe(self, lateness_us: float) -> None:
        """A packet came ``lateness_us`` after the earliest moment possible."""
        bucket = min(max(int(lateness_us // self.BUCKET_US), 0), self.BUCKETS - 1)
        self._seen += 1
        forget = min(self._forget, 1 - 1 / (self._seen / YOUTH + 1))
        self._weights *= forget
        self._weights[bucket] += 1 - forget
        # A quantile of 500 packets hardly moves within 8.
        if self._seen < 50 or self._seen % 8 == 0:
            self._us = self._quantile_us()

    def shift(self, by_us: float) -> None:
        """All that was observed was later by ``by_us`` than was thought."""
        buckets = round(by_us / self.BUCKET_US)
        weights = np.zeros(self.BUCKETS)
        np.add.at(weights, np.clip(np.arange(self.BUCKETS) + buckets, 0, self.BUCKETS - 1), self._weights)
        self._weights = weights
        self._us = self._quantile_us() if self._seen else 0.0

    def _quantile_us(self) -> float:
        total = np.cumsum(self._weights)
        found = int(np.searchsorted(total, self._quantile * total[-1]))
        return float((min(found, self.BUCKETS - 1) + 1) * self.BUCKET_US)

    @property
    def us(self) -> float:
        """The quantile in microseconds, 0 before the first packet."""
        return self._us
