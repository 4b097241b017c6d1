"""Tells a pause of the source from one of the worker itself, which may be held by a busy machine.

What came meanwhile lies in the socket and in the taps' queues: it has to be read before anything is judged
by the time that has passed. The engine's threads and the loop begin to read when the worker runs again, in
an order that nobody knows, so the first ticks behind a hold judge nothing.
"""

from __future__ import annotations

__all__ = ["Attention"]

TICK_US = 20_000
LATE_US = 5 * TICK_US
"""A worker that hasn't run for so long was held."""
SETTLE_US = 100_000
"""By then its threads have read what had come. The engine's takes 32 messages a turn, each up to 64 KiB."""
MOST_US = 2_000_000
"""Who can't read everything within so long is too slow: time must pass for what has no packets."""


class Attention:
    """Call `note` whenever the worker has something to do, `tick` at regular times."""

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._settled_us = 0
        self._current_us = 0
        self.heard_us = 0
        """What arrived before this moment has been read. It stands while the worker catches up."""
        self.awake_us = 0
        """A clock that runs while the worker does, and not while it is held."""
        self.patience_us = 0
        """The same, but it stands while the worker catches up: for what may be among what isn't read yet."""

    @property
    def behind(self) -> bool:
        """Whether something may wait that came a while ago."""
        return self.awake_us < self._settled_us or self.awake_us - self._current_us > LATE_US

    def note(self, now_us: int) -> bool:
        """The worker runs; whether it was held before."""
        if self._last_us is None:
            self._last_us = self.heard_us = now_us
        elapsed_us = now_us - self._last_us
        self._last_us = now_us
        if elapsed_us <= LATE_US:
            self.awake_us += max(0, elapsed_us)
            return False
        self.awake_us += TICK_US
        self._settled_us = self.awake_us + SETTLE_US
        return True

    def tick(self, now_us: int, *, all_read: bool) -> None:
        """``all_read``: no tap has anything that hasn't been pushed."""
        before_us = self._last_us
        late = self.note(now_us)
        since_us = self.awake_us - self._current_us
        if (all_read and self.awake_us >= self._settled_us) or since_us >= MOST_US:
            self.patience_us += min(since_us, LATE_US)
            self.heard_us, self._current_us = now_us, self.awake_us
        elif all_read and late and before_us is not None:
            # Who is late at each tick has read by this one what had come by the one before.
            self.heard_us = max(self.heard_us, before_us)
