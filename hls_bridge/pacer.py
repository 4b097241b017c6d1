"""Turns frames of any timing into a constant rate: repeats where one is missing, drops where two meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Paced", "Pacer"]

T = TypeVar("T")

PATIENCE_US = 120_000
"""A picture this late is no longer waited for: three frames at 30 a second, and 20 ms of jitter."""


@dataclass(frozen=True, slots=True)
class Paced(Generic[T]):
    """A picture in its place: ``slot`` / fps seconds on the time line."""

    picture: T
    slot: int
    repeated: bool


class Pacer(Generic[T]):
    """Slot k of the time line is shown from k / fps s on. Pictures come with their time, in order."""

    def __init__(self, fps: int, first_slot: int) -> None:
        self._fps = fps
        self._next = first_slot
        self._picture: T | None = None
        self.dropped = 0
        self.repeats = 0

    def push(self, picture: T, at_us: int) -> list[Paced[T]]:
        """A picture that belongs at ``at_us``: what can be shown now."""
        slot = (at_us * self._fps + 500_000) // 1_000_000
        if slot < self._next - 1:
            # Late, but newer than what is shown: it takes the next slot that must be filled.
            self.dropped += 1
            self._picture = picture
            return []
        out = self._repeat(slot)
        if slot < self._next:
            self.dropped += 1
            self._picture = picture
            return out
        out.append(Paced(picture, slot, False))
        self._next = slot + 1
        self._picture = picture
        return out

    def tick(self, now_us: int) -> list[Paced[T]]:
        """Time passes: fill what should have come by now."""
        return self._repeat((now_us - PATIENCE_US) * self._fps // 1_000_000)

    def _repeat(self, until: int) -> list[Paced[T]]:
        out: list[Paced[T]] = []
        while self._picture is not None and self._next < until:
            out.append(Paced(self._picture, self._next, True))
            self._next += 1
            self.repeats += 1
        return out
