"""When those who already watch are told that seats are gone or there again. Pure.

Newcomers hear how it is now. Whoever watches over HLS is called back to WebRTC only when there is a seat for
all of them and a reserve for newcomers: seat by seat, everyone would try and all but one be refused.
"""

from __future__ import annotations

import math

__all__ = ["SeatWatch"]

CALM_S = 10.0
"""Seats must stay free that long: viewers reload, and a seat is held 10 s before media."""
RESERVE = 0.1
"""Of all seats, kept for newcomers when viewers are called back."""


class SeatWatch:
    """Of one stream; ``now_s`` on a monotonic clock."""

    def __init__(self) -> None:
        self.full = False
        self._roomy_since_s: float | None = None

    def update(self, taken: int, free: int, hls: int, now_s: float) -> bool:
        """Seats taken and free, viewers over HLS; whether ``full`` has changed. Call about once a second."""
        if not self.full:
            self.full = free == 0
            return self.full
        if free < hls + math.ceil(RESERVE * (taken + free)) or free == 0:
            self._roomy_since_s = None
            return False
        if self._roomy_since_s is None:
            self._roomy_since_s = now_s
        if now_s - self._roomy_since_s < CALM_S:
            return False
        self.full, self._roomy_since_s = False, None
        return True
