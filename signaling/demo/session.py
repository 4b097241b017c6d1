"""One WHIP session of the demo: encoders, FFmpeg's ``whip`` muxer, and the pace of both.

A driver: it owns the wall clock (for the pattern, which measures) and the monotonic one (for the pace).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from signaling.demo.pattern import Pattern
from signaling.demo.picture import Picture
from signaling.demo.sound import BLOCK, SAMPLE_RATE, Sound

__all__ = ["Credentials", "publish"]

FRAME_RATE = 30
GOP_FRAMES = 2 * FRAME_RATE
VIDEO_BPS = 2_500_000
AUDIO_BPS = 96_000
HANDSHAKE_MS = 5_000
"""ICE and DTLS take under 100 ms here and under 1 s on a bad line; after 5 s the node is gone."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a session proves itself with. Has no repr: it holds a key."""

    stream_key: str
    cert_file: Path
    """PEM. Must be ECDSA P-256: FFmpeg's own default certificate is refused by WebRTC peers."""
    key_file: Path


def publish(whip_url: str, credentials: Credentials, stop: threading.Event) -> float:
    """Publishes until ``stop`` is set or the connection ends. Returns for how many seconds media flowed.

    Raises :class:`av.error.FFmpegError` (an OSError for what the network does, ``HTTPUnauthorizedError``
    for a wrong key) if the session could not be set up; what ends it later is not an error.
    """
    container = av.open(
        whip_url,
        "w",
        format="whip",
        options={
            "authorization": credentials.stream_key,
            "cert_file": str(credentials.cert_file),
            "key_file": str(credentials.key_file),
            "handshake_timeout": str(HANDSHAKE_MS),
            # RFC 9725, section 4.1: the client offers actpass or active; FFmpeg's default is passive.
            "whip_flags": "dtls_active",
            "strict": "experimental",
        },
    )
    began = None
    try:
        video, audio = _streams(container)
        container.start_encoding()
        began = time.monotonic()
        _pump(container, video, audio, stop)
    except av.error.FFmpegError:
        if began is None:
            raise
    finally:
        # Closing sends the DELETE; the node may be gone already.
        try:
            container.close()
        except av.error.FFmpegError:
            pass
    return time.monotonic() - began


def _streams(container: OutputContainer) -> tuple[VideoStream, AudioStream]:
    video = container.add_stream(
        "libx264",
        FRAME_RATE,
        options={
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "3.1",
            "maxrate": str(VIDEO_BPS),
            # Half a second: a keyframe may not take longer than that to send.
            "bufsize": str(VIDEO_BPS // 2),
            "x264-params": "scenecut=0",
        },
    )
    video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
    video.bit_rate = VIDEO_BPS
    video.gop_size = GOP_FRAMES
    video.max_b_frames = 0
    video.codec_context.thread_count = 1
    video.codec_context.time_base = Fraction(1, 90_000)
    audio = container.add_stream("libopus", SAMPLE_RATE, options={"application": "audio", "frame_duration": "20"})
    audio.layout = "stereo"
    audio.bit_rate = AUDIO_BPS
    return video, audio


def _pump(container: OutputContainer, video: VideoStream, audio: AudioStream, stop: threading.Event) -> None:
    """Draws, encodes and sends frame after frame, each at its time; frames that are late already are left out."""
    picture, sound = Picture(video.width, video.height), Sound()
    start = time.monotonic()
    program_start_ms = time.time_ns() // 1_000_000
    sound_offset = program_start_ms % 1000 * SAMPLE_RATE // 1000
    blocks = 0
    number = 0
    while not stop.wait(max(0.0, start + number / FRAME_RATE - time.monotonic())):
        # The muxer holds a frame back until it has sound that is not older: sound goes ahead.
        while blocks * BLOCK * FRAME_RATE <= (number + 1) * SAMPLE_RATE:
            samples = AudioFrame.from_ndarray(sound.block(sound_offset + blocks * BLOCK), "s16", "stereo")
            samples.sample_rate = SAMPLE_RATE
            samples.pts = blocks * BLOCK
            samples.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(samples))
            blocks += 1
        now_ms = time.time_ns() // 1_000_000
        frame = picture.draw(program_start_ms + number * 1000 // FRAME_RATE, Pattern(now_ms & 0xFFFF_FFFF, number & 0xFF))
        frame.pts = number * 90_000 // FRAME_RATE
        frame.time_base = Fraction(1, 90_000)
        container.mux(video.encode(frame))
        number = max(number + 1, int((time.monotonic() - start) * FRAME_RATE))
