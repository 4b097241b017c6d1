from __future__ import annotations

import numpy as np
import pytest

from mixer.clock import ClockEstimate, LatenessEstimate
from mixer.program import SteadyClock
from mixer.sync import HostSync, ntp_us
from sfu.media import SenderReport


@pytest.mark.parametrize("ppm", [-300, -50, 0, 50, 300])
@pytest.mark.parametrize("start", [0, 2**32 / 0.09, 1e15])
def test_the_skew_of_a_clock_is_found_through_jitter(ppm: int, start: float) -> None:
    rng, clock = np.random.default_rng(1), ClockEstimate()
    for n in range(60 * 50):
        remote = n * 20_000.0
        clock.observe(start + remote, remote * (1 + ppm * 1e-6) + 40_000 + rng.exponential(8_000))
    assert clock.skew * 1e6 == pytest.approx(ppm, abs=15)
    true = 60e6 * (1 + ppm * 1e-6) + 40_000
    assert clock.to_local_us(start + 60e6) == pytest.approx(true, abs=2_000)
    assert clock.to_remote_us(clock.to_local_us(start + 5e6)) == pytest.approx(start + 5e6, abs=1)


def test_a_burst_does_not_tilt_the_line_and_a_step_of_the_sender_is_taken_out() -> None:
    rng, clock = np.random.default_rng(2), ClockEstimate()
    shift = 0.0
    for n in range(60 * 50):
        if n == 1500:
            shift = 5e6
            clock.shift_remote(shift)
        late = 200_000 if 2000 <= n < 2200 else 0
        clock.observe(n * 20_000 + shift, n * 20_000 + 30_000 + late + rng.exponential(5_000))
    assert abs(clock.skew) < 30e-6
    assert clock.to_local_us(60e6 + shift) == pytest.approx(60e6 + 30_000, abs=3_000)


def test_lateness_is_a_quantile_that_forgets() -> None:
    lateness = LatenessEstimate()
    assert lateness.us == 0
    for n in range(1000):
        lateness.observe(60_000 if n % 20 == 0 else 1_000)
    assert 60_000 <= lateness.us <= 65_000
    for _ in range(2000):
        lateness.observe(1_000)
    assert lateness.us <= 5_000
    lateness.observe(1e9)
    lateness.observe(-1e9)


def test_what_is_late_at_the_start_is_forgotten_three_times_as_long_after() -> None:
    lateness = LatenessEstimate()
    for n in range(200):
        lateness.observe(100_000 if n < 50 else 1_000)
        if n == 49:
            assert lateness.us >= 100_000
    assert lateness.us <= 5_000


def report(wall_us: float, rtp_time: int, arrival_us: int = 0) -> SenderReport:
    return SenderReport(int(wall_us / 1e6 * 2**32), rtp_time % 2**32, arrival_us)


@pytest.mark.parametrize("base", [0, 2**31 - 90_000, 2**32 - 90_000, 3 * 2**32 + 5])
def test_reports_tie_sound_and_picture_together(base: int) -> None:
    """The picture's path is 50 ms slower; without reports that would be 50 ms of lip error."""
    sync = HostSync()
    sound, video = sync.add_sound(), sync.add_video()
    wall = 3.9e15
    for n in range(100):
        at = n * 20_000
        sound.observe(7 * base + n * 960, at + 20_000)
        video.observe(base + n * 1800, at + 70_000, at + 75_000)
        if n == 10:
            assert not sound.synchronised
            sound.report(report(wall + at, 7 * base + n * 960))
            video.report(report(wall + at, base + n * 1800))
            video.report(report(wall + at, base + n * 1800))
    assert sound.synchronised
    assert video.synchronised
    apart = video.local_us(base + 99 * 1800) - sound.local_us(7 * base + 99 * 960)
    assert abs(apart) < 10
    assert sound.rtp_at(sound.local_us(7 * base + 960)) == pytest.approx(7 * base + 960, abs=0.1)
    assert 50_000 <= sync.delay_us(2_000_000) <= 65_000


def test_a_set_wall_clock_does_not_tear_the_tracks_apart() -> None:
    sync = HostSync()
    sound, video = sync.add_sound(), sync.add_video()
    wall = 3.9e15
    for n in range(300):
        at = n * 20_000
        sound.observe(n * 960, at + 20_000)
        video.observe(n * 1800, at + 20_000)
        if n == 100:
            wall += 3.6e9
        if n % 50 == 0:
            sound.report(report(wall + at, n * 960, at + 20_000))
        if n % 50 == 25:
            video.report(report(wall + at, n * 1800, at + 20_000))
        if n > 30:
            assert abs(video.local_us(n * 1800) - sound.local_us(n * 960)) < 1_000
            assert abs(video.local_us(n * 1800) - at - 20_000) < 1_000


def test_sound_that_stood_still_is_in_step_again_from_its_next_report_on() -> None:
    """A starved page gives out no sound for 600 ms and goes on with the RTP time where it stopped."""
    sync = HostSync()
    sound, video = sync.add_sound(), sync.add_video()
    wall, stood = 3.9e15, 0
    for n in range(500):
        at = n * 20_000
        stood = min(n - 200, 30) if n >= 200 else 0
        rtp_time = (n - stood) * 960
        if not 200 < n < 230:
            sound.observe(rtp_time, at + 20_000)
        video.observe(n * 1800, at + 20_000)
        if n % 50 == 0 and n != 200:
            sound.report(report(wall + at, rtp_time, at + 20_000))
        if n % 50 == 25:
            video.report(report(wall + at, n * 1800, at + 20_000))
        if n > 250:
            assert abs(video.local_us(n * 1800) - sound.local_us(rtp_time)) < 1_000
    assert sync.delay_us(10_000_000) < 100_000


def test_the_delay_follows_gently_or_jumps() -> None:
    sync = HostSync()
    sound = sync.add_sound()
    for n in range(200):
        sound.observe(n * 960, n * 20_000)
    small = sync.delay_us(4_000_000)
    assert small == pytest.approx(15_500)
    for n in range(200, 260):
        sound.observe(n * 960, n * 20_000 + (n % 2) * 15_000)
    assert small < sync.delay_us(5_200_000) <= small + 1_200_000 * 0.005
    for n in range(260, 400):
        sound.observe(n * 960, n * 20_000 + (n % 2) * 150_000)
    assert sync.delay_us(8_000_000) > 150_000
    sync.remove(sound)
    assert sync.delay_us(9_000_000) >= 0


def test_ntp_times() -> None:
    assert ntp_us(1 << 32) == 1e6
    assert ntp_us((5 << 32) + (1 << 31)) == 5.5e6


@pytest.mark.parametrize("fps", [30, 60])
def test_the_steady_clock_numbers_ticks_and_skips_what_is_over(fps: int) -> None:
    clock = SteadyClock(1_000_000, fps)
    assert clock.take(1_000_000) == (1_000_000, 0)
    assert clock.take(1_000_000 + 1_000_000 // fps) == (1_000_000 + 1_000_000 // fps, 90_000 // fps)
    late = 1_000_000 + 10_000_000 // fps + 100
    at, rtp = clock.take(late)
    assert rtp == 10 * 90_000 // fps
    assert abs(at - late) < 1_000
    assert clock.skipped == 8
    assert clock.rtp_at(2_000_000) == 90_000
