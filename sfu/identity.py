"""The node's DTLS identity, renewed while the node runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sfu.dtls import DtlsIdentity

__all__ = ["RENEWED", "NodeIdentity", "utc_now"]

RENEWED = timedelta(days=1)
"""A certificate is good for 30 days (aiortc's): sessions that begin at its last hour have 29 of them left."""


def utc_now() -> datetime:
    """The wall clock, which a certificate's dates are of."""
    return datetime.now(UTC)


class NodeIdentity:
    """What new transports show. Those that are open keep the one they began with."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._made_at = now()
        self._identity = DtlsIdentity.generate()

    def current(self) -> DtlsIdentity:
        """Another one where the last is a day old, or was made before the clock was set back by more."""
        now = self._now()
        if abs(now - self._made_at) >= RENEWED:
            self._made_at, self._identity = now, DtlsIdentity.generate()
        return self._identity
