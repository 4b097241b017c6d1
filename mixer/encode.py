"""Encoders of the program: H.264 by whichever encoder works here, Opus at 128 kb/s."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from mixer.messages import ENCODERS
from mixer.sound import RATE
from mixer.sound.opus import Samples

__all__ = [
    "KEYFRAME_S",
    "OPUS_LOOKAHEAD",
    "VIDEO_RATE",
    "EncodedPicture",
    "NoVideoEncoder",
    "OpusEncoder",
    "VideoEncoder",
]

VIDEO_RATE = 90_000
KEYFRAME_S = 2
# Constrained baseline decodes everywhere, WebRTC's H.264 included; none of these makes B-frames.
_OPTIONS: dict[str, dict[str, str]] = {
    "h264_nvenc": {"preset": "p4", "tune": "ull", "profile": "baseline", "rc": "cbr", "zerolatency": "1",
                   "delay": "0", "forced-idr": "1"},
    "h264_qsv": {"preset": "fast", "profile": "baseline", "async_depth": "1", "low_delay_brc": "1",
                 "forced_idr": "1"},
    "libx264": {"preset": "superfast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1",
                "sc_threshold": "0"},
}  # fmt: skip
OPUS_LOOKAHEAD = 312
"""Samples by which libopus delays sound (6.5 ms, reported as the encoder's initial padding)."""
FRAME = RATE // 50


class NoVideoEncoder(RuntimeError):
    """None of the wanted encoders works here; the message names what each said."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One access unit, Annex B."""

    data: bytes
    rtp_time: int
    keyframe: bool


@dataclass(frozen=True, slots=True)
class _Settings:
    size: tuple[int, int]
    fps: int
    bitrate_bps: int
    ceiling_bps: int
    preset: str | None
    threads: int


def _open(name: str, settings: _Settings) -> VideoCodecContext:
    context = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    context.width, context.height = settings.size
    context.pix_fmt = "yuv420p" if name == "libx264" else "nv12"
    context.time_base = Fraction(1, VIDEO_RATE)
    context.framerate = Fraction(settings.fps, 1)
    context.gop_size = settings.fps * KEYFRAME_S
    context.max_b_frames = 0
    context.bit_rate = settings.bitrate_bps
    context.thread_count = settings.threads
    # BT.601 limited, as composed: value 6 in ITU-T H.273 for matrix, primaries and transfer.
    context.colorspace, context.color_primaries, context.color_trc, context.color_range = 6, 6, 6, 1
    options = _OPTIONS[name] | ({"preset": settings.preset} if settings.preset and name == "libx264" else {})
    # A buffer of one second at the ceiling: no more than that goes into any second.
    context.options = options | {"maxrate": str(settings.ceiling_bps), "bufsize": str(settings.ceiling_bps)}
    context.open()
    return context


class VideoEncoder:
    """H.264 of one size. An IDR every two seconds and whenever one is asked for."""

    def __init__(
        self,
        size: tuple[int, int],
        fps: int,
        bitrate_bps: int,
        *,
        ceiling_bps: int | None = None,
        names: Sequence[str] = ENCODERS,
        preset: str | None = None,
        threads: int | None = None,
    ) -> None:
        """Opens the first of ``names`` that also encodes a picture. Raises NoVideoEncoder."""
        self.size = size
        ceiling_bps = max(ceiling_bps or bitrate_bps, bitrate_bps)
        threads = threads or min(os.cpu_count() or 1, 4)
        settings = _Settings(size, fps, bitrate_bps, ceiling_bps, preset, threads)
        refusals = []
        for name in names:
            try:
                # Drivers may open and yet refuse to work: only an encoded picture is proof.
                trial = _open(name, settings)
                picture = av.VideoFrame(*size, "yuv420p")
                picture.pts = 0
                if not trial.encode(picture) and not trial.encode(None):
                    raise av.error.ExternalError(0, "it made no packet", name)
                # Cards encode for a few sessions at a time: this one ends before the next begins.
                del trial
                self._context = _open(name, settings)
            except (av.error.FFmpegError, OSError, ValueError) as error:
                refusals.append(f"{name}: {error}")
                continue
            self.name = name
            return
        raise NoVideoEncoder("no H.264 encoder works here; " + "; ".join(refusals))

    def encode(self, frame: av.VideoFrame, rtp_time: int, *, keyframe: bool = False) -> list[EncodedPicture]:
        """Encode a picture presented at the unwrapped 90 kHz ``rtp_time``, which must rise."""
        frame.pts = rtp_time
        frame.time_base = Fraction(1, VIDEO_RATE)
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        return [
            EncodedPicture(bytes(packet), rtp_time if packet.pts is None else packet.pts, packet.is_keyframe)
            for packet in self._context.encode(frame)
        ]


class OpusEncoder:
    """Stereo Opus in packets of 20 ms."""

    def __init__(self, bitrate_bps: int = 128_000) -> None:
        context = av.CodecContext.create("libopus", "w")
        context.sample_rate, context.layout, context.format = RATE, "stereo", "flt"
        context.time_base = Fraction(1, RATE)
        context.bit_rate = bitrate_bps
        context.options = {"frame_duration": "20", "application": "audio"}
        context.open()
        self._context = context
        self._samples = 0

    def encode(self, block: Samples) -> list[bytes]:
        """Encode (960, 2) samples; gives the packets that are ready, usually one."""
        if block.shape != (FRAME, 2):
            raise ValueError(f"a block of {block.shape}: give ({FRAME}, 2)")
        interleaved = np.ascontiguousarray(block, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, "flt", "stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = self._samples, Fraction(1, RATE)
        self._samples += FRAME
        return [bytes(packet) for packet in self._context.encode(frame)]
