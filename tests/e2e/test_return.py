"""Pages that stay open while the host or the node goes and comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import spillway

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALED_MS = 45_000
"""Chromium says "disconnected" after 5 s; then a restart of ICE is refused by a node that knows nobody, and
host and viewer each join anew, the viewer as often as the host is not back yet."""


async def test_host_and_node_go_and_come_back(browser: Browser, tmp_path: Path) -> None:
    async with (
        spillway(tmp_path) as first,
        await browser.new_context(base_url=first.url) as host,
        await browser.new_context(base_url=first.url) as audience,
    ):
        studio = await Studio.open(host, "Ada", "Comes back")
        await studio.configure()
        watch = await Watch.open(audience, studio.stream_id)
        await watch.expect_state("offline")
        await expect(watch.page.get_by_role("heading", name="Not live right now")).to_be_visible()
        await studio.go_live()
        await watch.plays()
        await studio.stop()
        await watch.expect_state("offline")
        await expect(watch.page.get_by_role("heading", name="This stream has ended")).to_be_visible()
        await studio.go_live()
        await watch.plays()

        first.child.kill()
        await first.child.wait()
        await watch.expect_state("reconnecting")
        port = first.url.rsplit(":", 1)[1]
        async with spillway(tmp_path, "--http-port", port):
            await asyncio.gather(
                studio.expect_state("live", HEALED_MS), watch.expect_state("playing", HEALED_MS)
            )
            await watch.plays()
