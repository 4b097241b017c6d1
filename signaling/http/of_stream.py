"""What the routes of one stream have in common: where they are, and what refuses a caller."""

from __future__ import annotations

__all__ = ["OWNERS", "STREAM", "VISITORS"]

STREAM = "/api/v1/streams/{stream_id}"
OWNERS = ("stream-not-found", "forbidden")
"""Problems of a route that is its owner's alone."""
VISITORS = ("stream-not-found", "private-stream", "unauthorized")
"""Problems of a route for whoever may watch it."""
