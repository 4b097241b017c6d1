"""Where a picture's time in the mixer goes, by stage; pure, times are given."""

from __future__ import annotations

from threading import Lock
from typing import Literal, NamedTuple, get_args

__all__ = ["STAGES", "Spent", "StageName", "Timing"]

StageName = Literal["input", "tick", "composite", "encode"]
"""``input``: from the earliest moment at which a host's picture could have arrived to the tick that shows it,
which is the host's delay and the wait for the tick; ``tick``: from the tick until work on it begins;
``composite``: decided, drawn and halved; ``encode``: both encodings, until the slower one is done."""
STAGES: tuple[StageName, ...] = get_args(StageName)


class Spent(NamedTuple):
    """Microseconds in one stage, summed up, and how many pictures they are of."""

    us: int = 0
    pictures: int = 0

    def plus(self, other: Spent) -> Spent:
        return Spent(self.us + other.us, self.pictures + other.pictures)


class Timing:
    """Counted by the compositor's thread and the event loop's, taken by the latter."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spent = dict.fromkeys(STAGES, Spent())

    def add(self, stage: StageName, us: float) -> None:
        with self._lock:
            self._spent[stage] = self._spent[stage].plus(Spent(round(us), 1))

    def take(self) -> dict[StageName, Spent]:
        """What came since the last call."""
        with self._lock:
            spent, self._spent = self._spent, dict.fromkeys(STAGES, Spent())
            return spent
