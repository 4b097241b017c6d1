"""When a simulated host was seen to flash and heard to click, and how far these are apart."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["CLICK_US", "FLASH_US", "Measured", "Spans", "offsets_ms", "unheard"]

FLASH_US, CLICK_US = 133_333, 100_000


@dataclass
class Spans:
    """Begins and ends; two hours of them must not look like a leak."""

    begins: array[float] = field(default_factory=lambda: array("d"))
    ends: array[float] = field(default_factory=lambda: array("d"))

    def append(self, begin: float, end: float) -> None:
        self.begins.append(begin)
        self.ends.append(end)

    def __len__(self) -> int:
        return len(self.begins)


@dataclass
class Measured:
    """Of one host, in simulated microseconds."""

    flashes: Spans = field(default_factory=Spans)
    clicks: Spans = field(default_factory=Spans)
    bright: bool = False


def offsets_ms(measured: Measured) -> list[tuple[float, float]]:
    """(time of a flash, how much later its click was), of those of which nothing was lost on the way.

    By their begins or by their ends, whichever are closer: a picture that is held while a lost one is waited
    for moves one end of a flash; what is out of step is so at both. A flash is seen at the first tick of the
    output after it, 17 ms late on average: that is taken off.
    """
    whole = np.array([measured.clicks.begins, measured.clicks.ends]).T
    lasted = whole[:, 1] - whole[:, 0]
    whole = whole[(lasted >= 90_000) & (lasted <= 120_000)]
    offsets = []
    for begin, end in zip(measured.flashes.begins, measured.flashes.ends, strict=True):
        if not (90_000 <= end - begin <= 180_000 and len(whole)):
            continue
        click_begin, click_end = whole[np.abs(whole[:, 0] - begin).argmin()]
        longer_us = FLASH_US - CLICK_US
        late = min(click_begin - begin, click_end + longer_us - end, key=abs) / 1000 + 1000 / 60
        if abs(late) < 400:
            offsets.append((begin, float(late)))
    return offsets


def nearest(times: npt.NDArray[np.float64], to: float) -> float:
    return float(times[np.abs(times - to).argmin()]) if len(times) else math.inf


def unheard(measured: Measured, since_us: int) -> int:
    """Flashes since then without any click."""
    begins = np.array(measured.clicks.begins)
    flashes = [flash for flash in measured.flashes.begins if flash > since_us]
    return sum(abs(nearest(begins, flash) - flash) > 400_000 for flash in flashes)
