"""What a picture's samples mean, as ITU-T H.273 numbers it. Players of HLS take a large picture that doesn't
say for BT.709, WebRTC receivers any for BT.601: one source would have two looks."""

from __future__ import annotations

from typing import NamedTuple

from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

__all__ = ["BT601", "Colour"]

# Unspecified, and the two names of its coefficients (5: with 625 lines, as decoders of VP8 call it).
_BT601 = (2, 5, 6)


class Colour(NamedTuple):
    matrix: int
    primaries: int
    transfer: int

    @classmethod
    def of(cls, source: VideoFrame | VideoCodecContext) -> Colour:
        """What a source says, else what browsers send."""
        if source.colorspace in _BT601:
            return BT601
        return cls(int(source.colorspace), int(source.color_primaries), int(source.color_trc))

    def tag(self, context: VideoCodecContext) -> None:
        """Have it written to the bit stream, where that is made, and to the init segment (``colr``)."""
        context.colorspace, context.color_primaries, context.color_trc = self


BT601 = Colour(6, 6, 6)
