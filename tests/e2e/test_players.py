"""A player that is not ours: Chromium's own HLS, which knows no parts."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.interop.serve_process import Process
from tests.interop.test_node_hls import Client, publisher

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "<!doctype html><video muted autoplay playsinline></video>"
PLAY = """(url) => {
  window.errors = [];
  const video = document.querySelector('video');
  video.onerror = () => errors.push(video.error.message);
  video.src = url;
}"""
PLAYED = """() => {
  const { played } = document.querySelector('video');
  return played.length > 0 && played.end(played.length - 1) - played.start(0) > 3;
}"""


async def test_chromium_plays_segments(node: Process, browser: Browser) -> None:
    async with aiohttp.ClientSession() as session, await browser.new_context() as context:
        client = Client(node, session)
        await client.make_stream()
        async with publisher(client):
            await client.master()
            page = await context.new_page()
            await page.route("**/players", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
            await page.goto(f"{node.url}/players")
            await page.evaluate(PLAY, client.stream["manifest_url"])
            await page.wait_for_function(PLAYED, timeout=40_000)
            assert await page.evaluate("errors") == []
