"""One of a counted number of things, held until it is released."""

from __future__ import annotations

from collections import Counter

__all__ = ["Claim"]


class Claim:
    """Counts under ``key`` from its making until ``release()``, which is idempotent."""

    def __init__(self, counts: Counter[str], key: str) -> None:
        counts[key] += 1
        self._counts: Counter[str] | None = counts
        self._key = key

    def release(self) -> None:
        counts, self._counts = self._counts, None
        if counts is not None:
            counts[self._key] -= 1
            if not counts[self._key]:
                del counts[self._key]
