"""Why the origin doesn't give what is asked for; `Overdue` is with what waits (`waiting.py`)."""

from __future__ import annotations

__all__ = ["Gone", "NotFound", "NotLive", "TooFarAhead"]


class NotFound(LookupError):
    """Nothing of that name, and nothing will come."""


class NotLive(NotFound):
    """Nobody publishes the stream, and it has not been recorded."""


class Gone(LookupError):
    """The broadcast is over and was not recorded."""


class TooFarAhead(ValueError):
    """A reload for a segment more than two beyond the newest, or for a part of it that is as far away
    (RFC 8216bis 6.2.5.2)."""
