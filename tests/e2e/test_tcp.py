"""A host and a viewer that UDP does not reach: ICE-TCP (RFC 6544)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.e2e.reroute import reroute
from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")

SELECTED = """async () => {
    const report = await window.__spillway.pc.getStats();
    const entries = [...report.values()];
    const pair = entries.find((each) => each.type === "candidate-pair" && each.nominated);
    return report.get(pair.remoteCandidateId).protocol;
}"""


def _without_udp(answer: str) -> str:
    """An answer as a browser sees it whose UDP goes nowhere: only the TCP candidates are left."""
    lines = answer.splitlines(keepends=True)
    return "".join(line for line in lines if not (line.startswith("a=candidate:") and " udp " in line))


@asynccontextmanager
async def _context(browser: Browser, node: Process) -> AsyncIterator[BrowserContext]:
    async with (
        await browser.new_context(base_url=node.url) as context,
        reroute(context, re.compile(r"/(whip|whep)"), _without_udp, methods=("POST", "PATCH")),
    ):
        yield context


async def _protocol(page: Page) -> str:
    return str(await page.evaluate(SELECTED))


async def test_live_video_goes_in_and_out_by_tcp(browser: Browser, node: Process) -> None:
    async with (
        _context(browser, node) as host,
        _context(browser, node) as audience,
    ):
        studio = await Studio.open(host, "tess", "Without UDP")
        await studio.configure("vp8")
        await studio.go_live()
        watch = await Watch.open(audience, studio.stream_id)
        await watch.unmute()
        await watch.until(lambda now: now.sound > 0 and now.frames >= 60)
        assert await _protocol(studio.page) == "tcp"
        assert await _protocol(watch.page) == "tcp"
        await studio.stop()
