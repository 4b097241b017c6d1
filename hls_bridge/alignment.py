"""Puts sound and picture on one time line: RTP time to the node's monotonic clock, in microseconds.

A sender's clocks are unknown in offset and rate. The packets that met the least delay lie on a straight
line of arrival over sender time; its slope is the drift of the clocks against each other. Where both
tracks have sender reports, one line over the sender's wall clock serves both, so that what was captured
together comes out together; before that each track has its own line, over its RTP time.
"""

from __future__ import annotations

from collections import deque

from sfu.media import Kind, SenderReport

__all__ = ["Alignment", "OffsetEstimator", "TrackClock"]

WINDOW_US = 1_000_000
WINDOWS = 60
"""One minute: 200 ppm are 12 ms over it, well above what jitter leaves in the minima of a second."""
FLAT_WINDOWS = 10
"""Until this many are there, the slope is taken as 0: 200 ppm err by 2 ms in ten seconds."""
SLEW_US = 2_000
"""Correction a window at most: 2,000 ppm, ten times the worst crystal."""
STEP_US = 200_000
"""Beyond this the sender's clock was stepped, or its path changed: follow at once."""
LATE_WINDOWS = 10
"""If every packet is later than that for so long, the path has changed for good. Otherwise somebody on it was
held (a TCP connection, a process of ours) and gave everything at once: that tells nothing of clocks."""
NTP_UNIX_S = 2_208_988_800


class OffsetEstimator:
    """Follows arrival minus sender time along its lower edge."""

    def __init__(self) -> None:
        self._minima: deque[tuple[int, int]] = deque(maxlen=WINDOWS)
        self._window_end: int | None = None
        self._low: tuple[int, int] | None = None
        self._late_windows = 0
        self._offset = 0.0
        self._slope = 0.0
        self._origin = 0

    def add(self, sender_us: int, arrival_us: int) -> None:
        """One packet: sender time and arrival."""
        delta = arrival_us - sender_us
        if self._window_end is None:
            self._restart(sender_us, delta)
        assert self._window_end is not None
        if abs(delta - self._at(sender_us)) > 50 * STEP_US or sender_us < self._window_end - 10 * WINDOW_US:
            self._restart(sender_us, delta)
        if self._low is None or delta < self._low[1]:
            self._low = (sender_us, delta)
        if len(self._minima) < FLAT_WINDOWS and delta < self._at(sender_us):
            self._offset += delta - self._at(sender_us)
        if sender_us >= self._window_end:
            self._end_window(self._low, sender_us)

    def local_us(self, sender_us: int) -> int:
        """The node's time of ``sender_us``; LookupError before the first packet."""
        if self._window_end is None:
            raise LookupError("no packet yet")
        return sender_us + round(self._at(sender_us))

    @property
    def drift_ppm(self) -> float:
        """How much faster the node's clock runs than the sender's."""
        return self._slope * 1e6

    def _at(self, sender_us: int) -> float:
        return self._offset + self._slope * (sender_us - self._origin)

    def _end_window(self, low: tuple[int, int], now: int) -> None:
        self._low = None
        self._window_end = now + WINDOW_US
        if low[1] - self._at(low[0]) <= STEP_US:
            self._late_windows = 0
            self._minima.append(low)
            self._fit(now)
            return
        self._late_windows += 1
        if self._late_windows >= LATE_WINDOWS:
            self._restart(now, low[1])

    def _restart(self, sender_us: int, delta: int) -> None:
        self._minima.clear()
        self._low = None
        self._late_windows = 0
        self._window_end = sender_us + WINDOW_US
        self._offset, self._slope, self._origin = float(delta), 0.0, sender_us

    def _fit(self, now: int) -> None:
        points = self._minima
        before = self._at(now)
        if len(points) < FLAT_WINDOWS:
            # Rising minima are followed too, in case the very first packet was early by accident.
            target, slope = float(min(d for _, d in points)), 0.0
        else:
            n = len(points)
            mean_t = sum(t for t, _ in points) / n
            mean_d = sum(d for _, d in points) / n
            spread = sum((t - mean_t) ** 2 for t, _ in points)
            slope = sum((t - mean_t) * (d - mean_d) for t, d in points) / spread
            slope = max(-1e-3, min(1e-3, slope))
            target = mean_d + slope * (now - mean_t)
        error = target - before
        if len(points) >= FLAT_WINDOWS and abs(error) < STEP_US:
            error = max(-SLEW_US, min(SLEW_US, error))
        elif abs(error) >= STEP_US and len(points) >= FLAT_WINDOWS:
            newest = points[-1]
            points.clear()
            points.append(newest)
            error, slope = newest[1] - before, 0.0
        self._offset, self._slope, self._origin = before + error, slope, now


class TrackClock:
    """RTP time of one track to its sender's time in microseconds."""

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._report: tuple[int, int] | None = None

    @property
    def reported(self) -> bool:
        return self._report is not None

    def handle_report(self, report: SenderReport, near_rtp_time: int) -> None:
        """Take a report whose 32-bit RTP time lies within half a wrap of ``near_rtp_time``."""
        step = (report.rtp_time - near_rtp_time) & 0xFFFFFFFF
        if step >= 1 << 31:
            step -= 1 << 32
        seconds, fraction = report.ntp >> 32, report.ntp & 0xFFFFFFFF
        ntp_us = (seconds - NTP_UNIX_S) * 1_000_000 + (fraction * 1_000_000 >> 32)
        self._report = (near_rtp_time + step, ntp_us)

    def rtp_us(self, rtp_time: int) -> int:
        """The RTP time itself, in microseconds."""
        return rtp_time * 1_000_000 // self._rate

    def ntp_us(self, rtp_time: int) -> int:
        """The sender's wall clock (Unix epoch) at ``rtp_time``; LookupError without a report."""
        if self._report is None:
            raise LookupError("no sender report yet")
        at, ntp_us = self._report
        return ntp_us + (rtp_time - at) * 1_000_000 // self._rate


class Alignment:
    """The clocks of a Program's two tracks. Call `restart` for each new generation of a track."""

    def __init__(self) -> None:
        self._clocks: dict[Kind, TrackClock] = {}
        self._own: dict[Kind, OffsetEstimator] = {}
        self._shared: OffsetEstimator | None = None

    @property
    def shared(self) -> bool:
        """Whether sender reports align the tracks."""
        return self._shared is not None

    def restart(self, kind: Kind, clock_rate: int) -> None:
        """A new source of this kind: nothing of its clocks is known."""
        self._clocks[kind] = TrackClock(clock_rate)
        self._own[kind] = OffsetEstimator()
        self._shared = None

    def handle_report(self, kind: Kind, report: SenderReport, near_rtp_time: int) -> None:
        self._clocks[kind].handle_report(report, near_rtp_time)
        if self._shared is None and len(self._clocks) == 2 and all(c.reported for c in self._clocks.values()):
            self._shared = OffsetEstimator()

    def place(self, kind: Kind, rtp_time: int, arrival_us: int) -> int:
        """The node's time, in microseconds, at which this unit was (as good as) captured."""
        clock, own = self._clocks[kind], self._own[kind]
        rtp_us = clock.rtp_us(rtp_time)
        own.add(rtp_us, arrival_us)
        local_us = own.local_us(rtp_us)
        if self._shared is None:
            return local_us
        ntp_us = clock.ntp_us(rtp_time)
        self._shared.add(ntp_us, arrival_us)
        aligned_us = self._shared.local_us(ntp_us)
        # A report that puts the track far from its arrival is wrong: some senders give RTP times of
        # another track. 2 s is more than any encoder's or path's difference between the two.
        return aligned_us if abs(aligned_us - local_us) < 2_000_000 else local_us
