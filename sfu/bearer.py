"""Bearer tokens of requests."""

from __future__ import annotations

from aiohttp import web

__all__ = ["bearer"]


def bearer(request: web.Request) -> str | None:
    """The token of ``Authorization: Bearer`` (RFC 6750 section 2.1), None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
