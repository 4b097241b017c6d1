"""Decides whether a source's own H.264 can be the top rung, and where its IDRs cut segments."""

from __future__ import annotations

__all__ = ["SEGMENT_US", "GopWatch"]

SEGMENT_US = 2_000_000
SHORTEST_US = 1_750_000
"""An IDR earlier than this doesn't cut: a GOP of 0.5 or 1 s gives segments of 2 s."""
LONGEST_US = 2_450_000
"""EXT-X-TARGETDURATION 2 holds durations below 2.5 s, rounded to the nearest second (RFC 8216bis 4.4.3.1)."""
PROOFS = 3
"""Intervals seen in a row before the source is trusted: six seconds at a GOP of 2 s."""


class GopWatch:
    """Give it every access unit of a source, in decoding order."""

    def __init__(self) -> None:
        self._cut_us: int | None = None
        self._last_us: int | None = None
        self._proofs = 0

    @property
    def regular(self) -> bool:
        """The last keyframes all came where segments can be cut, and no picture was reordered."""
        return self._proofs >= PROOFS

    def push(self, at_us: int, *, keyframe: bool) -> bool:
        """Whether a segment begins with this unit."""
        if self._last_us is not None and at_us <= self._last_us:
            self._proofs = 0  # B-frames: times fall in decoding order
        self._last_us = at_us
        if not keyframe:
            if self.overdue(at_us):
                self._proofs = 0
            return False
        if self._cut_us is None:
            self._cut_us = at_us
            return True
        length_us = at_us - self._cut_us
        if length_us < SHORTEST_US:
            return False
        self._proofs = self._proofs + 1 if length_us <= LONGEST_US else 0
        self._cut_us = at_us
        return True

    @property
    def limit_us(self) -> int:
        """Where the segment ends at the latest; only when there has been a keyframe."""
        assert self._cut_us is not None
        return self._cut_us + LONGEST_US

    def overdue(self, now_us: int) -> bool:
        """No keyframe has come in time to end the segment."""
        return self._cut_us is not None and now_us - self._cut_us > LONGEST_US
