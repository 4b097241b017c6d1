"""A camera in one browser, its picture and sound in another."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext, expect

from tests.e2e.studio import Codec, Studio
from tests.e2e.watch import Watch

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("codec", "mime"), [("h264", "video/H264"), ("vp8", "video/VP8")])
async def test_camera_to_viewer(
    host: BrowserContext, audience: BrowserContext, codec: Codec, mime: str
) -> None:
    studio = await Studio.open(host, f"Ada {codec}", f"Camera in {codec}")
    await studio.configure(codec)
    await studio.go_live()
    watch = await Watch.open(audience, studio.stream_id)
    await watch.plays()
    await watch.unmute()
    received = await watch.until(lambda now: now.sound > 0 and now.frames >= 90)
    assert received.codec == mime
    assert received.height == 480
    assert received.lost == 0
    assert received.concealed < received.samples / 2
    await studio.stop()
    await watch.expect_state("offline")


async def test_simulcast_layers_by_the_quality_menu(host: BrowserContext, audience: BrowserContext) -> None:
    studio = await Studio.open(host, "Grace", "Three sizes")
    await studio.configure("vp8", height=720, simulcast=True)
    await studio.go_live()
    watch = await Watch.open(audience, studio.stream_id)
    await watch.plays()
    for rid, height in (("l", 180), ("h", 720), ("m", 360)):
        await watch.choose_quality(rid)
        switched = await watch.until(lambda now, height=height: now.height == height)
        after = await watch.plays()
        assert (after.height, after.lost, after.codec) == (height, 0, "video/VP8"), rid
        assert after.frames > switched.frames
    await expect(watch.page.get_by_test_id("player-state")).to_have_attribute("data-quality", "m")
    await watch.page.get_by_test_id("stats-toggle").click()
    overlay = watch.page.get_by_test_id("stats")
    await expect(overlay).to_contain_text("640 × 360")
    await expect(overlay).to_contain_text("VP8 + opus", ignore_case=True)
    await expect(overlay).to_contain_text(re.compile(r"Latency\s*\d+ ms"))
    await expect(overlay).to_contain_text(re.compile(r"Bitrate\s*[\d.,]+ [kM]b/s"))
    await expect(overlay).to_contain_text(re.compile(r"Packet loss\s*0\.0 %"))
