"""Decides whether a source's own H.264 can be the top rung, and where its IDRs cut segments."""

from __future__ import annotations

from hls_bridge.part import PART_US

__all__ = ["SEGMENT_US", "GopWatch"]

SEGMENT_US = 2_000_000
SHORTEST_US = 1_750_000
"""An IDR earlier than this doesn't cut: a GOP of 0.5 or 1 s gives segments of 2 s."""
LONGEST_US = 2_450_000
"""EXT-X-TARGETDURATION 2 holds durations below 2.5 s, rounded to the nearest second (RFC 8216bis 4.4.3.1)."""
LONGEST_STEP_US = PART_US * 9 // 8
"""From one picture to the next, now and then: a part has to hold it; the packager can take an eighth away."""
PROOFS = 3
"""Intervals seen in a row before the source is trusted: six seconds at a GOP of 2 s."""
MOST_PROOFS = 24
"""Each time that it disappoints it takes twice as many, up to 48 s: each time costs two discontinuities."""


class GopWatch:
    """Give it every access unit of a program's pictures, in decoding order."""

    def __init__(self) -> None:
        self._cut_us: int | None = None
        self._last_us: int | None = None
        self._proofs = 0
        self._needed = PROOFS
        self._restarted = False

    @property
    def regular(self) -> bool:
        """The last keyframes all came where segments can be cut, no picture was reordered, and each came
        while a part could still hold the one before."""
        return self._proofs >= self._needed

    def restart(self) -> None:
        """Another source: its first keyframe cuts, wherever it is, and nothing is proved. What is due is due
        all the same: its first keyframe may take long."""
        self._restarted = True
        self._proofs, self._needed = 0, PROOFS

    def push(self, at_us: int, *, keyframe: bool) -> bool:
        """Whether a segment begins with this unit."""
        longest_us = LONGEST_STEP_US if self.regular else PART_US
        if self._last_us is not None and not 0 < at_us - self._last_us <= longest_us:
            self._doubt()  # a pause; or B-frames: times fall in decoding order
        self._last_us = at_us
        if not keyframe:
            if self.overdue(at_us):
                self._doubt()
            return False
        if self._cut_us is None or self._restarted:
            self._cut_us, self._restarted = at_us, False
            return True
        length_us = at_us - self._cut_us
        if length_us < SHORTEST_US:
            return False
        self._cut_us = at_us
        if length_us <= LONGEST_US:
            self._proofs += 1
        else:
            self._doubt()
        return True

    def _doubt(self) -> None:
        if self.regular:
            self._needed = min(MOST_PROOFS, 2 * self._needed)
        self._proofs = 0

    @property
    def limit_us(self) -> int:
        """Where the segment ends at the latest, or the part that holds the last picture if that is earlier;
        only when there has been a keyframe."""
        assert self._cut_us is not None
        assert self._last_us is not None
        return min(self._cut_us + LONGEST_US, self._last_us + PART_US)

    def overdue(self, now_us: int) -> bool:
        """No keyframe has come in time to end the segment, or no picture to end the part."""
        if self._cut_us is None or self._last_us is None:
            return False
        return now_us - self._cut_us > LONGEST_US or now_us - self._last_us > LONGEST_STEP_US
