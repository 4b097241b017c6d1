"""Lip sync: puts the sound and the picture of one host on our clock, behind one common delay.

Sender reports tie both tracks to the sender's wall clock (RFC 3550 section 6.4.1); until a track has
one, its own RTP times and arrivals stand in for it. Pure; times are arguments in microseconds.
"""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

from mixer.clock import ClockEstimate, LatenessEstimate
from sfu.media import Kind, SenderReport

__all__ = ["MAX_DELAY_US", "SETTLE_US", "Delay", "HostSync", "TrackClock", "ntp_us"]

MAX_DELAY_US = 400_000
# The sound of a block is asked for 10 ms ahead of its first sample, and the thread may wake 3 ms late.
SOUND_LEAD_US = 13_000
# In-band FEC lies in the packet after the lost one. Waiting for it costs a frame of 20 ms, which is worth
# it from one loss in a hundred on (one audible concealment every 2 s), over 500 packets (10 s).
FEC_US = 20_000
LOSS_HIGH, LOSS_LOW = 0.01, 0.003
LOSS_MEMORY = 500
# Half a percent of pitch is not heard. What that would take 4 s to add (late pictures until then) or 12 s
# to take away is done in one cross-faded jump instead.
SLEW = 0.005
JUMP_UP_US, JUMP_DOWN_US = 20_000, 60_000
# A newcomer is neither heard nor seen before: the smallest of ten delays is near the smallest there is, that
# of the first packet alone is off by its jitter. The tile fades in for 300 ms anyway.
SETTLE_US = 200_000
# A sender's wall clock that moves by more between reports was set, not drifting.
CLOCK_STEP_US = 100_000


def ntp_us(ntp: int) -> float:
    """64-bit NTP time to microseconds."""
    return (ntp >> 32) * 1e6 + (ntp & 0xFFFFFFFF) * 1e6 / 2**32


class Delay(NamedTuple):
    """What a host's tracks are delayed by, and what its sound and its picture need; microseconds."""

    common_us: float = 0.0
    sound_us: float = 0.0
    picture_us: float = 0.0


class TrackClock:
    """Local presentation times of one track, before the common delay."""

    def __init__(
        self, host: HostSync, kind: Kind, clock_rate: int, lead_us: int, lateness: LatenessEstimate
    ) -> None:
        self._host = host
        self.kind = kind
        self._us_per_tick = 1e6 / clock_rate
        self._lead_us = lead_us
        self._own = ClockEstimate()
        self._lateness = lateness
        self._loss = 0.0
        self._lossy = False
        self._last_rtp: int | None = None
        self._first_us: int | None = None
        self._anchor: tuple[int, float] | None = None

    @property
    def needed_us(self) -> float:
        """The delay that lets nearly all of this track come in time, and losses be repaired."""
        if self._last_rtp is None:
            return 0.0
        return self._lateness.us + self._lead_us + (FEC_US if self._lossy else 0)

    def count_lost(self, lost: int) -> None:
        """A packet came, ``lost`` before it are missing; -1 when it is one counted as lost before."""
        with self._host.lock:
            self._loss += (max(lost, -1) - self._loss) / LOSS_MEMORY
            self._lossy = self._loss > (LOSS_LOW if self._lossy else LOSS_HIGH)

    def settled(self, now_us: int) -> bool:
        """False while too little has come to say when it belongs."""
        return self._first_us is not None and now_us - self._first_us >= SETTLE_US

    @property
    def synchronised(self) -> bool:
        """True once a sender report ties this track to the host's other one."""
        return self._anchor is not None

    def observe(self, rtp_time: int, arrival_us: int, ready_us: int | None = None) -> None:
        """A frame of 64-bit ``rtp_time`` arrived; ``ready_us`` is when it was of use, if later."""
        with self._host.lock:
            self._last_rtp = rtp_time
            ready_us = max(ready_us or arrival_us, arrival_us)
            if self._first_us is None:
                self._first_us = ready_us
            elif not self.settled(ready_us):
                # What piled up while all was being started says nothing of later.
                ready_us = arrival_us
            self._own.observe(rtp_time * self._us_per_tick, arrival_us)
            if self._anchor is not None:
                self._host.wall.observe(self._wall_us(rtp_time), arrival_us)
            self._lateness.observe(ready_us - self._local_us(rtp_time))

    def report(self, report: SenderReport) -> None:
        """Take a sender report; repeated ones do nothing. Ignored before the first packet."""
        with self._host.lock:
            if self._last_rtp is None:
                return
            # The report's 32-bit time is the one nearest to the newest packet's.
            behind = (self._last_rtp - report.rtp_time + 2**31) % 2**32 - 2**31
            rtp_time = self._last_rtp - behind
            wall = ntp_us(report.ntp)
            if self._anchor is not None:
                if self._anchor[0] == rtp_time:
                    return
                step = wall - self._wall_us(rtp_time)
                # A clock that was set also differs from the arrival of its report; where it doesn't, this
                # track alone slipped: its source stood still for a while (a page that was starved).
                was_set = wall - self._host.wall.to_remote_us(report.arrival_us)
                if abs(step) > CLOCK_STEP_US and abs(step - was_set) < abs(step) / 2:
                    self._host.shift_wall(step)
            before_us = self._local_us(self._last_rtp)
            self._anchor = (rtp_time, wall)
            # The host's other track may be ahead of this one: what was late so far is so by another measure.
            self._lateness.shift(before_us - self._local_us(self._last_rtp))

    def starve(self) -> None:
        """All of this track comes too late to be heard: a gentle rise of the delay would be seconds of
        silence, so what is needed is taken at once."""
        with self._host.lock:
            self._host.starved = True

    def local_us(self, rtp_time: int) -> float:
        """When ``rtp_time`` would be presented with no delay at all."""
        with self._host.lock:
            return self._local_us(rtp_time)

    def rtp_at(self, local_us: float) -> float:
        """Inverse of ``local_us``: a fractional RTP time."""
        with self._host.lock:
            if self._anchor is None or not self._host.wall.known:
                return self._own.to_remote_us(local_us) / self._us_per_tick
            rtp_time, wall = self._anchor
            return rtp_time + (self._host.wall.to_remote_us(local_us) - wall) / self._us_per_tick

    @property
    def skew(self) -> float:
        """How much slower than ours the track's own clock runs (positive: slower)."""
        return self._own.skew

    def shift(self, by_us: float) -> None:
        """The sender's wall clock was set forward by ``by_us``."""
        if self._anchor is not None:
            self._anchor = (self._anchor[0], self._anchor[1] + by_us)

    def _wall_us(self, rtp_time: int) -> float:
        assert self._anchor is not None
        return self._anchor[1] + (rtp_time - self._anchor[0]) * self._us_per_tick

    def _local_us(self, rtp_time: int) -> float:
        if self._anchor is None or not self._host.wall.known:
            return self._own.to_local_us(rtp_time * self._us_per_tick)
        return self._host.wall.to_local_us(self._wall_us(rtp_time))


class HostSync:
    """The clocks of one host's tracks and the delay they share. Safe to use from two threads."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.wall = ClockEstimate()
        self._tracks: list[TrackClock] = []
        self._delay_us: float | None = None
        self._at_us = 0
        self.starved = False

    def add_sound(self, clock_rate: int = 48_000) -> TrackClock:
        return self._add(TrackClock(self, "audio", clock_rate, SOUND_LEAD_US, LatenessEstimate()))

    def add_video(self, clock_rate: int = 90_000) -> TrackClock:
        # A late picture is only held: 95 % over 5 s of 30 fps, so that one stall is soon forgotten.
        return self._add(TrackClock(self, "video", clock_rate, 0, LatenessEstimate(0.95, 150)))

    def remove(self, track: TrackClock) -> None:
        with self.lock:
            self._tracks.remove(track)

    def shift_wall(self, by_us: float) -> None:
        self.wall.shift_remote(by_us)
        for track in self._tracks:
            track.shift(by_us)

    def delay_us(self, now_us: int) -> float:
        """The common delay at ``now_us``: follows what the tracks need, gently or in one jump."""
        with self.lock:
            target = min(max((track.needed_us for track in self._tracks), default=0.0), MAX_DELAY_US)
            change = target - (self._delay_us or 0.0)
            starved, self.starved = self.starved and change > 0, False
            if self._delay_us is None or starved or not -JUMP_DOWN_US <= change <= JUMP_UP_US:
                if any(track.needed_us for track in self._tracks):
                    self._delay_us, self._at_us = target, now_us
                return self._delay_us or 0.0
            reach = max(now_us - self._at_us, 0) * SLEW
            # 2.5 ms, the resolution of the estimate, are not worth a change of pitch.
            if abs(change) > 2_500:
                self._delay_us += min(max(change, -reach), reach)
            self._at_us = max(now_us, self._at_us)
            return self._delay_us

    @property
    def delay(self) -> Delay:
        """The common delay as it was last asked for, and what asks for it."""
        with self.lock:
            needed = {"audio": 0.0, "video": 0.0}
            for track in self._tracks:
                needed[track.kind] = max(needed[track.kind], track.needed_us)
            return Delay(self._delay_us or 0.0, needed["audio"], needed["video"])

    def _add(self, track: TrackClock) -> TrackClock:
        with self.lock:
            self._tracks.append(track)
        return track
