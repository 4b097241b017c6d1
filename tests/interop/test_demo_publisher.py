"""The demo's publisher against a WHIP endpoint made of aiortc: a real handshake, real decoding."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest_asyncio
from aiohttp import web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

from signaling.demo.pattern import Pattern, read_pattern
from signaling.demo.publisher import KEY_VARIABLE

STREAM_KEY = "correct-horse"


@dataclass
class Endpoint:
    """A WHIP endpoint (RFC 9725) that decodes what it gets."""

    url: str = ""
    offers: list[str] = field(default_factory=list)
    deleted: asyncio.Event = field(default_factory=asyncio.Event)
    tracks: asyncio.Queue[MediaStreamTrack] = field(default_factory=asyncio.Queue)
    peers: list[RTCPeerConnection] = field(default_factory=list)

    async def post(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {STREAM_KEY}":
            return web.Response(status=401)
        offer = await request.text()
        self.offers.append(offer)
        peer = RTCPeerConnection()
        self.peers.append(peer)
        peer.on("track", self.tracks.put_nowait)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(
            status=201,
            text=peer.localDescription.sdp,
            content_type="application/sdp",
            headers={"Location": f"/whip/{len(self.peers)}"},
        )

    async def delete(self, request: web.Request) -> web.Response:
        self.deleted.set()
        return web.Response()

    async def next_tracks(self) -> dict[str, MediaStreamTrack]:
        tracks = [await self.tracks.get() for _ in range(2)]
        return {track.kind: track for track in tracks}


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/whip", endpoint.post)
    app.router.add_delete("/whip/{session}", endpoint.delete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/whip"
    yield endpoint
    for peer in endpoint.peers:
        await peer.close()
    await runner.cleanup()


Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """Starts the publisher as a parent would: the key as the first line of its standard input."""
    processes: list[asyncio.subprocess.Process] = []

    async def start(url: str, stream_key: str = STREAM_KEY) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "signaling.demo.publisher", "--whip-url", url),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != KEY_VARIABLE},
        )
        processes.append(process)
        assert process.stdin is not None
        process.stdin.write(f"{stream_key}\n".encode())
        await process.stdin.drain()
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def decoded_pattern(video: MediaStreamTrack) -> Pattern:
    frame = await video.recv()
    pattern = read_pattern(frame.to_ndarray(format="gray"))
    assert pattern is not None
    return pattern


async def test_publishes_picture_and_sound(endpoint: Endpoint, start: Start) -> None:
    process = await start(endpoint.url)
    async with asyncio.timeout(30):
        tracks = await endpoint.next_tracks()
        patterns = [await decoded_pattern(tracks["video"]) for _ in range(20)]
        sound = [await tracks["audio"].recv() for _ in range(60)]
    assert all(a.latency_ms(b.sent_ms) > 0 for a, b in itertools.pairwise(patterns))
    assert all((b.frame - a.frame) % 256 > 0 for a, b in itertools.pairwise(patterns))
    assert max(int(np.abs(frame.to_ndarray()).max()) for frame in sound) > 1000

    [offer] = endpoint.offers
    assert "H264/90000" in offer
    assert "opus/48000/2" in offer
    assert "a=setup:active" in offer
    assert offer.count("a=sendonly") == 2

    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
        await endpoint.deleted.wait()


async def test_connects_again_when_the_peer_goes(endpoint: Endpoint, start: Start) -> None:
    # aiortc says goodbye with a DTLS close_notify, after which FFmpeg's muxer hangs.
    process = await start(endpoint.url)
    async with asyncio.timeout(30):
        tracks = await endpoint.next_tracks()
        await decoded_pattern(tracks["video"])
        await endpoint.peers[0].close()
        tracks = await endpoint.next_tracks()
        await decoded_pattern(tracks["video"])
    assert len(endpoint.offers) >= 2
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(10):
        assert await process.wait() == 0


async def test_gives_up_on_a_refused_key_without_showing_it(endpoint: Endpoint, start: Start) -> None:
    process = await start(endpoint.url, "wrong-battery")
    async with asyncio.timeout(20):
        _, stderr = await process.communicate()
    assert process.returncode == 1
    assert b"does not accept" in stderr
    assert b"wrong-battery" not in stderr
    assert endpoint.offers == []


async def test_waits_for_a_node_that_is_not_there_yet(unused_tcp_port: int, start: Start) -> None:
    process = await start(f"http://127.0.0.1:{unused_tcp_port}/whip")
    assert process.stderr is not None
    async with asyncio.timeout(20):
        lines = [await process.stderr.readline() for _ in range(2)]
    assert all(b"trying again" in line for line in lines)
    process.terminate()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
