"""One WHIP session of the demo: encoders, FFmpeg's ``whip`` muxer, and the pace of both.

``python -m signaling.demo.session --whip-url URL --folder FOLDER``, started by the publisher, which writes
the stream key to standard input and closes that to end the session. A process per session, because
only the end of its process frees a muxer that hangs: closing one whose peer is gone waits for that peer,
with the interpreter's lock held.

A driver: it owns the wall clock (for the pattern, which measures) and the monotonic one (for the pace).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from enum import IntEnum
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

__all__ = ["Ending", "main"]

FRAME_RATE = 30
GOP_FRAMES = 2 * FRAME_RATE
VIDEO_BPS = 2_500_000
AUDIO_BPS = 96_000
SOUND_AHEAD_BLOCKS = 1.5
"""The muxer holds a frame back until it has sound that is not older. Blocks last 20 ms and the encoder
dates its packets 6.5 ms back: one and a half blocks ahead, no frame waits."""
HANDSHAKE_MS = 4_000
"""ICE and DTLS take under 100 ms on one machine and under 1 s on a bad line; after 4 s the node is gone."""


class Ending(IntEnum):
    """How a session ended: the exit status of its process."""

    STOPPED = 0
    REFUSED = 3
    """The node answered 401 or 403."""
    NOT_CONNECTED = 4
    CONNECTION_LOST = 5


def main() -> Ending:
    """Publishes until standard input closes. Writes a byte to standard output for every frame sent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--whip-url", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="holds cert.pem and key.pem")
    options = parser.parse_args()
    # Ctrl-C reaches the whole process group; the publisher decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream_key = sys.stdin.readline().strip()
    stop = threading.Event()
    threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
    try:
        container = _connect(options.whip_url, stream_key, options.folder)
        video, audio = _streams(container)
        container.start_encoding()
    except (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError):
        return Ending.REFUSED
    except av.error.FFmpegError:
        return Ending.NOT_CONNECTED
    try:
        _pump(container, video, audio, stop)
    except av.error.FFmpegError:
        return Ending.CONNECTION_LOST
    container.close()  # sends the DELETE
    return Ending.STOPPED


def _watch_stdin(stop: threading.Event) -> None:
    # The descriptor, not sys.stdin: interpreter shutdown must not wait for a lock that this thread holds.
    while os.read(0, 4096):
        pass
    stop.set()


def _connect(whip_url: str, stream_key: str, folder: Path) -> OutputContainer:
    return av.open(
        whip_url,
        "w",
        format="whip",
        options={
            "authorization": stream_key,
            # ECDSA P-256: FFmpeg's own default certificate is refused by WebRTC peers.
            "cert_file": str(folder / "cert.pem"),
            "key_file": str(folder / "key.pem"),
            "handshake_timeout": str(HANDSHAKE_MS),
            # The answer of a server is passive; FFmpeg's default is passive too.
            "whip_flags": "dtls_active",
            # Out as soon as two packets wait (1 us apart). By default sound waits for the next frame: it then
            # comes in bursts, the viewer's jitter buffer for sound grows, and lip sync delays the picture.
            "max_interleave_delta": "1",
            "strict": "experimental",
        },
    )


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
    audio = container.add_stream(
        "libopus", SAMPLE_RATE, options={"application": "audio", "frame_duration": "20"}
    )
    audio.layout = "stereo"
    audio.bit_rate = AUDIO_BPS
    return video, audio


def _pump(container: OutputContainer, video: VideoStream, audio: AudioStream, stop: threading.Event) -> None:
    """Draws, encodes and sends frame after frame, each at its time; what is late already is left out."""
    picture, sound = Picture(video.width, video.height), Sound()
    start = time.monotonic()
    program_start_ms = time.time_ns() // 1_000_000
    sound_offset = program_start_ms % 1000 * SAMPLE_RATE // 1000
    blocks = 0
    number = 0

    while True:
        frame_at = start + number / FRAME_RATE
        block_at = start + (blocks - SOUND_AHEAD_BLOCKS) * BLOCK / SAMPLE_RATE
        if stop.wait(max(0.0, min(frame_at, block_at) - time.monotonic())):
            return
        if block_at <= frame_at:
            samples = AudioFrame.from_ndarray(sound.block(sound_offset + blocks * BLOCK), "s16", "stereo")
            samples.sample_rate = SAMPLE_RATE
            samples.pts = blocks * BLOCK
            samples.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(samples))
            blocks += 1
            continue
        now_ms = time.time_ns() // 1_000_000
        frame = picture.draw(
            program_start_ms + number * 1000 // FRAME_RATE, Pattern(now_ms & 0xFFFF_FFFF, number & 0xFF)
        )
        frame.pts = number * 90_000 // FRAME_RATE
        frame.time_base = Fraction(1, 90_000)
        container.mux(video.encode(frame))
        os.write(1, b".")
        number = max(number + 1, int((time.monotonic() - start) * FRAME_RATE))


if __name__ == "__main__":
    # Not sys.exit(): freeing the container of a lost connection would hang.
    os._exit(main())
