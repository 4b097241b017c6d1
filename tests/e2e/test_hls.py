"""hls.js on the watch page: live at low latency, back in time, and the recording afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from tests.e2e.hls_page import at_s, expect_mode, moves_on
from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import Process, spillway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """Without seats, so that everyone watches over HLS."""
    async with spillway(tmp_path_factory.mktemp("node"), "--seats-per-stream", "0") as process:
        yield process
    assert "Traceback" not in process.errors, process.errors


async def test_live_then_back_in_time_then_the_recording(
    host: BrowserContext, audience: BrowserContext
) -> None:
    studio = await Studio.open(host, "Ada", "Over HLS")
    await studio.configure("h264", height=480)
    await studio.go_live()
    watch = await Watch.open(audience, studio.stream_id)
    page = watch.page
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await expect_mode(page, "hls")
    await moves_on(page, 8)
    parts = [url for url in requests if "/hls/" in url and url.count(".") >= 3 and ".m4s" in url]
    assert parts, "it plays parts, not only segments"
    assert any("_HLS_msn=" in url for url in requests), "it waits for the next part at the server"

    timeline = page.get_by_test_id("timeline")
    await expect(timeline).to_be_visible(timeout=30_000)
    await timeline.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_test_id("go-to-live")).to_be_visible(timeout=20_000)
    await expect_mode(page, "hls")
    await moves_on(page)
    assert any("/dvr/" in url for url in requests)
    await page.get_by_test_id("go-to-live").click()
    await expect_mode(page, "hls")
    await moves_on(page)

    await studio.stop()
    await watch.expect_state("offline", 60_000)
    await page.get_by_test_id("replay").first.click(timeout=30_000)
    await expect_mode(page, "hls")
    assert await at_s(page) < 6, "from its start"
    await moves_on(page)
