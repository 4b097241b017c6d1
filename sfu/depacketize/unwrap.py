"""Counters that wrap, made to count on (RFC 3550 appendix A.1 and A.3 do the same for 16 bits)."""

from __future__ import annotations

__all__ = ["Unwrapper"]


class Unwrapper:
    """Extends a counter of ``bits`` bits; right while steps are below half its range, in both directions.

    The first value is kept as it is, so early values before it may come out negative.
    """

    def __init__(self, bits: int) -> None:
        self._half = 1 << (bits - 1)
        self._mask = (1 << bits) - 1
        self._last: int | None = None

    def peek(self, value: int) -> int:
        """The extended value, without moving on to it."""
        if self._last is None:
            return value
        step = (value - self._last) & self._mask
        return self._last + (step if step < self._half else step - self._mask - 1)

    def __call__(self, value: int) -> int:
        self._last = self.peek(value)
        return self._last
