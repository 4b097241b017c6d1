"""Where in a host's sound to read next: follows the host's clock so gently that nobody hears it."""

from __future__ import annotations

import math
from typing import NamedTuple

from mixer.sound import BLOCK, RATE

__all__ = ["MAX_DRIFT", "Playhead", "Step"]

MAX_DRIFT = 300e-6
"""Of the ratio while it follows the host's clock: more than cheap crystals differ."""
# Beyond HURRY_ERROR the pitch may bend by HURRY, which nobody hears; beyond JUMP_ERROR it is a jump.
HURRY = 0.005
# The clock estimate moves by less than 1 ms a second; a slewing delay is followed 2 ms behind.
HURRY_ERROR = RATE * 2 // 1000
JUMP_ERROR = RATE * 15 // 1000
# An error is worked off over about 2 s, slow against the noise of the clock estimate.
GAIN = 1 / (2 * RATE)


class Step(NamedTuple):
    """One block: its first sample's position, the source samples per sample, and whether it is a leap."""

    position: float
    ratio: float
    jumped: bool


class Playhead:
    """Fractional position in a host's timeline, in samples at 48 kHz."""

    def __init__(self) -> None:
        self.position: float | None = None
        """Where the next block would begin."""
        self.ratio = 1.0

    def move(self, wanted: float, skew: float) -> Step:
        """The next block, which should begin at ``wanted``; the host's clock is slower by ``skew``."""
        if self.position is None or abs(wanted - self.position) > JUMP_ERROR:
            self.ratio, start, jumped = 1.0, wanted, True
        else:
            error = wanted - self.position
            if abs(error) > HURRY_ERROR:
                self.ratio = 1 + math.copysign(HURRY, error)
            else:
                self.ratio = 1 + min(max(error * GAIN - skew, -MAX_DRIFT), MAX_DRIFT)
            start, jumped = self.position, False
        self.position = start + BLOCK * self.ratio
        return Step(start, self.ratio, jumped)
