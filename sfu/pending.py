"""WHEP sessions before media: how many of one address may be on their way at a time."""

from __future__ import annotations

from collections import Counter

from sfu.claim import Claim

__all__ = ["Pending", "TooManyPending"]


class TooManyPending(LookupError):
    """As many sessions of the address as there may be wait for their media path."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} sessions wait for their media path")
        self.limit = limit


class Pending:
    """Counts by address, so that offers of nobody who will ever connect hold few seats and little memory."""

    def __init__(self, per_address: int | None) -> None:
        self.per_address = per_address
        self._waiting: Counter[str] = Counter()

    def enter(self, address: str) -> Claim:
        """To be held until the media path stands or the session ends. Raises TooManyPending."""
        if self.per_address is not None and self._waiting[address] >= self.per_address:
            raise TooManyPending(self.per_address)
        return Claim(self._waiting, address)
