"""The studio page, used as a host uses it."""

from __future__ import annotations

from typing import Literal

from playwright.async_api import BrowserContext, Page, expect

__all__ = ["PASSWORD", "Studio"]

PASSWORD = "correct horse battery"

Codec = Literal["auto", "h264", "vp8"]

LIVE_MS = 20_000


class Studio:
    """The page of one host who has signed up and made a stream."""

    def __init__(self, page: Page, stream_id: str) -> None:
        self.page = page
        self.stream_id = stream_id

    @classmethod
    async def open(cls, host: BrowserContext, name: str, title: str, visibility: str = "public") -> Studio:
        page = await host.new_page()
        await page.goto("/studio")
        await page.get_by_test_id("signup-name").fill(name)
        await page.get_by_test_id("signup-password").fill(PASSWORD)
        await page.get_by_test_id("signup-submit").click()
        await page.get_by_test_id("stream-title").fill(title)
        await page.get_by_test_id("stream-category").fill("tests")
        await page.get_by_test_id("stream-visibility").select_option(visibility)
        await page.get_by_test_id("create-stream").click()
        await page.get_by_test_id("go-live").wait_for()
        return cls(page, page.url.rsplit("/", 1)[1])

    async def configure(self, codec: Codec = "auto", height: int = 480, simulcast: bool = False) -> None:
        """480 lines: a quarter of the work of 720, and nothing that is shown with it depends on the size."""
        await self.page.get_by_test_id("resolution").select_option(str(height))
        await self.page.get_by_test_id("codec").select_option(codec)
        await self.page.get_by_test_id("simulcast").set_checked(simulcast)

    async def go_live(self) -> None:
        await self.page.get_by_test_id("go-live").click()
        await self.expect_state("live")

    async def stop(self) -> None:
        await self.page.get_by_test_id("stop-live").click()
        await self.page.get_by_test_id("go-live").wait_for()

    async def expect_state(self, state: str, timeout_ms: int = LIVE_MS) -> None:
        badge = self.page.get_by_test_id("live-state")
        await expect(badge).to_have_attribute("data-state", state, timeout=timeout_ms)
