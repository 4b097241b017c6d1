"""Keyset cursors: where the last page ended, as an opaque string.

A page begins after (key, id) instead of at an offset, so that what comes and goes meanwhile makes nobody
see a stream twice.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from signaling.store.interfaces import BadCursor

__all__ = ["decode_cursor", "encode_cursor"]


def encode_cursor(listing: str, key: int | datetime, stream_id: str) -> str:
    value = key.isoformat() if isinstance(key, datetime) else key
    return base64.urlsafe_b64encode(json.dumps([listing, value, stream_id]).encode()).decode().rstrip("=")


def decode_cursor(listing: str, cursor: str) -> tuple[int | datetime, str]:
    """Raises BadCursor for anything that ``encode_cursor`` didn't make for this listing."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name, value, stream_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        key = datetime.fromisoformat(value) if listing != "viewers" else value
        if isinstance(key, datetime) and key.tzinfo is not None:
            key = key.astimezone(UTC)
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise BadCursor("not a cursor") from None
    whole = isinstance(key, int) and not isinstance(key, bool) and abs(key) < 2**31
    timed = isinstance(key, datetime) and key.tzinfo is not None
    # Ids are letters and digits: PostgreSQL takes no NUL, and no database half a surrogate pair.
    named = isinstance(stream_id, str) and stream_id.isascii() and stream_id.isalnum()
    if name != listing or not named or not (timed or whole):
        raise BadCursor("not a cursor of this listing")
    return key, stream_id
