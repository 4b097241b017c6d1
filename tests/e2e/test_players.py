"""Players that are not ours: Shaka at low latency, and Chromium's own HLS, which knows no parts."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page

from tests.e2e.media_report import MediaReport
from tests.interop.serve_process import Process
from tests.interop.test_node_hls import Client, eventually, publisher, uris

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAKA = Path(__file__).parent.parent.parent / "web/node_modules/shaka-player/dist/shaka-player.compiled.js"
PAGE = """<!doctype html>
<video id=shaka muted autoplay playsinline></video>
<video id=plain muted autoplay playsinline></video>
"""
PLAY_SHAKA = """async (url) => {
  window.errors = [];
  window.player = new shaka.Player();
  // Either an error of Shaka's, or what was thrown within it.
  const text = (error) => error.code === undefined ? error.stack : `${error.code} ${error.data}`;
  player.addEventListener('error', (event) => errors.push(`shaka: ${text(event.detail)}`));
  player.configure({streaming: {lowLatencyMode: true, liveSync: {enabled: true, targetLatency: 1.1}}});
  await player.attach(document.getElementById('shaka'));
  await player.load(url);
}"""
PLAY_PLAIN = """(url) => {
  const plain = document.getElementById('plain');
  plain.onerror = () => errors.push('plain: ' + plain.error.message);
  plain.src = url;
}"""
PLAYED = """id => {
  const { played } = document.getElementById(id);
  return played.length ? played.end(played.length - 1) - played.start(0) : 0;
}"""


async def segments_to_start_from(client: Client) -> None:
    """Until every rendition has three segments: who knows no parts begins three target durations behind the
    end (RFC 8216 section 6.3.3). Chromium 156 gives up where it has fetched all there is before it plays, and
    the next reload brings nothing new (ManifestUpdateForLiveResume in its hls_rendition_impl.cc)."""

    async def check() -> bool:
        master = await client.master()
        sound = re.findall(r'URI="([^"]+)"', master)
        lists = [await client.call("GET", uri) for uri in (*uris(master), *sound)]
        return all(text.count("#EXTINF") >= 3 for _, text in lists)

    await eventually(check)


async def keeps_all_pictures(page: Page) -> None:
    buffered = await page.evaluate("player.getBufferedInfo()")
    assert len(buffered["video"]) == 1, buffered


async def test_shaka_plays_parts_and_chromium_plays_segments(node: Process, browser: Browser) -> None:
    assert SHAKA.is_file(), "shaka-player is missing: npm --prefix web ci"
    async with aiohttp.ClientSession() as session, await browser.new_context() as context:
        client = Client(node, session)
        await client.make_stream()
        async with publisher(client):
            await client.master()
            page = await context.new_page()
            requests: list[str] = []
            page.on("request", lambda request: requests.append(request.url))
            await page.route("**/players", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
            await page.goto(f"{node.url}/players")
            await page.add_script_tag(path=SHAKA)
            async with MediaReport(page, "({ errors, shaka: window.player?.getStats() })"):
                # At the start of a stream, when one segment is finished.
                await page.evaluate(PLAY_SHAKA, client.stream["manifest_url"])
                await page.wait_for_function(f"({PLAYED})('shaka') > 3", timeout=40_000)
                await keeps_all_pictures(page)
                await segments_to_start_from(client)
                await page.evaluate(PLAY_PLAIN, client.stream["manifest_url"])
                await page.wait_for_function(f"({PLAYED})('plain') > 3", timeout=40_000)
                await keeps_all_pictures(page)
                assert await page.evaluate("errors") == []
                assert await page.evaluate("player.isLive()")
                parts = [url for url in requests if re.search(r"/\d+\.\d+\.m4s$", url)]
                assert len(parts) > 6, "Shaka asks for parts"
                assert any("_HLS_msn=" in url for url in requests), "and waits for them at the server"
