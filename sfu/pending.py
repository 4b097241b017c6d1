"""WHEP sessions before media: how many of one address may be on their way at a time."""

from __future__ import annotations

from collections import Counter

__all__ = ["Pending", "Place", "TooManyPending"]


class TooManyPending(LookupError):
    """As many sessions of the address as there may be wait for their media path."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} sessions wait for their media path")
        self.limit = limit


class Place:
    """Held from the POST until the media path stands or the session ends; ``release()`` is idempotent."""

    def __init__(self, pending: Pending, address: str) -> None:
        self._pending: Pending | None = pending
        self._address = address

    def release(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending._leave(self._address)


class Pending:
    """Counts by address, so that offers of nobody who will ever connect hold few seats and little memory."""

    def __init__(self, per_address: int | None) -> None:
        self.per_address = per_address
        self._waiting: Counter[str] = Counter()

    def enter(self, address: str) -> Place:
        """Raises TooManyPending."""
        if self.per_address is not None and self._waiting[address] >= self.per_address:
            raise TooManyPending(self.per_address)
        self._waiting[address] += 1
        return Place(self, address)

    def _leave(self, address: str) -> None:
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]
