"""Stored streams as the interface shows them."""

from __future__ import annotations

from signaling.links import Links
from signaling.live import LiveStreams
from signaling.media import Media
from signaling.models import Ingest, Playback, StreamView, Viewers
from signaling.store.records import StreamRecord

__all__ = ["Views"]


class Views:
    """Puts together what the store, the live streams and the media know."""

    def __init__(self, live: LiveStreams, media: Media) -> None:
        self._live = live
        self._media = media

    def stream(self, stream: StreamRecord, links: Links) -> StreamView:
        return StreamView(
            stream_id=stream.stream_id,
            broadcaster_id=stream.broadcaster_id,
            broadcaster_name=stream.broadcaster_name,
            title=stream.title,
            category=stream.category,
            status=stream.status,
            visibility=stream.visibility,
            record=stream.record,
            recording=False,
            created_at=stream.created_at,
            scheduled_at=stream.scheduled_at,
            started_at=stream.started_at,
            ended_at=stream.ended_at,
            viewers=Viewers.of(self._live.audience(stream)),
            thumbnail_url=None,
            watch_url=links.watch(stream.stream_id),
        )

    def playback(self, stream: StreamRecord, links: Links, token: str | None = None) -> Playback:
        """How to watch right now: WebRTC while there is a seat, then HLS."""
        if stream.status != "live":
            return Playback(mode="offline", whep_url=None, manifest_url=None, reason="offline")
        manifest = links.manifest(stream.stream_id, token)
        whep = links.whep(stream.stream_id)
        if whep is not None and self._media.seats(stream.stream_id).free:
            return Playback(mode="webrtc", whep_url=whep, manifest_url=manifest, reason="seat")
        mode = "offline" if manifest is None else "hls"
        return Playback.model_validate(
            {"mode": mode, "whep_url": whep, "manifest_url": manifest, "reason": "full"}
        )

    def ingest(self, stream_key: str, links: Links) -> Ingest:
        return Ingest(
            stream_key=stream_key,
            ingest_url=links.rtmp(stream_key),
            backup_ingest_url=links.rtmp(stream_key, backup=True),
            srt_url=links.srt(stream_key),
            whip_url=links.whip(),
        )
