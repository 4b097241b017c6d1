"""A small JPEG every ten seconds, taken from the lowest rung's pictures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
from av.video.reformatter import VideoReformatter

from hls_bridge.part import Event, Thumbnail

__all__ = ["THUMBNAIL_INTERVAL_S", "Thumbnailer", "jpeg_of"]

THUMBNAIL_INTERVAL_S = 10
SHORT_SIDE = 180


def jpeg_of(frame: av.VideoFrame, scaler: VideoReformatter | None = None) -> bytes:
    """A JPEG whose shorter side has 180 pixels."""
    scale = SHORT_SIDE / min(frame.width, frame.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    small = (scaler or VideoReformatter()).reformat(frame, width, height, "yuvj420p", threads=1)
    small.pts, small.time_base = 0, Fraction(1, 30)
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base = Fraction(1, 30)
    context.options = {"q:v": "6"}
    context.thread_count = 1
    return b"".join(bytes(packet) for packet in [*context.encode(small), *context.encode(None)])


class Thumbnailer:
    """Give it every scaled picture; it takes the first of each ten seconds."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._scaler = VideoReformatter()
        self._next_pts = 0

    def push(self, frame: av.VideoFrame, pts: int) -> None:
        """``pts`` in 1/90000 s."""
        if pts < self._next_pts:
            return
        self._next_pts = pts + THUMBNAIL_INTERVAL_S * 90_000
        self._emit(Thumbnail(pts * 100 // 9, jpeg_of(frame, self._scaler)))
