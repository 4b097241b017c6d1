"""The watch page, used as a viewer uses it, and what its peer connection counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from playwright.async_api import BrowserContext, Page, expect

__all__ = ["Received", "Watch"]

PLAYING_MS = 20_000
POLL_S = 0.1

RECEIVED = """async () => {
    const report = await window.__spillway?.pc?.getStats();
    const entries = report === undefined ? [] : [...report.values()];
    const of = (kind) => entries.find((each) => each.type === "inbound-rtp" && each.kind === kind) ?? {};
    const [video, audio] = [of("video"), of("audio")];
    return {
        codec: report?.get(video.codecId)?.mimeType ?? "",
        frames: video.framesDecoded ?? 0,
        height: video.frameHeight ?? 0,
        dropped: video.framesDropped ?? 0,
        freezes: video.freezeCount ?? 0,
        frozen_s: video.totalFreezesDuration ?? 0,
        packets: (video.packetsReceived ?? 0) + (audio.packetsReceived ?? 0),
        lost: (video.packetsLost ?? 0) + (audio.packetsLost ?? 0),
        repaired: video.retransmittedPacketsReceived ?? 0,
        nacks: video.nackCount ?? 0,
        sound: audio.totalAudioEnergy ?? 0,
        concealed: audio.concealedSamples ?? 0,
        samples: audio.totalSamplesReceived ?? 0,
    };
}"""


@dataclass(frozen=True, slots=True)
class Received:
    """From ``getStats()`` of the page's peer connection; zeros where it has none."""

    codec: str
    frames: int
    height: int
    dropped: int
    freezes: int
    frozen_s: float
    packets: int
    lost: int
    repaired: int
    nacks: int
    sound: float
    concealed: int
    samples: int


class Watch:
    """The page of one viewer."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(cls, audience: BrowserContext, address: str) -> Watch:
        """``address``: a stream's id, or a watch URL that was given out."""
        page = await audience.new_page()
        await page.goto(address if "/" in address else f"/watch/{address}")
        return cls(page)

    async def expect_state(self, state: str, timeout_ms: int = PLAYING_MS) -> None:
        mark = self.page.get_by_test_id("player-state")
        await expect(mark).to_have_attribute("data-state", state, timeout=timeout_ms)

    async def received(self) -> Received:
        return Received(**await self.page.evaluate(RECEIVED))

    async def until(self, reached: Callable[[Received], bool], within_s: float = 20.0) -> Received:
        """The first count for which ``reached`` is true; fails with the last one."""
        last = await self.received()
        try:
            async with asyncio.timeout(within_s):
                while not reached(last):
                    await asyncio.sleep(POLL_S)
                    last = await self.received()
        except TimeoutError:
            raise AssertionError(f"not reached within {within_s} s: {last}") from None
        return last

    async def plays(self, frames: int = 30) -> Received:
        """Waits until ``frames`` more frames are decoded."""
        await self.expect_state("playing")
        before = await self.received()
        return await self.until(lambda now: now.frames >= before.frames + frames)

    async def unmute(self) -> None:
        await self.page.get_by_test_id("mute").click()

    async def choose_quality(self, rid: str) -> None:
        await self.page.get_by_test_id("quality").click()
        await self.page.locator(f"[data-quality={rid}][role=menuitemradio]").click()
