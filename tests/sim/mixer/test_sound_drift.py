"""Hosts whose clocks drift, over paths that jitter and lose: from a seed, faster than real time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import mixer
from mixer.sound import BLOCK, RATE
from mixer.sound.input import SoundInput
from mixer.sound.playhead import MAX_DRIFT, Playhead
from mixer.sync import HostSync
from sfu.media import RtpPacket, SenderReport
from tests.unit.mixer.signals import opus_packets, sine

OURS = f"{Path(mixer.__file__).parent}/*"
NTP_EPOCH_S = 3_900_000_000


def report(sender_us: float, rtp_time: int, arrival_us: int) -> SenderReport:
    seconds = NTP_EPOCH_S + sender_us / 1e6
    return SenderReport(int(seconds * 2**32), rtp_time % 2**32, arrival_us)


@pytest.mark.parametrize(("ppm", "reports"), [(200, True), (-200, False)])
def test_two_hours_of_drift_stay_within_40_ms(ppm: int, reports: bool) -> None:
    """The playhead against the truth: sound captured at t is played at t + path + delay."""
    rng = np.random.default_rng(2020)
    sync, playhead = HostSync(), Playhead()
    track = sync.add_sound()
    start_rtp, path_us = 2**32 - RATE, 30_000
    jitter = rng.exponential(4_000, 400_000)
    rate = 1 + ppm * 1e-6  # sender's microseconds per one of ours
    worst = steepest = 0.0
    packet = 0
    for tick in range(2 * 3600 * 100):
        now_us = 1_000_000 + tick * 10_000
        while True:
            capture_us = 1_000_000 + packet * 20_000 / rate
            arrival = int(capture_us + path_us + jitter[packet])
            if arrival > now_us:
                break
            track.observe(start_rtp + packet * 960, arrival)
            if reports and packet % 50 == 0:
                track.report(report(packet * 20_000, start_rtp + packet * 960, arrival))
            packet += 1
        if packet == 0:
            continue
        delay = sync.delay_us(now_us)
        step = playhead.move(track.rtp_at(now_us - delay), track.skew)
        true_rtp = start_rtp + (now_us - delay - path_us - 1_000_000) * rate * RATE / 1e6
        if tick > 3000:
            assert not step.jumped
            worst = max(worst, abs(step.position - true_rtp) / RATE)
            steepest = max(steepest, abs(step.ratio - 1))
    assert worst < 0.040
    assert worst < 0.005
    assert steepest <= 0.005
    assert sync.delay_us(now_us) < 40_000
    assert MAX_DRIFT == 300e-6


@pytest.mark.parametrize("ppm", [200, -200])
def test_a_drifting_jittering_lossy_tone_comes_out_whole_and_memory_is_flat(ppm: int) -> None:
    rng = np.random.default_rng(7)
    packets = opus_packets(sine(480, 1.0), fec=True)
    sync = HostSync()
    sound = SoundInput(sync)
    arrivals, rate = [], 1 + ppm * 1e-6
    for n in range(90 * 50):
        if rng.random() < 0.02:
            continue
        at = int(1_000_000 + n * 20_000 / rate + 25_000 + rng.exponential(3_000))
        # 480 Hz repeats every 100 samples, so the second of sound can be sent again and again.
        arrivals.append((at, RtpPacket(n % 65536, (n * 960) % 2**32, False, packets[10 + n % 30], at)))
    arrivals.sort(key=lambda arrival: arrival[0])
    levels, at = np.full(90 * 100, np.nan, np.float32), 0
    sizes = []
    tracemalloc.start()
    for tick in range(90 * 100 - 50):
        now_us = 1_000_000 + tick * 10_000
        while at < len(arrivals) and arrivals[at][0] <= now_us:
            rtp = arrivals[at][1]
            latest = report(rtp.timestamp / 0.048, rtp.timestamp, rtp.arrival_us) if at % 50 == 0 else None
            sound.push([rtp], latest)
            at += 1
        block = sound.read(now_us)
        if block is None or tick < 100:
            continue
        assert block.shape == (BLOCK, 2)
        assert np.isfinite(block).all()
        levels[tick] = np.sqrt(np.mean(block**2))
        if tick in (3000, 8500):
            ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, OURS)])
            sizes.append(sum(trace.size for trace in ours.traces))
    tracemalloc.stop()
    assert (levels < 0.1).mean() < 0.01
    assert np.nanmedian(levels) == pytest.approx(0.35, abs=0.05)
    assert sizes[1] - sizes[0] < 100_000
    counters = sound.counters
    assert counters.recovered > counters.concealed
    assert counters.late < 0.01 * len(arrivals)
    assert abs((sound.ratio - 1) * 1e6 - ppm) < 100


def test_sound_bound_late_to_a_faster_picture_is_not_silent() -> None:
    """Until the reports each track has a clock of its own; then the sound turns out to be 18 ms behind."""
    packets = opus_packets(sine(480, 1.0))
    sync = HostSync()
    picture, sound = sync.add_video(), SoundInput(sync)
    quiet = 0
    for n in range(150):
        captured_us = n * 20_000
        if n % 2 == 0:
            at = 1_000_000 + captured_us + 22_000
            picture.observe(n * 1800, at, at + 5_000)
            if n == 40:
                picture.report(report(captured_us, n * 1800, at))
        at = 1_000_000 + captured_us + 40_000
        tie = report(captured_us, n * 960, at) if n == 50 else None
        sound.push([RtpPacket(n, n * 960, False, packets[10 + n % 30], at)], tie)
        for now_us in (at + 1_000, at + 11_000):
            block = sound.read(now_us)
            quiet += n > 20 and (block is None or float(np.abs(block).max()) < 0.3)
    assert quiet <= 10  # blocks of 10 ms


def test_a_busy_machine_delays_sound_and_does_not_silence_it() -> None:
    """Packets arrive in time and reach the mixer 60 ms later: the delay must cover that too."""
    packets = opus_packets(sine(480, 1.0))
    sound = SoundInput(HostSync())
    quiet = 0
    for n in range(200):
        at = 1_000_000 + n * 20_000
        packet = RtpPacket(n, n * 960, False, packets[10 + n % 30], at - 60_000)
        sound.push([packet], None, at)
        for now_us in (at + 1_000, at + 11_000):
            block = sound.read(now_us)
            quiet += n > 20 and (block is None or float(np.abs(block).max()) < 0.3)
    assert quiet == 0


def test_a_source_that_starts_anew_is_followed() -> None:
    packets = opus_packets(sine(480, 1.0))
    sound = SoundInput(HostSync())
    for n in range(400):
        base = 0 if n < 200 else 3_000_000_000
        now_us = 1_000_000 + n * 20_000
        sound.push([RtpPacket(n, (base + n * 960) % 2**32, False, packets[10 + n % 30], now_us)], None)
        blocks = [sound.read(now_us + 1000), sound.read(now_us + 11_000)]
        if n in (150, 399):
            assert all(block is not None and np.abs(block).max() > 0.3 for block in blocks)
