"""The node that ``join`` measures: HTTP, negotiation, DTLS and engine, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from sfu.config import SfuConfig
from sfu.media import Codec, RtpPacket
from sfu.node import Sfu
from sfu.publisher import PublishGrant
from sfu.whep import WatchGrant, whep_routes
from sfu.whip import whip_routes

__all__ = ["node"]

STREAM = "bench"
FRAME_S = 1 / 30
KEYFRAME = bytes.fromhex("100000009d012a80026801")
"""VP8 descriptor (RFC 7741 section 4.2) and the header of a 640x360 keyframe (RFC 6386 section 9.1)."""
INTERFRAME = bytes.fromhex("1001000000000000000000")


@asynccontextmanager
async def node(workers: int, *, publish: bool) -> AsyncIterator[tuple[Sfu, str]]:
    """A node with the stream ``bench``, and its URL. ``publish``: from this process; else by WHIP."""
    config = SfuConfig(
        host=("127.0.0.1",),
        rtc_port=0,
        advertise_ip=("127.0.0.1",),
        workers=workers,
        seats_per_stream=100_000,
        pending_per_address=None,
    )
    async with AsyncExitStack() as stack:
        sfu = await stack.enter_async_context(Sfu(config))
        if publish:
            await stack.enter_async_context(_published(sfu))
        yield sfu, await stack.enter_async_context(_served(sfu))


@asynccontextmanager
async def _published(sfu: Sfu) -> AsyncIterator[None]:
    """A stream of 30 frames a second, a keyframe each second."""
    stream = sfu.router.open(STREAM)
    participant = stream.join("ingest")
    injector = await participant.publish("video", Codec("VP8", 90_000))
    stream.point_program(None, participant.track_of("video"))

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        begin, number = loop.time(), 0
        while True:
            payload = (INTERFRAME if number % 30 else KEYFRAME) + bytes(200)
            injector.send([RtpPacket(number & 0xFFFF, number * 3_000 & 0xFFFFFFFF, True, payload)])
            number += 1
            await asyncio.sleep(begin + number * FRAME_S - loop.time())

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await stream.end("bench")


@asynccontextmanager
async def _served(sfu: Sfu) -> AsyncIterator[str]:
    """WHIP and WHEP on loopback; the URL."""

    async def authorize(key: str) -> PublishGrant:
        return PublishGrant(key)

    async def admit(stream_id: str, token: str | None) -> WatchGrant:
        return WatchGrant(stream_id)

    app = web.Application()
    app.add_routes([*whip_routes(sfu, authorize), *whep_routes(sfu, admit)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
