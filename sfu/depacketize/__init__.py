"""RTP packets to access units: unwrap, reorder, depacketise. Pure; time is an argument.

``depacketizer(codec)`` gives the right machine for a codec; make a new one for each generation of a
tap (`sfu.media.TapBatch.generation`), because sequence numbers and timestamps start anew there.
"""

from __future__ import annotations

from sfu.depacketize.access_unit import AccessUnit, Depacketizer
from sfu.depacketize.av1 import Av1Format
from sfu.depacketize.h264 import H264Format
from sfu.depacketize.opus import OpusDepacketizer
from sfu.depacketize.red import RedDepacketizer
from sfu.depacketize.reorder import DEFAULT_MAX_WAIT_US
from sfu.depacketize.video import VideoDepacketizer
from sfu.depacketize.vp8 import Vp8Format
from sfu.depacketize.vp9 import Vp9Format
from sfu.media import Codec

__all__ = ["AccessUnit", "Depacketizer", "UnsupportedCodec", "depacketizer"]


class UnsupportedCodec(ValueError):
    """No depacketiser for this codec name."""


def depacketizer(codec: Codec, *, max_wait_us: int = DEFAULT_MAX_WAIT_US) -> Depacketizer:
    """A depacketiser for ``codec``; a missing packet is waited for at most ``max_wait_us``.

    Raises UnsupportedCodec.
    """
    match codec.name.lower():
        case "h264":
            sprop = codec.fmtp.get("sprop-parameter-sets", "")
            return VideoDepacketizer(H264Format(sprop), max_wait_us)
        case "vp8":
            return VideoDepacketizer(Vp8Format(), max_wait_us)
        case "vp9":
            return VideoDepacketizer(Vp9Format(), max_wait_us)
        case "av1":
            return VideoDepacketizer(Av1Format(), max_wait_us)
        case "opus":
            return OpusDepacketizer(max_wait_us)
        case "red":
            return RedDepacketizer(max_wait_us)
        case name:
            raise UnsupportedCodec(f"no depacketiser for {name!r}")
