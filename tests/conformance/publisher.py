"""A stream to watch: a peer that publishes VP8 and Opus."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import av
import numpy as np
from pylibsrtp import Session

from tests.conformance import sdp
from tests.conformance.endpoint import Endpoint, connected
from tests.conformance.peer import Peer

__all__ = ["publishing"]

FPS = 15
SIZE = (320, 180)
MTU = 1100
SILENCE = b"\xf8\xff\xfe"
"""20 ms of Opus silence (RFC 6716)."""


@asynccontextmanager
async def publishing(endpoint: Endpoint) -> AsyncIterator[None]:
    """Publishes for as long as the context lasts, keyframes once a second."""
    peer = Peer()
    async with connected(endpoint, peer) as created:
        endpoint.sessions.remove(created.url)
        assert peer.keys is not None
        task = asyncio.create_task(_publish(peer, peer.keys.sender()))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await endpoint.request("DELETE", created.url)


async def _publish(peer: Peer, srtp: Session) -> None:
    frames = _frames()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    audio = video = picture = 0
    while True:
        elapsed = loop.time() - begin
        while audio / 50 <= elapsed:
            header = _header(int(sdp.AUDIO), True, audio, audio * 960, sdp.ssrc_of(0))
            _send(peer, srtp.protect(header + SILENCE))
            audio += 1
        while picture / FPS <= elapsed:
            frame = frames[picture % len(frames)]
            pieces = [frame[i : i + MTU] for i in range(0, len(frame), MTU)]
            for index, piece in enumerate(pieces):
                last = index == len(pieces) - 1
                header = _header(int(sdp.VP8), last, video, picture * 90_000 // FPS, sdp.ssrc_of(1))
                # VP8 payload descriptor (RFC 7741 section 4.2) with a 15-bit picture id
                start = 0x90 if index == 0 else 0x80
                descriptor = bytes([start, 0x80, 0x80 | picture >> 8 & 0x7F, picture & 0xFF])
                _send(peer, srtp.protect(header + descriptor + piece))
                video += 1
            picture += 1
        await asyncio.sleep(0.01)


def _send(peer: Peer, packet: bytes) -> None:
    if peer.remote is not None:
        peer.send(packet)


def _header(payload_type: int, marker: bool, sequence: int, time: int, ssrc: int) -> bytes:
    return struct.pack(
        "!BBHII", 0x80, marker << 7 | payload_type, sequence & 0xFFFF, time & 0xFFFF_FFFF, ssrc
    )


def _frames() -> list[bytes]:
    """A second of a moving picture, which begins with a keyframe."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = SIZE
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, FPS)
    encoder.bit_rate = 300_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": str(FPS)}
    frames = []
    for number in range(FPS):
        width, height = SIZE
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        picture[:height, number * 20 : number * 20 + 20] = 230
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        frames += [bytes(packet) for packet in encoder.encode(frame)]
    frames += [bytes(packet) for packet in encoder.encode(None)]
    return frames
