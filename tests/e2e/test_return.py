"""Pages that stay open while the host or the node goes and comes back."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.show import SLOW_MS, Show, host_context, tile
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


async def test_hosts_and_their_layout_come_back_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    flags = ("--roles", "api,gateway,engine")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(spillway(tmp_path, *flags))
        ada, bob = [
            await stack.enter_async_context(await host_context(browser, first, name))
            for name in ("Ada", "Bob")
        ]
        studio = await Studio.open(ada, "Ada", "Comes back")
        owner = studio.page
        await owner.get_by_test_id("stage-enter").click()
        await expect(owner.get_by_test_id("host-tile")).to_have_count(1, timeout=SLOW_MS)
        show = Show(first, browser, studio, {"Ada": owner}, owner)
        await show.invite(bob, "Bob")
        ids = await show.ids()
        muted = owner.locator(tile(ids["Bob"])).get_by_test_id("host-mute")
        await muted.click()
        await owner.get_by_test_id("layout-spotlight").click()
        await expect(owner.get_by_test_id("layout-name")).to_have_text("Layout: Spotlight")
        await expect(muted).to_have_attribute("aria-pressed", "true")

        first.child.kill()
        await first.child.wait()
        port = first.url.rsplit(":", 1)[1]
        await stack.enter_async_context(spillway(tmp_path, *flags, "--http-port", port))
        async with asyncio.timeout(HEALED_MS / 1000):
            while await show.ids() != ids:  # noqa: ASYNC110 - the server is asked, it tells nobody here
                await asyncio.sleep(0.25)
        for page in show.pages.values():
            await expect(page.get_by_test_id("stage-state")).to_have_attribute("data-state", "on")
        stage = await owner.evaluate(
            "async (path) => (await fetch(path)).json()", f"/api/v1/streams/{studio.stream_id}/stage"
        )
        assert stage["layout"]["layout"] == "spotlight"
        await expect(owner.get_by_test_id("layout-name")).to_have_text("Layout: Spotlight")
        await expect(muted).to_have_attribute("aria-pressed", "true")
        [guest] = [each for each in stage["participants"] if each["name"] == "Bob"]
        assert guest["audio"]["muted"]
