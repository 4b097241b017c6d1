"""Stored streams as the interface shows them."""

from __future__ import annotations

from signaling.hls import Hls
from signaling.links import Links
from signaling.live import LiveStreams
from signaling.media import Media
from signaling.models import Ingest, Playback, StreamView, Viewers
from signaling.store.records import StreamRecord

__all__ = ["Views"]


class Views:
    """Puts together what the store, the live streams and the media know."""

    def __init__(self, live: LiveStreams, media: Media, hls: Hls) -> None:
        self._live = live
        self._media = media
        self._hls = hls

    def stream(self, stream: StreamRecord, links: Links) -> StreamView:
        stream = self._live.current(stream)
        return StreamView(
            stream_id=stream.stream_id,
            broadcaster_id=stream.broadcaster_id,
            broadcaster_name=stream.broadcaster_name,
            title=stream.title,
            category=stream.category,
            status=stream.status,
            visibility=stream.visibility,
            record=stream.record,
            recording=self._hls.recording(stream.stream_id),
            created_at=stream.created_at,
            scheduled_at=stream.scheduled_at,
            started_at=stream.started_at,
            ended_at=stream.ended_at,
            viewers=Viewers.of(self._live.audience(stream)),
            thumbnail_url=self._thumbnail(stream, links),
            watch_url=links.watch(stream.stream_id),
        )

    def playback(
        self, stream: StreamRecord, links: Links, token: str | None = None, *, full: bool | None = None
    ) -> Playback:
        """How to watch right now: WebRTC while there is a seat, then HLS. ``token`` goes into HLS URLs;
        ``full``: what those who watch already were told of the seats, None: as it is now."""
        stream = self._live.current(stream)
        if stream.status != "live":
            return Playback(mode="offline", whep_url=None, manifest_url=None, dvr_url=None, reason="offline")
        manifest = links.manifest(stream.stream_id, token)
        whep = links.whep(stream.stream_id)
        if full is None:
            full = not self._media.seats(stream.stream_id).free
        seat = whep is not None and not full
        return Playback(
            mode="webrtc" if seat else "offline" if manifest is None else "hls",
            whep_url=whep,
            manifest_url=manifest,
            dvr_url=links.dvr(stream.stream_id, token) if self._hls.seekable(stream.stream_id) else None,
            reason="seat" if seat else "full",
        )

    def _thumbnail(self, stream: StreamRecord, links: Links) -> str | None:
        # Pictures are asked for without headers, and cards are shown to others than those who may watch.
        shown = stream.visibility != "private" and self._hls.thumbnail(stream.stream_id)
        return links.thumbnail(stream.stream_id) if shown else None

    def ingest(self, stream_key: str, links: Links) -> Ingest:
        return Ingest(
            stream_key=stream_key,
            ingest_url=links.rtmp(stream_key),
            backup_ingest_url=links.rtmp(stream_key, backup=True),
            srt_url=links.srt(stream_key),
            whip_url=links.whip(),
        )
