"""aiortc publishes over WHIP and watches over WHEP."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sfu.events import StreamLive, ViewersChanged
from sfu.identity import RENEWED, utc_now
from tests.interop.aiortc_peer import Publisher, Viewer
from tests.interop.node_app import eventually, running_node


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_what_is_published_is_watched(codec: str) -> None:
    async with running_node() as node:
        publisher, viewer = Publisher(codec), Viewer()
        try:
            url = await publisher.start(node, "show")
            await eventually(lambda: StreamLive("show") in node.events)
            watching = await viewer.start(node, "show")
            async with asyncio.timeout(20):
                pictures = await viewer.frames("video", 30)
                sound = await viewer.frames("audio", 30)
            assert (pictures[-1].width, pictures[-1].height) == (640, 360)
            assert pictures[-1].pts > pictures[0].pts
            assert sound[-1].sample_rate == 48000
            program = node.sfu.router.open("show").program
            video = program.codec("video")
            assert video is not None
            assert video.name == codec
            # the viewer's first RTCP tells that it has the keys
            await eventually(lambda: ViewersChanged("show", 1) in node.events)
            async with node.http.delete(watching) as response:
                assert response.status == 200
            assert ViewersChanged("show", 0) in node.events
            async with node.http.delete(url) as response:
                assert response.status == 200
            assert len(node.sfu.router) == 0
        finally:
            await viewer.close()
            await publisher.close()


async def test_viewer_stays_when_the_publisher_is_replaced_with_another_codec() -> None:
    async with running_node() as node:
        first, second, viewer = Publisher("VP8"), Publisher("H264"), Viewer()
        try:
            await first.start(node, "show")
            await eventually(lambda: StreamLive("show") in node.events)
            await viewer.start(node, "show")
            async with asyncio.timeout(20):
                await viewer.frames("video", 10)
            await second.start(node, "show")
            stream = node.sfu.router.open("show")
            await eventually(lambda: getattr(stream.program.codec("video"), "name", "") == "H264")
            async with asyncio.timeout(20):
                # what was decoded before the switch may still wait in the track's queue
                await viewer.frames("video", 60)
            assert stream.viewers == 1
        finally:
            await viewer.close()
            await first.close()
            await second.close()


async def test_a_publisher_is_told_of_a_shutdown_but_not_that_another_took_over() -> None:
    # OBS comes back after a goodbye: two with one key would take turns
    first, second = Publisher("H264"), Publisher("H264")
    try:
        async with running_node() as node:
            await first.start(node, "show")
            await eventually(lambda: StreamLive("show") in node.events)
            await second.start(node, "show")
            await eventually(lambda: second.pc.connectionState == "connected")
            assert first.pc.connectionState == "connected"
        await eventually(lambda: second.pc.connectionState == "closed", within_s=5)
        assert first.pc.connectionState == "connected"
    finally:
        await first.close()
        await second.close()


async def test_who_joins_after_days_shakes_hands_with_another_certificate() -> None:
    later = timedelta()
    async with running_node(now=lambda: utc_now() + later) as node:
        publisher, viewer = Publisher(), Viewer()
        try:
            await publisher.start(node, "show")
            await eventually(lambda: StreamLive("show") in node.events)
            later = 5 * RENEWED
            await viewer.start(node, "show")
            async with asyncio.timeout(20):
                await viewer.frames("video", 3)
            told = [
                next(line for line in each.pc.remoteDescription.sdp.splitlines() if "fingerprint" in line)
                for each in (publisher, viewer)
            ]
            assert told[0] != told[1]
        finally:
            await viewer.close()
            await publisher.close()


async def test_closing_the_peer_connection_ends_its_session() -> None:
    async with running_node() as node:
        publisher = Publisher()
        await publisher.start(node, "show")
        await eventually(lambda: StreamLive("show") in node.events)
        await publisher.close()
        await eventually(lambda: len(node.sfu.sessions) == 0)
        assert node.sfu.router.open("show").live
