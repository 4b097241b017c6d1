"""The watch page while it plays over HLS."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, expect

__all__ = ["at_s", "expect_mode", "moves_on"]

STARTS_MS = 40_000


async def expect_mode(page: Page, mode: str, timeout_ms: int = STARTS_MS) -> None:
    mark = page.get_by_test_id("player-state")
    await expect(mark).to_have_attribute("data-mode", mode, timeout=timeout_ms)
    await expect(mark).to_have_attribute("data-state", "playing", timeout=timeout_ms)


async def at_s(page: Page) -> float:
    """Where the picture is on the player's own time line."""
    found: float = await page.evaluate("document.querySelector('video').currentTime")
    return found


async def moves_on(page: Page, seconds: float = 3.0, within_s: float = 40.0) -> None:
    """The picture goes on for some seconds of its own time."""
    began = await at_s(page)
    async with asyncio.timeout(within_s):
        while await at_s(page) < began + seconds:  # noqa: ASYNC110 - the page tells nobody
            await asyncio.sleep(0.2)
