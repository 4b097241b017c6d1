"""Which rungs run: all of them from `popular_viewers` HLS viewers on, two below. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["ALL", "TierPolicy", "Tiers"]

ALL = "*"
CALM_US = 60_000_000
"""An audience must stay small for a minute before rungs stop: viewers reload, streams raid each other."""
CALM_SHARE = 0.7
QUIET_US = 30_000_000
"""A delisted rung is served until nobody has asked for it for 30 s."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """What shall be done."""

    want: frozenset[str]
    """Rungs to run besides those that never stop; ``*``: all."""
    delist: frozenset[str]
    """Rungs to leave out of the master playlist."""


class TierPolicy:
    """Call `update` about once a second."""

    def __init__(self, popular_viewers: int) -> None:
        self._popular_viewers = popular_viewers
        self._popular = False
        self._small_since_us: int | None = None

    def update(
        self, viewers: int, now_us: int, *, optional: Collection[str], last_asked_us: dict[str, int]
    ) -> Tiers:
        """``optional``: rungs that run and may stop; ``last_asked_us``: when each was last asked for."""
        if viewers >= self._popular_viewers:
            self._popular, self._small_since_us = True, None
            return Tiers(frozenset({ALL}), frozenset())
        if self._popular:
            if viewers >= CALM_SHARE * self._popular_viewers:
                self._small_since_us = None
            elif self._small_since_us is None:
                self._small_since_us = now_us
            if self._small_since_us is None or now_us - self._small_since_us < CALM_US:
                return Tiers(frozenset({ALL}), frozenset())
            self._popular = False
        asked = {name for name in optional if now_us - last_asked_us.get(name, 0) < QUIET_US}
        return Tiers(frozenset(asked), frozenset(optional))
