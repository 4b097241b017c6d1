"""One connected client of the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from signaling.auth.identity import Visitor

__all__ = ["Client"]


@dataclass(eq=False, slots=True)
class Client:
    sid: str
    eio_sid: str
    request: web.Request
    visitor: Visitor
    playback_token: str | None
    base_url: str
    """How it reached us: the base of the URLs that it is told."""
    stream_id: str | None = None
    """The stream that it has joined."""
    owner: bool = False
    """Of that stream."""
    level: float = field(default=0.0)
    level_at_s: float = field(default=0.0)

    def cut_off(self) -> None:
        """Drop the connection at once; the client connects anew when it can."""
        if self.request.transport is not None:
            self.request.transport.abort()
