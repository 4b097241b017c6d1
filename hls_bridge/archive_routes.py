"""HTTP routes of recordings and thumbnails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from hls_bridge.origin import Origin
from hls_bridge.program_clock import date_time
from hls_bridge.recorder import Recorder
from hls_bridge.recording import Recording
from hls_bridge.recording_file import plan_file
from hls_bridge.responses import CORS, media, parse_range, playlist, problem, unsatisfiable
from hls_bridge.segment_store import StoreError
from hls_bridge.track import Rendered
from sfu.bearer import bearer

__all__ = ["archive_routes", "recording_entry"]

log = logging.getLogger(__name__)

REPLAY = "public, max-age=60"


def recording_entry(
    recording: Recording, retention: timedelta | None, token: str | None = None, *, paused: bool = False
) -> dict[str, object]:
    """One item of ``GET /api/v1/streams/{stream_id}/recordings``; URLs are paths on this host, with
    ``token`` in them where the stream needs one. ``retention`` None: kept for good; ``paused``: what is
    being recorded can't be written at present."""
    entry = recording.entry()
    session = recording.session
    base = f"/api/v1/recordings/{session}" + (f"/t/{token}" if token else "")
    ended_us = recording.ended_us
    expires_us = None
    if ended_us is not None and retention is not None:
        expires_us = ended_us + int(retention.total_seconds() * 1e6)
    return {
        "recording_id": session,
        "status": "ended" if ended_us is not None else "paused" if paused else "recording",
        "started_at": date_time(entry["started_us"]),
        "duration_s": entry["duration_s"],
        "bytes": entry["bytes"],
        "missing_s": entry["missing_s"],
        "manifest_url": f"{base}/manifest.m3u8",
        "mp4_url": f"{base}/video.mp4",
        "thumbnail_url": f"{base}/thumbnails/{recording.thumbnails[0]}.jpg" if recording.thumbnails else None,
        "thumbnails": [
            {"at": date_time(at), "url": f"{base}/thumbnails/{at}.jpg"} for at in recording.thumbnails
        ],
        "expires_at": None if expires_us is None else date_time(expires_us),
    }


def archive_routes(origin: Origin, recorder: Recorder, retention: timedelta | None) -> list[web.RouteDef]:
    """Recordings of a stream, their replay, file and thumbnails; the live thumbnail."""
    handlers = _Handlers(origin, recorder, retention)
    return [
        web.get("/api/v1/streams/{stream_id}/recordings", handlers.recordings),
        web.get("/api/v1/streams/{stream_id}/thumbnail.jpg", handlers.live_thumbnail),
        *(
            web.get(f"/api/v1/recordings/{{recording_id}}{token}/{name}", handler)
            for token in ("", "/t/{token}")
            for name, handler in (
                ("manifest.m3u8", handlers.manifest),
                ("video.mp4", handlers.file),
                ("thumbnails/{at}.jpg", handlers.thumbnail),
            )
        ),
    ]


class _Handlers:
    def __init__(self, origin: Origin, recorder: Recorder, retention: timedelta | None) -> None:
        self._origin = origin
        self._recorder = recorder
        self._retention = retention

    async def recordings(self, request: web.Request) -> web.StreamResponse:
        stream_id = request.match_info["stream_id"]
        if not await self._origin.may_watch(stream_id, _token(request)):
            return problem(403, "private-stream", "this stream needs a valid playback token")
        await self._recorder.catch_up()
        found = self._recorder.recordings(stream_id)
        paused = self._recorder.paused is not None
        entries = [recording_entry(r, self._retention, paused=paused) for r in found]
        return web.json_response(
            {"recordings": entries}, headers={**CORS, "Cache-Control": "public, max-age=1"}
        )

    async def live_thumbnail(self, request: web.Request) -> web.StreamResponse:
        stream_id = request.match_info["stream_id"]
        jpeg = self._origin.thumbnail(stream_id)
        if not await self._origin.may_watch(stream_id, _token(request)):
            return problem(403, "private-stream", "this stream needs a valid playback token")
        if jpeg is None:
            return problem(404, "not-found", "there is no thumbnail")
        return media(request, jpeg, "image/jpeg", "public, max-age=10")

    async def manifest(self, request: web.Request) -> web.StreamResponse:
        async def answer(recording: Recording) -> web.StreamResponse:
            token = request.match_info.get("token")
            base = f"/hls/t/{token}" if token else "/hls"
            prefix = f"{base}/{recording.stream_id}/{recording.session}/dvr/"
            text = self._recorder.master(recording.session, prefix)
            if text is None:
                return problem(404, "not-found", "nothing has been recorded yet")
            return playlist(request, Rendered.of(text), REPLAY)

        return await self._with_recording(request, answer)

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        async def answer(recording: Recording) -> web.StreamResponse:
            name = f"thumbnails/{request.match_info['at']}.jpg"
            jpeg = await self._recorder.read(recording.session, name)
            if jpeg is None:
                return problem(404, "not-found", "no such thumbnail")
            return media(request, jpeg, "image/jpeg")

        return await self._with_recording(request, answer)

    async def file(self, request: web.Request) -> web.StreamResponse:
        async def answer(recording: Recording) -> web.StreamResponse:
            return await self._send_file(request, recording)

        return await self._with_recording(request, answer)

    async def _send_file(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        async def read(name: str) -> bytes | None:
            return await self._recorder.read(recording.session, name)

        try:
            plan = await plan_file(recording, read)
        except LookupError as error:
            return problem(404, "not-found", str(error))
        wanted = parse_range(request, plan.size)
        headers = {
            **CORS,
            "Accept-Ranges": "bytes",
            "Content-Type": "video/mp4",
            "Cache-Control": "public, max-age=3600" if recording.ended_us is not None else "no-store",
        }
        if wanted is not None and wanted[0] > wanted[1]:
            return unsatisfiable(plan.size)
        first, last = wanted or (0, plan.size - 1)
        if wanted is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{plan.size}"
        response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
        response.content_length = last - first + 1
        await response.prepare(request)
        try:
            async for piece in plan.stream(first, last, read):
                await response.write(piece)
            await response.write_eof()
        except (LookupError, StoreError, ValueError) as error:
            # Too late for another status: that the file ends early is all one can still tell.
            log.warning("video.mp4 breaks off: %s", error)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _with_recording(
        self, request: web.Request, answer: Callable[[Recording], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        recording_id = request.match_info["recording_id"]
        if self._recorder.recording(recording_id) is None:
            await self._recorder.catch_up()
        recording = self._recorder.recording(recording_id)
        if recording is None:
            return problem(404, "recording-not-found", "there is no such recording")
        if not await self._origin.may_watch(recording.stream_id, _token(request)):
            return problem(403, "private-stream", "this recording needs a valid playback token")
        try:
            return await answer(recording)
        except StoreError:
            return problem(503, "overdue", "the segment store does not answer", retry_after_s=2)


def _token(request: web.Request) -> str | None:
    return request.match_info.get("token") or bearer(request)
