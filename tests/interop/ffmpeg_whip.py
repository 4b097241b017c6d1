"""FFmpeg's whip muxer as a publisher: ``python -m tests.interop.ffmpeg_whip URL KEY [active]``.

A process of its own, as the muxer holds the interpreter's lock while it waits for the network. It
publishes until standard input closes, then sends the DELETE.
"""

from __future__ import annotations

import asyncio
import select
import sys
import tempfile
import time
from contextlib import AbstractAsyncContextManager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.child import module

__all__ = ["ffmpeg_publisher"]

WIDTH, HEIGHT, RATE = 640, 360, 30
SAMPLES = 960


def ffmpeg_publisher(
    url: str, key: str, *, dtls_active: bool
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    return module("tests.interop.ffmpeg_whip", url, key, *(["active"] if dtls_active else []))


def certificate() -> dict[str, str]:
    """ECDSA P-256: the muxer's own default is refused by WebRTC peers."""
    from cryptography.hazmat.primitives import serialization

    from sfu.dtls import DtlsIdentity

    identity = DtlsIdentity.generate()
    folder = Path(tempfile.mkdtemp())
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(identity._cert.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        identity._key.private_bytes(
            pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return {"cert_file": str(folder / "cert.pem"), "key_file": str(folder / "key.pem")}


def main(url: str, key: str, active: bool) -> None:
    options = {"authorization": key, "handshake_timeout": "8000", **certificate()}
    if active:
        options["whip_flags"] = "dtls_active"
    container = av.open(url, "w", format="whip", options=options)
    video = container.add_stream(
        "libx264",
        RATE,
        options={"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "bf": "0"},
    )
    video.width, video.height, video.pix_fmt, video.gop_size = WIDTH, HEIGHT, "yuv420p", RATE
    audio = container.add_stream("libopus", rate=48000)
    audio.layout = "stereo"
    began = time.monotonic()
    number = samples = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 20 + number % 200, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        container.mux(video.encode(frame))
        number += 1
        while samples * RATE < number * 48000:
            sound = av.AudioFrame.from_ndarray(
                np.zeros((1, 2 * SAMPLES), np.int16), format="s16", layout="stereo"
            )
            sound.sample_rate, sound.pts = 48000, samples
            container.mux(audio.encode(sound))
            samples += SAMPLES
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
    container.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "active" in sys.argv[3:])
