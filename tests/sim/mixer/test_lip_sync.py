"""A flash and a click made together come out together: simulated time, real codecs."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mixer.sound.input import SoundInput
from mixer.sync import HostSync
from mixer.video import VideoInput
from sfu.media import Codec, RtpPacket, SenderReport, TapBatch
from tests.sim.mixer.participant import Host, Media, Path

NTP_S = 3_900_000_000
START_US = 5_000_000


def arrivals(
    media: Media, path: Path, seed: int, extra_us: int
) -> list[tuple[int, list[RtpPacket], SenderReport]]:
    """(arrival, packets, report) of each frame, sorted by arrival."""
    rng, rate, out = random.Random(seed), 1 + path.drift_ppm * 1e-6, []
    for sent_us, packets in media:
        if rng.random() < path.loss:
            continue
        delay = (path.delay_ms + rng.expovariate(1) * path.jitter_ms) * 1000
        at = int(START_US + sent_us / rate + delay) + extra_us
        stamped = [RtpPacket(p.sequence, p.timestamp, p.marker, p.payload, at) for p in packets]
        ntp = int((NTP_S + sent_us / 1e6) * 2**32)
        out.append((at, stamped, SenderReport(ntp, packets[0].timestamp, at)))
    return sorted(out, key=lambda entry: entry[0])


@pytest.mark.parametrize(
    ("sound_path", "video_path"),
    [
        (Path(), Path()),
        (Path(jitter_ms=5, drift_ppm=200), Path(jitter_ms=15, delay_ms=90, drift_ppm=200)),
        (Path(jitter_ms=20, delay_ms=80, drift_ppm=-200, loss=0.02), Path(jitter_ms=5, drift_ppm=-200)),
    ],
)
def test_flash_and_click_within_40_ms(sound_path: Path, video_path: Path) -> None:
    host = Host(30, 1000, flash=True, seconds=14)
    sync = HostSync()
    video, sound, codec = VideoInput(sync), SoundInput(sync), Codec("H264", 90_000)
    pictures = arrivals(host.video(), video_path, 1, 0)
    # A packet of sound leaves when its 20 ms have been captured.
    sounds = arrivals(host.sound(), sound_path, 2, 20_000)
    flashes, clicks, white, quiet_since = [], [], False, 0
    for now in range(START_US, START_US + 13_500_000, 10_000):
        while pictures and pictures[0][0] <= now:
            at, packets, report = pictures.pop(0)
            units = video.units(TapBatch(codec, "", 1, packets, report), at)
            video.add(units, video.decode(units, at), at + 8_000)
        while sounds and sounds[0][0] <= now:
            _, packets, report = sounds.pop(0)
            sound.push(packets, report)
        if (now - START_US) % 30_000 == 0:  # the program's ticks, about 33 a second
            picture = video.at(now).picture
            bright = picture is not None and picture.y[150:250, 100:500].mean() > 150
            if bright and not white:
                flashes.append(now)
            white = bright
        block = sound.read(now)
        if block is None:
            continue
        loud = np.nonzero(np.abs(block[:, 0]) > 0.1)[0]
        if len(loud):
            at_us = now + int(loud[0] / 0.048)
            if at_us - quiet_since > 400_000:
                clicks.append(at_us)
            quiet_since = now
    # The first seconds go to finding the delay and the clocks.
    offsets = [min((click - flash for click in clicks), key=abs) / 1000 for flash in flashes[4:]]
    assert len(offsets) >= 7
    # A tick is 30 ms, and shows a flash that came since the last: 0 to 30 ms late.
    assert max(abs(offset + 15) for offset in offsets) <= 40
    assert abs(np.median(offsets) + 15) <= 20
