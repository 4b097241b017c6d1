"""The tests' own ear: beeps are found where they begin, however loud a mixer has made them."""

from __future__ import annotations

import numpy as np
import pytest

from signaling.demo.sound import BLOCK, SAMPLE_RATE, Sound
from tests.beeps import begins, loudness

SECONDS = 6


@pytest.mark.parametrize("gain", [(1, 1), (0.3, 6), (6, 0.3)])
def test_beeps_are_found_at_any_loudness(gain: tuple[float, float]) -> None:
    sound = Sound()
    blocks = [sound.block(number * BLOCK)[0][::2] for number in range(SECONDS * SAMPLE_RATE // BLOCK)]
    samples = np.roll(np.concatenate(blocks), SAMPLE_RATE // 4) / 32768
    levelled = np.clip(samples * np.linspace(*gain, len(samples)), -0.89, 0.89).astype(np.float32)
    found = begins(loudness(levelled, SAMPLE_RATE))
    assert found == pytest.approx([0.25 + second for second in range(SECONDS)], abs=0.002)


def test_a_chord_alone_has_none() -> None:
    at = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hz * at) for hz in (165, 220, 277)) * np.linspace(0.01, 0.3, len(at))
    assert begins(loudness(np.float32(chord), SAMPLE_RATE)) == []
