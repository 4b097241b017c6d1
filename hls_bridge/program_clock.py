"""Wall clock for EXT-X-PROGRAM-DATE-TIME, out of the node's monotonic clock."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["ProgramClock", "date_time"]

SLEW_US = 1_000
"""At most 1 ms a segment: players place segments by date, a step would look like a gap. NTP's own slewing
(500 ppm) is 1 ms in 2 s."""


class ProgramClock:
    """Follows the machine's wall clock slowly, whatever is done to that one."""

    def __init__(self, now_us: int, wall_us: int) -> None:
        self._offset_us = wall_us - now_us

    def next_segment(self, start_us: int, now_us: int, wall_us: int) -> int:
        """Wall time, in microseconds of the Unix epoch, of a segment that begins at ``start_us``."""
        error = wall_us - now_us - self._offset_us
        self._offset_us += max(-SLEW_US, min(SLEW_US, error))
        return self.wall_us(start_us)

    def wall_us(self, at_us: int) -> int:
        """The same for any time, without a step."""
        return at_us + self._offset_us


def date_time(wall_us: int) -> str:
    """RFC 3339 with milliseconds."""
    ms = (wall_us + 500) // 1000
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
