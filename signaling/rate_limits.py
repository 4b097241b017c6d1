"""Token buckets per address or account: what a person does in a burst passes, what a script repeats waits."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from signaling.clock import Clock
from signaling.problems import rate_limited

__all__ = ["Budget", "RateLimits", "TokenBuckets"]

KEYS = 50_000
"""Buckets kept; beyond, the one used longest ago is forgotten (6 MB)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """``burst`` at once, then ``per_s`` a second."""

    burst: float
    per_s: float


class TokenBuckets:
    """One bucket per key."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def level(self, key: str, now_s: float) -> float:
        """How many tokens are in the bucket."""
        tokens, at_s = self._buckets.get(key, (self._budget.burst, now_s))
        return min(self._budget.burst, tokens + (now_s - at_s) * self._budget.per_s)

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until there is a token; 0 if there is one."""
        return max(0.0, (1 - self.level(key, now_s)) / self._budget.per_s)

    def take(self, key: str, now_s: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        level = self.level(key, now_s)
        if level < 1:
            return (1 - level) / self._budget.per_s
        self._buckets[key] = (level - 1, now_s)
        self._buckets.move_to_end(key)
        if len(self._buckets) > KEYS:
            self._buckets.popitem(last=False)
        return 0.0


class RateLimits:
    """The limits of the HTTP interface; none when switched off."""

    def __init__(self, clock: Clock, *, on: bool) -> None:
        self._clock = clock
        self._on = on
        # A class room behind one address signs up in a minute; a script gets 8,640 names a day.
        self._sign_ups = TokenBuckets(Budget(60, 0.1))
        self._sign_ins = TokenBuckets(Budget(60, 1.0))
        # Wrong passwords only. Of one address for one name: 10,000 guesses at one account take 28 hours.
        self._guesses = TokenBuckets(Budget(10, 0.1))
        # Of all addresses for one name, so that many of them are no way around: NIST SP 800-63B section
        # 3.2.2 asks for 100 at most, and it takes ten addresses to keep the owner of the name out.
        self._guesses_at_name = TokenBuckets(Budget(100, 0.1))
        # Wrong stream keys per address: an encoder with a stale key retries every two seconds.
        self._wrong_keys = TokenBuckets(Budget(30, 1.0))
        self._creations = TokenBuckets(Budget(120, 1.0))
        # A player sends one every 10 s: 300 players behind one address are counted.
        self._beacons = TokenBuckets(Budget(300, 30.0))

    def sign_up(self, address: str) -> None:
        """Raises Problem ``rate-limited``, as the others do."""
        self._take(self._sign_ups, address)

    def sign_in(self, address: str, name: str) -> None:
        self._check(self._guesses, f"{address} {name}")
        self._check(self._guesses_at_name, name)
        self._take(self._sign_ins, address)

    def wrong_password(self, address: str, name: str) -> None:
        if self._on:
            now_s = self._clock.monotonic_s()
            self._guesses.take(f"{address} {name}", now_s)
            self._guesses_at_name.take(name, now_s)

    def publish(self, address: str) -> None:
        """Before a key is looked up: right ones cost nothing."""
        self._check(self._wrong_keys, address)

    def wrong_key(self, address: str) -> None:
        if self._on:
            self._wrong_keys.take(address, self._clock.monotonic_s())

    def beacon(self, address: str) -> None:
        self._take(self._beacons, address)

    def create(self, account_id: str) -> None:
        """A stream, a key or a playback token is made."""
        self._take(self._creations, account_id)

    def _check(self, buckets: TokenBuckets, key: str) -> None:
        if self._on and (wait_s := buckets.wait_s(key, self._clock.monotonic_s())) > 0:
            raise rate_limited(wait_s)

    def _take(self, buckets: TokenBuckets, key: str) -> None:
        if self._on and (wait_s := buckets.take(key, self._clock.monotonic_s())) > 0:
            raise rate_limited(wait_s)
