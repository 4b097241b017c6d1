"""What the watch page makes of a bad network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.e2e.reroute import reroute
from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import Process
from tests.udp_relay import UdpRelay, udp_relay

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGEST_GAP_S = """// Between two frames shown, in 15 s.
async () => {
    const video = document.querySelector("video");
    const gaps = [];
    let last = performance.now();
    const end = last + 15000;
    while (last < end) {
        const shown = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(true)));
        const over = new Promise((resolve) => setTimeout(() => resolve(false), end - last + 1));
        await Promise.race([shown, over]);
        const now = performance.now();
        gaps.push((now - last) / 1000);
        last = now;
    }
    return Math.max(...gaps);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(browser: Browser, node: Process) -> AsyncIterator[Studio]:
    async with await browser.new_context(base_url=node.url) as host:
        room = await Studio.open(host, "Ada", "Through bad weather")
        await room.configure()
        await room.go_live()
        yield room


@asynccontextmanager
async def relayed(studio: Studio, audience: BrowserContext, relay: UdpRelay) -> AsyncIterator[Watch]:
    """A viewer's page whose media takes the relay."""
    page = await audience.new_page()
    async with reroute(page, "**/whep/*", relay.through):
        await page.goto(f"/watch/{studio.stream_id}")
        yield Watch(page)
    await page.close()


async def test_three_per_cent_loss_does_not_freeze(studio: Studio, audience: BrowserContext) -> None:
    async with udp_relay(loss=0.03, seed=1) as relay, relayed(studio, audience, relay) as watch:
        before = await watch.plays()
        longest_s = await watch.page.evaluate(LONGEST_GAP_S)
        after = await watch.received()
        assert relay.lost > 0.01 * relay.forwarded
        assert after.nacks > before.nacks
        assert after.repaired > before.repaired
        assert after.frames > before.frames
        assert 0 < longest_s < 0.6, (longest_s, before, after)


async def test_ice_restart_finds_another_way(studio: Studio, audience: BrowserContext) -> None:
    """The path dies for good. The answer to the restart names the node itself, so media goes there."""
    async with udp_relay() as relay, relayed(studio, audience, relay) as watch:
        page = watch.page
        await watch.plays()
        assert relay.forwarded > 30
        await page.evaluate("window.firstPeer = window.__spillway.pc")
        requests: list[tuple[str, str]] = []
        page.on("request", lambda request: requests.append((request.method, request.url)))
        relay.loss = 1.0
        await watch.expect_state("reconnecting")
        await watch.plays()
        assert await page.evaluate("window.firstPeer === window.__spillway.pc")
        methods = [method for method, url in requests if "/whep/" in url]
        assert methods == ["PATCH"]
