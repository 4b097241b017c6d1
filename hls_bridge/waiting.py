"""Blocked requests: one future for each thing waited for, whatever the number of waiters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Overdue", "WaitingRoom"]

K = TypeVar("K", bound=Hashable)


class Overdue(TimeoutError):
    """What was waited for did not come in time."""


class WaitingRoom(Generic[K]):
    """`pending` for a key; `release` the keys that a predicate says are there."""

    def __init__(self) -> None:
        self._futures: dict[K, asyncio.Future[None]] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._futures)

    def pending(self, key: K, timeout_s: float) -> asyncio.Future[None]:
        """The future that all who wait for ``key`` share: never cancel it, and await it shielded.

        Done when ``key`` is released; the first waiter's timeout holds for all, and sets Overdue."""
        future = self._futures.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._futures[key] = loop.create_future()
            self._timers[key] = loop.call_later(timeout_s, self._expire, key)
        return future

    def release(self, there: Callable[[K], bool]) -> None:
        """Wake those whose key is there now."""
        for key in [key for key in self._futures if there(key)]:
            self._timers.pop(key).cancel()
            future = self._futures.pop(key)
            if not future.done():
                future.set_result(None)

    def _expire(self, key: K) -> None:
        self._timers.pop(key, None)
        future = self._futures.pop(key, None)
        if future is not None and not future.done():
            future.set_exception(Overdue())
            future.exception()  # a future whose waiters have all gone is not an error
