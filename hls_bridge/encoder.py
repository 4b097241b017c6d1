"""Encoders opened inside an mp4 container: what it writes first is the CMAF init segment."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import av
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.frame import PictureType
from av.video.stream import VideoStream

from hls_bridge.colour import BT601, Colour
from hls_bridge.rendition import Rendition, SoundRendition
from hls_bridge.sound_timeline import SAMPLE_RATE
from sfu.depacketize.access_unit import MalformedPayload
from sfu.depacketize.h264 import Sps, parse_sps, split_annex_b

__all__ = [
    "VIDEO_TIME_BASE",
    "NoEncoder",
    "PassthroughTrack",
    "SoundEncoder",
    "VideoEncoder",
    "h264_encoder_name",
]

log = logging.getLogger(__name__)

VIDEO_TIME_BASE = Fraction(1, 90_000)
SOUND_TIME_BASE = Fraction(1, SAMPLE_RATE)
_INIT = {
    "movflags": "cmaf+frag_custom+empty_moov+default_base_moof+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}
# With variable-rate input x264 holds a frame back to learn its duration; zerolatency's force-cfr avoids that.
_X264 = "scenecut=0:keyint=infinite"
_TUNING: dict[str, dict[str, str]] = {
    "h264_nvenc": {"preset": "p4", "tune": "ull", "rc": "cbr", "bf": "0", "forced-idr": "1", "delay": "0"},
    "h264_qsv": {"preset": "veryfast", "bf": "0", "forced_idr": "1", "async_depth": "1", "look_ahead": "0"},
    "libx264": {"tune": "zerolatency", "forced-idr": "1", "x264-params": _X264},
}


class NoEncoder(RuntimeError):
    """No H.264 encoder works on this machine."""


@cache
def h264_encoder_name() -> str:
    """The first of h264_nvenc, h264_qsv and libx264 that encodes a picture here. Raises NoEncoder."""
    trial = Rendition("trial", 640, 360, 30, 500_000, 500_000, 500_000, "superfast")
    for name in _TUNING:
        try:
            encoder = VideoEncoder(trial, name)
            frame = av.VideoFrame(trial.width, trial.height, "yuv420p")
            packets = [p for i in range(3) for p in encoder.encode(frame, 3000 * i, idr=i == 0)]
        except (av.FFmpegError, ValueError) as error:
            log.debug("%s is not usable: %s", name, error)
            continue
        if packets and packets[0].is_keyframe:
            return name
    raise NoEncoder("none of h264_nvenc, h264_qsv and libx264 works")


class VideoEncoder:
    """Frames of a rendition's size in, packets in 1/90000 s out, one for one, without B-frames."""

    def __init__(self, rendition: Rendition, codec_name: str | None = None, colour: Colour = BT601) -> None:
        codec_name = codec_name or h264_encoder_name()
        options = dict(_TUNING[codec_name])
        options |= {
            "profile": "high",
            "maxrate": str(rendition.maxrate_bps),
            "bufsize": str(rendition.bufsize_bits),
            "g": "100000",
        }
        if codec_name == "libx264":
            options["preset"] = rendition.preset
        written = io.BytesIO()
        container = av.open(written, "w", format="mp4", options=_INIT)
        stream = container.add_stream(codec_name, rate=rendition.fps, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = rendition.width, rendition.height, "yuv420p"
        context = stream.codec_context
        context.bit_rate = rendition.bitrate_bps
        context.thread_count = 1
        colour.tag(context)
        context.time_base = stream.time_base = VIDEO_TIME_BASE
        container.start_encoding()
        self._container = container
        # Beside the init segment, as a source that passes through has them: FFmpeg and Chromium read only one
        # sample description of a recording's MP4, and an epoch of another one is then told by its keyframes.
        self._repeat_parameter_sets = av.BitStreamFilterContext("dump_extra=freq=keyframe", stream)
        self.template = stream
        self.init = written.getvalue()
        sps = _first_sps(context.extradata or b"")
        self.codec = sps.codec_string if sps else rendition.codec

    def encode(self, frame: av.VideoFrame, pts: int, *, idr: bool) -> Sequence[av.Packet[VideoStream]]:
        """``pts`` in 1/90000 s."""
        frame.pts, frame.time_base = pts, VIDEO_TIME_BASE
        frame.pict_type = PictureType.I if idr else PictureType.NONE
        packets = self.template.encode(frame)
        return [each for packet in packets for each in self._repeat_parameter_sets.filter(packet)]


class PassthroughTrack:
    """Init segment and muxing template for H.264 that goes through as it came."""

    def __init__(self, keyframe: bytes) -> None:
        """``keyframe`` is an Annex B access unit with SPS, PPS and IDR. Raises ValueError."""
        sps = _first_sps(keyframe)
        if sps is None:
            raise ValueError("keyframe without a readable SPS")
        self._source = av.open(io.BytesIO(keyframe), format="h264")
        self.template = self._source.streams.video[0]
        written = io.BytesIO()
        with av.open(written, "w", format="mp4", options=_INIT) as container:
            stream = container.add_stream_from_template(self.template)
            stream.time_base = VIDEO_TIME_BASE
            Colour.of(self.template.codec_context).tag(stream.codec_context)
            container.start_encoding()
            self.init = written.getvalue()
        self.codec = sps.codec_string
        self.sps = sps
        self.parameter_sets = _parameter_sets(keyframe)

    @staticmethod
    def packet(data: bytes, pts: int, keyframe: bool) -> av.Packet[Stream]:
        packet = av.Packet(data)
        packet.pts = packet.dts = pts
        packet.time_base = VIDEO_TIME_BASE
        packet.is_keyframe = keyframe
        return packet

    def fits(self, keyframe: bytes) -> bool:
        """Whether this keyframe has the same parameter sets, so that the init segment still holds."""
        return _parameter_sets(keyframe) == self.parameter_sets


class SoundEncoder:
    """AAC-LC. Blocks of float32 in, packets of 1024 samples in 1/48000 s out."""

    FRAME = 1024

    def __init__(self, rendition: SoundRendition, first_sample: int) -> None:
        """``first_sample``: time line position of the first sample, in samples."""
        written = io.BytesIO()
        container = av.open(written, "w", format="mp4", options=_INIT)
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        stream.codec_context.bit_rate = rendition.bitrate_bps
        stream.time_base = SOUND_TIME_BASE
        container.start_encoding()
        self._container = container
        self._next = first_sample
        self.template = stream
        self.init = written.getvalue()
        self.codec = rendition.codec

    def encode(self, frame: av.AudioFrame) -> Sequence[av.Packet[AudioStream]]:
        """``frame``: 1024 samples of planar float stereo that follow the frame before."""
        frame.pts, frame.time_base, frame.sample_rate = self._next, SOUND_TIME_BASE, SAMPLE_RATE
        self._next += frame.samples
        return self.template.encode(frame)


def _first_sps(annex_b: bytes) -> Sps | None:
    for nal in split_annex_b(annex_b):
        if nal[0] & 0x1F == 7:
            try:
                return parse_sps(nal)
            except MalformedPayload:
                return None
    return None


def _parameter_sets(annex_b: bytes) -> tuple[bytes, ...]:
    return tuple(nal for nal in split_annex_b(annex_b) if nal[0] & 0x1F in (7, 8))
