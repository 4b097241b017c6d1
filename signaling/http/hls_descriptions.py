"""What the OpenAPI document says of HLS, recordings and thumbnails."""

from __future__ import annotations

from signaling.http.of_stream import STREAM
from signaling.http.openapi import Description

__all__ = ["HLS", "REPLACED"]

PLAYLIST = "application/vnd.apple.mpegurl"
RECORDING = "/api/v1/recordings/{recording_id}"
REFUSED = ("stream-not-found", "private-stream")
TOKEN = "with the playback token in the path"

REPLACED = (f"{STREAM}/recordings",)
"""Routes of the bridge that ``signaling.http.viewing`` answers instead, with absolute URLs."""

_MANIFEST = ("stream-ended", "overdue", *REFUSED)
_THUMBNAIL = ("not-found", *REFUSED)
_RECORDING = ("recording-not-found", *REFUSED)


def _get(path: str, summary: str, answer: str, kind: str, problems: tuple[str, ...]) -> Description:
    return Description("GET", path, summary, "playback", {200: answer}, problems, answer_type=kind)


HLS = (
    _get(
        f"{STREAM}/manifest.m3u8",
        "The live HLS master playlist; after the end the replay",
        "Multivariant playlist; before the stream is live 404 `/problems/stream-not-live`",
        PLAYLIST,
        _MANIFEST,
    ),
    _get(f"{STREAM}/t/{{token}}/manifest.m3u8", f"The same, {TOKEN}", "The same", PLAYLIST, _MANIFEST),
    _get(
        f"{STREAM}/dvr.m3u8",
        "The HLS master playlist with a window of four hours; after the end the replay",
        "Multivariant playlist; before the stream is live 404 `/problems/stream-not-live`, while nothing is "
        "recorded 404 `/problems/not-found`",
        PLAYLIST,
        _MANIFEST,
    ),
    _get(f"{STREAM}/t/{{token}}/dvr.m3u8", f"The same, {TOKEN}", "The same", PLAYLIST, _MANIFEST),
    _get(
        f"{STREAM}/thumbnail.jpg",
        "A picture of the live stream",
        "At most 10 s old",
        "image/jpeg",
        _THUMBNAIL,
    ),
    *(
        description
        for base, suffix in ((RECORDING, ""), (f"{RECORDING}/t/{{token}}", f", {TOKEN}"))
        for description in (
            _get(f"{base}/manifest.m3u8", "Replay" + suffix, "Multivariant playlist", PLAYLIST, _RECORDING),
            _get(
                f"{base}/video.mp4",
                "The recording as one file; byte ranges" + suffix,
                "Fragmented MP4",
                "video/mp4",
                _RECORDING,
            ),
            _get(
                f"{base}/thumbnails/{{at}}.jpg",
                "A picture of each 10 s" + suffix,
                "JPEG",
                "image/jpeg",
                _RECORDING,
            ),
        )
    ),
    _get(
        "/hls/{rest}",
        "Media playlists, init segments, segments and parts, as the master playlists name them",
        "A playlist, or CMAF media",
        PLAYLIST,
        ("not-found", "too-far-ahead", "bad-delivery-directive", "overdue", "edge-only", *REFUSED),
    ),
)
