"""FFmpeg's whip muxer publishes, in both DTLS roles."""

from __future__ import annotations

import asyncio

import pytest

from sfu.events import StreamEnded, StreamLive
from tests.interop.aiortc_peer import Viewer
from tests.interop.ffmpeg_whip import ffmpeg_publisher
from tests.interop.node_app import eventually, running_node


@pytest.mark.parametrize("dtls_active", [False, True])
async def test_ffmpeg_is_watched_and_ends_the_stream(dtls_active: bool) -> None:
    async with running_node() as node:
        viewer = Viewer()
        try:
            async with ffmpeg_publisher(f"{node.url}/whip", "show", dtls_active=dtls_active):
                await eventually(lambda: StreamLive("show") in node.events)
                program = node.sfu.router.open("show").program
                await eventually(
                    lambda: program.codec("video") is not None and program.codec("audio") is not None
                )
                await viewer.start(node, "show")
                async with asyncio.timeout(20):
                    pictures = await viewer.frames("video", 30)
                    await viewer.frames("audio", 20)
                assert (pictures[-1].width, pictures[-1].height) == (640, 360)
            await eventually(lambda: StreamEnded("show", "stopped") in node.events)
        finally:
            await viewer.close()
