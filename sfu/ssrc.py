"""SSRCs of our own (RFC 3550 section 8.1: random, so that two rarely meet)."""

from __future__ import annotations

import secrets

__all__ = ["new_ssrcs"]


def new_ssrcs() -> tuple[int, int]:
    """(media, RTX), neither zero and not the same."""
    ssrc = secrets.randbelow(2**32 - 2) + 1
    rtx_ssrc = ssrc
    while rtx_ssrc == ssrc:
        rtx_ssrc = secrets.randbelow(2**32 - 2) + 1
    return ssrc, rtx_ssrc
