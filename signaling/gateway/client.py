"""One connected client of the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aiohttp import web

from signaling.auth.identity import Visitor
from signaling.store.records import StreamRecord

__all__ = ["Client"]


@dataclass(eq=False, slots=True)
class Client:
    sid: str
    eio_sid: str
    request: web.Request
    visitor: Visitor
    """As they were judged last: at the connection, at each ``join``, and when what they have shown ends."""
    token: str | None = field(repr=False)
    playback_token: str | None = field(repr=False)
    base_url: str
    """How it reached us: the base of the URLs that it is told."""
    stream_id: str | None = None
    """The stream that it has joined."""
    owner: bool = False
    """Of that stream."""
    stage_id: str | None = None
    """The stream on whose stage they are as a guest."""
    doubted: bool = False
    """Whether they may have lost the right to be where they are."""
    level: float = field(default=0.0)
    level_at_s: float = field(default=0.0)

    def rights(self, stream_id: str) -> Visitor:
        """The visitor they are to a stream: a host may see the one that they are part of."""
        return replace(self.visitor, stream_id=stream_id) if self.stage_id == stream_id else self.visitor

    def may_watch(self, stream: StreamRecord) -> bool:
        return self.rights(stream.stream_id).may_watch(stream)

    def leave_stage(self) -> None:
        self.stage_id, self.doubted = None, True

    def cut_off(self) -> None:
        """Drop the connection at once; the client connects anew when it can."""
        if self.request.transport is not None:
            self.request.transport.abort()
