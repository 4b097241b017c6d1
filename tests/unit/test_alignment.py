from __future__ import annotations

import random

import numpy as np
import pytest

from hls_bridge.alignment import NTP_UNIX_S, Alignment, OffsetEstimator, TrackClock
from hls_bridge.resample import DriftLoop, Resampler
from hls_bridge.sound_timeline import SAMPLE_RATE, SoundTimeline
from sfu.media import SenderReport


@pytest.mark.parametrize("ppm", [200, -200])
def test_no_drift_in_24_hours(ppm: int) -> None:
    """The publisher's sound clock is off by 200 ppm; jitter of 0 to 30 ms; one packet each 200 ms."""
    rng = random.Random(ppm)
    estimator, loop = OffsetEstimator(), DriftLoop()
    packet_us = 200_000
    output_us: float | None = None
    worst = 0.0
    for index in range(24 * 3600 * 5):
        sender_us = index * packet_us
        truth_us = sender_us * (1 + ppm * 1e-6)
        estimator.add(sender_us, round(truth_us + 5_000 + rng.random() * 30_000))
        placed_us = estimator.local_us(sender_us)
        if output_us is None:
            output_us = float(placed_us)
        stretch = loop.update(placed_us - output_us, packet_us)
        output_us += packet_us * (1 + stretch * 1e-6)
        if index > 5 * 900:  # the integral has learnt the drift
            worst = max(worst, abs(output_us - packet_us - truth_us - 5_000))
    # The minimum of five packets a second is 5 ms above the path's delay; uncorrected it were 17 s.
    assert worst < 15_000
    assert estimator.drift_ppm == pytest.approx(ppm, abs=60)
    assert loop.steady_ppm == pytest.approx(ppm, abs=60)


def ntp(us: int) -> int:
    return ((us // 1_000_000 + NTP_UNIX_S) << 32) | ((us % 1_000_000 << 32) // 1_000_000)


@pytest.mark.parametrize("start", [0, 2**15, 2**16, 2**31, 2**32 - 2000])
def test_reports_align_tracks_that_start_apart(start: int) -> None:
    alignment = Alignment()
    alignment.restart("audio", 48_000)
    alignment.restart("video", 90_000)
    wall = 1_700_000_000_000_000
    placed = {}
    for ms in range(0, 12_000, 20):
        for kind, rate, delay in (("audio", 48_000, 20_000), ("video", 90_000, 95_000)):
            rtp = start + ms * rate // 1000
            if ms % 1000 == 0:
                report = SenderReport(ntp(wall + ms * 1000), rtp & 0xFFFFFFFF, ms * 1000 + delay)
                alignment.handle_report(kind, report, rtp)
            placed[kind] = alignment.place(kind, rtp, ms * 1000 + delay)
    assert alignment.shared
    assert abs(placed["audio"] - placed["video"]) < 1_000


def test_a_report_for_another_clock_is_not_believed() -> None:
    alignment = Alignment()
    alignment.restart("audio", 48_000)
    alignment.restart("video", 90_000)
    alignment.handle_report("audio", SenderReport(ntp(10_000_000), 0), 0)
    alignment.handle_report("video", SenderReport(ntp(3_610_000_000), 0), 0)
    for ms in range(0, 5000, 20):
        audio = alignment.place("audio", ms * 48, ms * 1000)
        video = alignment.place("video", ms * 90, ms * 1000)
    assert abs(audio - video) < 50_000


def test_a_stepped_sender_clock_is_followed() -> None:
    estimator = OffsetEstimator()
    for ms in range(0, 30_000, 20):
        estimator.add(ms * 1000, ms * 1000 + 10_000)
    for ms in range(30_000, 40_000, 20):
        estimator.add(ms * 1000 + 3_600_000_000, ms * 1000 + 10_000)
    assert estimator.local_us(40_000_000 + 3_600_000_000) == pytest.approx(40_010_000, abs=1000)


@pytest.mark.parametrize("warm_s", [4, 12, 70])
@pytest.mark.parametrize("held_s", [1.5, 5.0])
def test_packets_that_were_held_move_no_clock(held_s: float, warm_s: int) -> None:
    """They arrive all at once when it ends."""
    estimator = OffsetEstimator()
    ends_ms = warm_s * 1000 + round(held_s * 1000)
    for ms in range(0, ends_ms + 70_000, 20):
        arrival_ms = ends_ms if warm_s * 1000 <= ms < ends_ms else ms
        estimator.add(ms * 1000, arrival_ms * 1000 + 10_000)
        assert abs(estimator.local_us(ms * 1000) - (ms * 1000 + 10_000)) < 1_000, ms


def test_a_path_that_is_longer_from_now_on_is_followed() -> None:
    estimator = OffsetEstimator()
    for ms in range(0, 45_000, 20):
        delay_us = 10_000 if ms < 30_000 else 610_000
        estimator.add(ms * 1000, ms * 1000 + delay_us)
    assert estimator.local_us(45_000_000) == pytest.approx(45_610_000, abs=1000)


def test_track_clock_without_a_report() -> None:
    with pytest.raises(LookupError):
        TrackClock(90_000).ntp_us(1)
    with pytest.raises(LookupError):
        OffsetEstimator().local_us(1)


@pytest.mark.parametrize("ppm", [0.0, 200.0, -300.0])
def test_resampling_is_clean_and_continuous(ppm: float) -> None:
    resampler = Resampler()
    t = np.arange(SAMPLE_RATE * 2) / SAMPLE_RATE
    tone = np.stack([np.sin(2 * np.pi * 1000 * t), np.cos(2 * np.pi * 5000 * t)], 1).astype(np.float32)
    out = np.concatenate([resampler.process(b, ppm) for b in np.split(tone, 100)])
    assert len(out) == pytest.approx(len(tone) * (1 + ppm * 1e-6), abs=14)
    at = np.arange(len(out)) / (1 + ppm * 1e-6) / SAMPLE_RATE
    want = np.stack([np.sin(2 * np.pi * 1000 * at), np.cos(2 * np.pi * 5000 * at)], 1)
    assert np.abs(out - want)[50:].max() < 1e-3  # -60 dB


def test_gaps_become_silence_and_surplus_is_cut() -> None:
    timeline = SoundTimeline(1_000_000)
    block = np.full((960, 2), 0.5, np.float32)
    at = 1_000_000
    for _ in range(50):
        timeline.push(block, at)
        at += 20_000
    at += 400_000
    (silence, _) = timeline.push(block, at)
    assert len(silence) == pytest.approx(0.4 * SAMPLE_RATE, abs=40)
    assert timeline.position_us == pytest.approx(at + 20_000, abs=1000)
    timeline.push(np.concatenate([block] * 20), at - 300_000)
    assert timeline.cut == pytest.approx(0.32 * SAMPLE_RATE, abs=40)
    assert timeline.fill(timeline.position_us - 1) is None
    filled = timeline.fill(timeline.position_us + 50_000)
    assert filled is not None
    assert len(filled) == 2400
