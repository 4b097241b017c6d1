"""What HLS viewers tell and ask: the player's beacon, the list of recordings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import StringConstraints

from hls_bridge.archive_routes import recording_entry
from hls_bridge.origin import Origin, clocks
from hls_bridge.recorder import Recorder
from signaling.auth.identity import Identity
from signaling.fields import Answer, Request
from signaling.http.of_stream import STREAM, VISITORS
from signaling.http.operation import Call, operation
from signaling.http.passes import Passes
from signaling.links import Links, Listeners
from signaling.rate_limits import RateLimits
from signaling.store.records import Account

__all__ = ["Beacon", "ViewingRoutes"]


class Beacon(Request):
    """``session_id``: made up by the player at its start; ``leaving``: it has stopped."""

    session_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    leaving: bool = False


class ThumbnailView(Answer):
    at: datetime
    url: str


class RecordingView(Answer):
    """One broadcast that was, or is being, recorded."""

    recording_id: str
    status: Literal["recording", "paused", "ended"]
    """``paused``: it is live, but the disk takes nothing; what is no older than 44 s is written later."""
    started_at: datetime
    duration_s: float
    bytes: int
    missing_s: float
    """Of it, what could not be kept and is a gap."""
    manifest_url: str
    mp4_url: str
    thumbnail_url: str | None
    thumbnails: list[ThumbnailView]
    expires_at: datetime | None


class RecordingList(Answer):
    recordings: list[RecordingView]


class ViewingRoutes:
    def __init__(
        self,
        *,
        origin: Origin,
        recorder: Recorder,
        kept: timedelta | None,
        identity: Identity,
        passes: Passes,
        limits: RateLimits,
        listeners: Listeners,
    ) -> None:
        self._origin = origin
        self._recorder = recorder
        self._kept = kept
        self._identity = identity
        self._passes = passes
        self._limits = limits
        self._listeners = listeners

    @operation(
        "POST",
        STREAM + "/beacon",
        "A player of ours plays over HLS; every 10 s, and once when it stops",
        tag="playback",
        public=True,
        problems=(*VISITORS, "rate-limited"),
    )
    async def beacon(self, call: Call, stream_id: str, account: Account | None, body: Beacon) -> None:
        self._limits.beacon(call.client)
        await self._identity.watched(stream_id, await self._passes.visitor(call, account))
        broadcast = self._origin.broadcast(stream_id)
        if broadcast is None or broadcast.live.ended:
            return
        if body.leaving:
            broadcast.viewers.leave(body.session_id)
            return
        agent = call.request.headers.get("User-Agent", "")
        client = self._origin.client_key(call.request.remote or "", agent)
        broadcast.viewers.beacon(body.session_id, client, clocks()[0])

    @operation(
        "GET",
        STREAM + "/recordings",
        "Recordings of a stream, newest first",
        tag="playback",
        public=True,
        problems=VISITORS,
    )
    async def list_recordings(self, call: Call, stream_id: str, account: Account | None) -> RecordingList:
        visitor = await self._passes.visitor(call, account)
        stream = await self._identity.watched(stream_id, visitor)
        token = self._passes.token(stream, visitor, call.bearer)
        links = Links(call.base_url, self._listeners)
        await self._recorder.catch_up()
        paused = self._recorder.paused is not None
        found = self._recorder.recordings(stream_id)
        entries = [recording_entry(each, self._kept, token, paused=paused) for each in found]
        return RecordingList.model_validate({"recordings": [links.absolute(entry) for entry in entries]})
