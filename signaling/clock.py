"""The clocks of the control plane, in one place so that tests can bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall clock, UTC: for what people see and what expires."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some moment, never backwards: for rates and intervals."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()
