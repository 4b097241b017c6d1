"""Automatic levelling: brings every host to the same loudness, slowly, and never pumps up silence."""

from __future__ import annotations

import math

import numpy as np

from mixer.sound import BLOCK, RATE
from mixer.sound.opus import Samples

__all__ = ["AutoLevel", "rms_db"]

# Speech at -20 dBFS RMS is about -23 LUFS (EBU R 128) with 20 dB left for peaks.
TARGET_DB = -20.0
MAX_BOOST_DB, MAX_CUT_DB = 12.0, -18.0
# Below this a block is a pause (room noise at a usual microphone) and is not measured.
GATE_DB = -50.0
# 3 s, the short-term window of EBU R 128; gain moves by at most 3 dB a second, unheard as a change.
WINDOW_S = 3.0
SLEW_DB = 3.0 * BLOCK / RATE


def rms_db(block: Samples) -> float:
    """Level of a block in dBFS, a full-scale square wave being 0; -120 for digital silence."""
    power = float(np.vdot(block, block)) / max(block.size, 1)
    return 10 * math.log10(power) if power > 1e-12 else -120.0


class AutoLevel:
    """The gain for one host, from its blocks of 10 ms."""

    def __init__(self) -> None:
        self._power: float | None = None
        self._gain_db = 0.0

    @property
    def gain_db(self) -> float:
        return self._gain_db

    def update(self, block: Samples) -> float:
        """Measure a block (before gain) and give the gain in dB to apply at its end."""
        level = rms_db(block)
        if level > GATE_DB:
            power = 10 ** (level / 10)
            share = BLOCK / RATE / WINDOW_S
            self._power = power if self._power is None else self._power + (power - self._power) * share
            wanted = min(max(TARGET_DB - 10 * math.log10(self._power), MAX_CUT_DB), MAX_BOOST_DB)
            self._gain_db += min(max(wanted - self._gain_db, -SLEW_DB), SLEW_DB)
        return self._gain_db
