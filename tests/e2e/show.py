"""A show: three host pages with pictures and tones of their own, and a viewer who looks and listens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, expect

from mixer.layout import Host, LayoutSpec, arrange
from tests.e2e.studio import Studio
from tests.interop.serve_process import Process

__all__ = ["COLOURS", "SLOW_MS", "Show", "hears", "host_context", "shows", "shows_alone", "tile"]

JS = Path(__file__).parent / "js"
CAMERA = (JS / "stage.js").read_text()
LISTEN = (JS / "listen.js").read_text()
NOTE_FRAMES = (JS / "frames.js").read_text()
SLOW_MS = 40_000
PATIENCE_S = 40.0

COLOURS = {"Ada": (200, 30, 30), "Bob": (30, 160, 30), "Cy": (30, 30, 200)}
CODES = {"Ada": (1, 0, 1, 0), "Bob": (1, 1, 0, 0), "Cy": (0, 1, 1, 0)}
"""White and black blocks down the middle of the picture."""
TONES = {"Ada": 400, "Bob": 900, "Cy": 1600}
AUDIBLE_DB = -60
"""In a bin of the analyser. What isn't there stands below -90."""
VIEWPORT = {"width": 800, "height": 600}

# What tells silence that came from silence that the page made.
RECEIVED = """async (connection) => {
  const pc = connection === "stage" ? window.__spillway?.stage?.subscriber : window.__spillway?.pc;
  const stats = [...((await pc?.getStats())?.values() ?? [])];
  const tracks = stats
    .filter((each) => each.type === "inbound-rtp" && each.kind === "audio")
    .map(({ packetsReceived, audioLevel, totalSamplesReceived, concealedSamples }) => ({
      packetsReceived, audioLevel, totalSamplesReceived, concealedSamples,
    }));
  const context = window.listening;
  return { tracks, context: context?.state, seconds: context?.currentTime };
}"""

Point = tuple[float, float]
"""In fractions of a picture."""

READ_POINTS = """(points) => {
  const [width, height] = [160, 90];
  const video = document.querySelector("video");
  if (!video?.videoWidth) return points.map(() => [0, 0, 0]);
  window.reading ??= new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  window.reading.drawImage(video, 0, 0, width, height);
  const { data } = window.reading.getImageData(0, 0, width, height);
  return points.map(([x, y]) => {
    const at = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
    return [...data.slice(at, at + 3)];
  });
}"""


@dataclass
class Show:
    node: Process
    browser: Browser
    studio: Studio
    pages: dict[str, Page]
    """Of the hosts, by name."""
    viewer: Page

    @classmethod
    async def open(
        cls, browser: Browser, node: Process, owner: BrowserContext, viewer: BrowserContext
    ) -> Show:
        """Ada alone on stage, and a viewer who sees her."""
        studio = await Studio.open(owner, "Ada", "Three on stage")
        await studio.page.get_by_test_id("stage-enter").click()
        await expect(studio.page.get_by_test_id("host-tile")).to_have_count(1, timeout=SLOW_MS)
        page = await viewer.new_page()
        await page.goto(f"/watch/{studio.stream_id}")
        show = cls(node, browser, studio, {"Ada": studio.page}, page)
        await shows_alone(page, "Ada")
        await page.evaluate(NOTE_FRAMES)
        await page.evaluate("window.before = window.__spillway.pc")
        return show

    async def invite(self, context: BrowserContext, name: str) -> None:
        """A friend comes by a link."""
        link = self.studio.page.get_by_test_id("invite-link")
        before = await link.inner_text() if await link.count() else ""
        await self.studio.page.get_by_test_id("invite-create").click()
        await expect(link).not_to_have_text(before)
        self.pages[name] = page = await context.new_page()
        await page.goto(await link.inner_text())
        await page.get_by_test_id("stage-name").fill(name)
        await page.get_by_test_id("stage-enter").click()
        await page.get_by_test_id("stage-grid").wait_for(timeout=SLOW_MS)

    async def ids(self) -> dict[str, str]:
        """Participant ids of who is on stage, by name."""
        path = f"/api/v1/streams/{self.studio.stream_id}/stage"
        stage: dict[str, Any] = await self.studio.page.evaluate(
            "async (path) => (await fetch(path)).json()", path
        )
        return {each["name"]: each["participant_id"] for each in stage["participants"]}

    async def shown(self) -> list[int]:
        """RTP times of the pictures the viewer was shown since there was one host."""
        times: list[int] = await self.viewer.evaluate("window.shown")
        return times

    async def until_colour(self, point: Point, colour: tuple[int, int, int]) -> None:
        """Until the viewer sees it there."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                [pixel] = await self.viewer.evaluate(READ_POINTS, [point])
                if all(abs(a - b) < 30 for a, b in zip(pixel, colour, strict=True)):
                    return
                await asyncio.sleep(0.25)

    async def same_connection(self) -> bool:
        same: bool = await self.viewer.evaluate("window.before === window.__spillway.pc")
        return same


async def host_context(browser: Browser, node: Process, name: str) -> BrowserContext:
    context = await browser.new_context(base_url=node.url, viewport=VIEWPORT)  # type: ignore[arg-type]
    colour = "rgb({}, {}, {})".format(*COLOURS[name])
    values = ", ".join(json.dumps(each) for each in (colour, CODES[name], TONES[name]))
    await context.add_init_script(f"{CAMERA}({values})")
    return context


def tile(participant_id: str) -> str:
    return f'[data-participant-id="{participant_id}"]'


async def shows(page: Page, ids: dict[str, str], spec: LayoutSpec) -> None:
    """Until each host's colour and code is where the layout has its tile."""
    arrangement = arrange([Host(who, name) for name, who in ids.items()], spec, (1280, 720))
    names = {who: name for name, who in ids.items()}
    rectangles = {
        names[each.subject.participant_id]: (
            each.rect.x / 1280,
            each.rect.y / 720,
            each.rect.w / 1280,
            each.rect.h / 720,
        )
        for each in arrangement.tiles
    }
    await _shows(page, rectangles)


async def shows_alone(page: Page, name: str) -> None:
    """Until one host fills the picture."""
    await _shows(page, {name: (0.0, 0.0, 1.0, 1.0)})


async def _shows(page: Page, rectangles: dict[str, tuple[float, float, float, float]]) -> None:
    seen: dict[str, list[list[int]]] = {}
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for name, (x, y, w, h) in rectangles.items():
                    points = [(x + w * px, y + h * py) for px, py in _looked_at(name)]
                    seen[name] = await page.evaluate(READ_POINTS, points)
                if all(_is(name, seen[name]) for name in rectangles):
                    return
                await asyncio.sleep(0.25)
    except TimeoutError:
        raise AssertionError(f"where {rectangles} should be, there is {seen}") from None


def _looked_at(name: str) -> list[Point]:
    """Two points of the colour, then one in each block of the code. Tiles crop at the sides, never at the
    middle; names are at the lower edge."""
    return [(0.15, 0.2), (0.85, 0.6), *((0.5, 0.2 + 0.15 * row) for row in range(len(CODES[name])))]


def _is(name: str, pixels: list[list[int]]) -> bool:
    colours, blocks = pixels[:2], pixels[2:]
    return all(
        all(abs(a - b) < 50 for a, b in zip(pixel, COLOURS[name], strict=True)) for pixel in colours
    ) and all(
        min(block) > 170 if bit else max(block) < 85 for bit, block in zip(CODES[name], blocks, strict=True)
    )


async def hears(page: Page, connection: str, wanted: set[str]) -> dict[str, float]:
    """Until exactly these hosts' tones are heard; returns how loud they are in dB."""
    levels: dict[str, float] = {}
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await page.evaluate(LISTEN, {"pc": connection, "frequencies": list(TONES.values())})
                levels = {name: found.get(str(tone), -200.0) for name, tone in TONES.items()}
                if {name for name, level in levels.items() if level > AUDIBLE_DB} == wanted:
                    return levels
    except TimeoutError:
        received = await page.evaluate(RECEIVED, connection)
        raise AssertionError(f"heard {levels}, wanted {wanted}, of {received}") from None
