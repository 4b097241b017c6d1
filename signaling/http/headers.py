"""Security headers: what pages may load and do, and nothing at all for everything else."""

from __future__ import annotations

from aiohttp import web

__all__ = ["SecurityHeaders"]

PERMISSIONS = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), fullscreen=(self)"
NOTHING = "default-src 'none'; frame-ancestors 'none'"
HSTS = "max-age=31536000"


class SecurityHeaders:
    def __init__(self, public_url: str | None, *, secure: bool) -> None:
        # The node's own name may differ from the one that a page was opened under.
        elsewhere = f" {public_url} {public_url.replace('http', 'ws', 1)}" if public_url else ""
        self._page = (
            "default-src 'self'; "
            f"connect-src 'self'{elsewhere}; img-src 'self' blob: data:{elsewhere}; "
            f"media-src 'self' blob:{elsewhere}; "
            # hls.js takes its worker from a blob.
            "worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
        )
        self._secure = secure

    @property
    def media(self) -> dict[str, str]:
        """What playlists and media get, which are no pages and not under ``/api``."""
        headers = {
            "Server": "spillway",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": NOTHING,
        }
        if self._secure:
            headers["Strict-Transport-Security"] = HSTS
        return headers

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "spillway"
        headers["X-Content-Type-Options"] = "nosniff"
        if self._secure:
            headers["Strict-Transport-Security"] = HSTS
        if response.content_type == "text/html":
            headers["Content-Security-Policy"] = self._page
            headers["Permissions-Policy"] = PERMISSIONS
            headers["Referrer-Policy"] = "strict-origin"
        else:
            headers.setdefault("Content-Security-Policy", NOTHING)
            if request.path.startswith("/api/"):
                headers.setdefault("Cache-Control", "no-store")
