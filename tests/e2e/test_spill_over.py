"""Two seats: who comes third watches over HLS without touching anything, and the first two stay."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.e2e.hls_page import expect_mode, moves_on
from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import Process, spillway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    async with spillway(tmp_path_factory.mktemp("node"), "--seats-per-stream", "2") as process:
        yield process
    assert "Traceback" not in process.errors, process.errors


async def test_the_third_viewer_spills_over(
    node: Process, host: BrowserContext, audience: BrowserContext
) -> None:
    studio = await Studio.open(host, "Ada", "Two seats")
    await studio.configure("h264", height=480)
    await studio.go_live()
    seated = [await Watch.open(audience, studio.stream_id) for _ in range(2)]
    for watch in seated:
        await watch.plays()
        await expect_mode(watch.page, "webrtc")
    third = await Watch.open(audience, studio.stream_id)
    await expect_mode(third.page, "hls")
    await moves_on(third.page)

    address = f"/api/v1/streams/{studio.stream_id}"
    playback = await (await audience.request.get(f"{address}/playback")).json()
    assert (playback["mode"], playback["reason"]) == ("hls", "full")
    viewers = (await (await audience.request.get(address)).json())["viewers"]
    assert viewers["webrtc"] == 2
    assert viewers["hls"] >= 1
    for watch in seated:
        await expect_mode(watch.page, "webrtc")
        await watch.plays()

    # A freed seat goes to the next newcomer; the one on HLS isn't called away.
    await seated[0].page.close()
    await moves_on(third.page)
    await expect_mode(third.page, "hls")
    newcomer = await Watch.open(audience, studio.stream_id)
    await newcomer.plays()
    await expect_mode(newcomer.page, "webrtc")
    await studio.stop()
