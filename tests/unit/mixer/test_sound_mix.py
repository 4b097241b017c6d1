from __future__ import annotations

import numpy as np
import pytest

from mixer.sound import BLOCK, RATE
from mixer.sound.buffer import SoundBuffer
from mixer.sound.level import AutoLevel, rms_db
from mixer.sound.limiter import CEILING_DB, DELAY, Limiter, true_peaks
from mixer.sound.mix import SoundMix
from tests.unit.mixer.signals import opus_packets, sine


def blocks(signal: np.ndarray) -> list[np.ndarray]:
    return [signal[i : i + BLOCK] for i in range(0, len(signal) - BLOCK + 1, BLOCK)]


def peak_db(signal: np.ndarray) -> float:
    return float(20 * np.log10(true_peaks(signal).max()))


def click(signal: np.ndarray) -> float:
    """Largest second difference: what a jump in the wave makes, whatever its level."""
    return float(np.abs(np.diff(signal[:, 0], 2)).max())


@pytest.mark.parametrize("hz", [50, 440, 5000, 11987, 17000])
@pytest.mark.parametrize("amplitude", [0.5, 1.0, 4.0])
def test_limiter_keeps_true_peaks_below_the_ceiling(hz: float, amplitude: float) -> None:
    limiter = Limiter()
    out = np.concatenate([limiter.process(block) for block in blocks(sine(hz, 1.0, amplitude))])
    assert peak_db(out) <= CEILING_DB + 0.01
    if amplitude == 0.5:
        assert np.allclose(out[DELAY:], sine(hz, 1.0, amplitude)[: len(out) - DELAY], atol=1e-6)


def test_limiter_catches_a_single_click_and_recovers() -> None:
    signal = sine(440, 1.0, 0.3)
    signal[RATE // 4] = 6.0
    limiter = Limiter()
    out = np.concatenate([limiter.process(block) for block in blocks(signal)])
    assert np.abs(out).max() <= 10 ** (CEILING_DB / 20)
    assert np.allclose(out[-4800:], signal[-4800 - DELAY : -DELAY], atol=1e-4)


def test_limiter_leaves_what_is_low_as_it_is() -> None:
    signal = sine(440, 0.2, 0.3)
    limiter = Limiter()
    out = np.concatenate([limiter.process(block) for block in blocks(signal)])
    assert (out[DELAY:] == signal[: len(out) - DELAY]).all()


def test_limiter_is_the_same_for_any_blocks() -> None:
    signal = (sine(300, 0.5, 2.0) * np.linspace(0, 1, RATE // 2)[:, None]).astype(np.float32)
    one, two = Limiter(), Limiter()
    a = np.concatenate([one.process(block) for block in blocks(signal)])
    b = np.concatenate([two.process(signal[i : i + 960]) for i in range(0, len(signal), 960)])
    assert np.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("amplitude", [0.03, 0.1, 0.9])
def test_levelling_meets_the_target_slowly_and_leaves_pauses_alone(amplitude: float) -> None:
    level, previous = AutoLevel(), 0.0
    for block in blocks(sine(300, 12.0, amplitude)):
        gain = level.update(block)
        assert abs(gain - previous) <= 0.031
        previous = gain
    wanted = np.clip(-20 - rms_db(sine(300, 1.0, amplitude)), -18, 12)
    assert level.gain_db == pytest.approx(wanted, abs=0.2)
    for block in blocks(sine(300, 5.0, 0.0005)):
        level.update(block)
    assert level.gain_db == pytest.approx(wanted, abs=0.2)


def test_joining_leaving_muting_and_gain_never_click() -> None:
    tone = sine(440, 4.0, 0.1)
    mix, out = SoundMix(), []

    def read(now_us: int) -> np.ndarray:
        start = now_us * RATE // 1_000_000
        return tone[start : start + BLOCK]

    for n in range(350):
        match n:
            case 20:
                mix.add("a", read, levelled=False)
            case 100:
                mix.set_gain("a", 12)
            case 150:
                mix.set_muted("a", True)
            case 200:
                mix.set_muted("a", False)
            case 250:
                mix.add("a", read, levelled=False)
            case 300:
                mix.remove("a")
        out.append(mix.render(n * 10_000))
    signal = np.concatenate(out)
    smooth = click(sine(440, 0.1, 0.1 * 10 ** (12 / 20)))
    assert click(signal) < 2 * smooth
    level = [float(np.abs(block).max()) for block in out]
    assert level[10] == 0
    assert level[90] == pytest.approx(0.1, rel=0.02)
    assert level[140] == pytest.approx(0.4, rel=0.02)
    assert level[190] == 0
    assert level[345] == 0
    with pytest.raises(KeyError):
        mix.set_gain("a", 0)


def test_buffer_survives_loss_reordering_garbage_and_silence() -> None:
    packets = opus_packets(sine(440, 4.0), fec=True)
    buffer, at = SoundBuffer(), 0
    for n, packet in enumerate(packets):
        if n in (20, 50, 51) or 100 <= n < 140:
            continue
        buffer.push(n * 960, b"\xff\xff\xff\xff" if n == 60 else packet)
        if n == 10:
            buffer.push(9 * 960, packets[9])
    out = []
    while at < 3 * RATE:
        window, start = buffer.window(at, at + BLOCK)
        assert start == at
        out.append(window[:BLOCK])
        at += BLOCK
    signal = np.concatenate(out)
    counters = buffer.counters
    assert counters.damaged == 1
    assert counters.late == 0
    assert counters.recovered >= 3
    assert 4 <= counters.concealed <= 16  # pieces of 10 ms
    buffer.push(0, packets[0])
    assert counters.late == 1
    assert np.abs(signal[110 * 960 : 138 * 960]).max() == 0
    assert np.abs(signal[145 * 960 :]).max() > 0.3
    # 440 Hz at 0.5 has second differences of 0.0017; a hard edge would have 0.5.
    assert click(signal[960:]) < 0.06
