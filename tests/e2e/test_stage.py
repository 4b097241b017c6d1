"""Three host pages and one viewer: who is seen where, and who hears whom."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from mixer.layout import Host, LayoutSpec, arrange
from tests.e2e.studio import Studio
from tests.interop.serve_process import Process

CORES = 4
"""Four pages that encode, decode and make sound, and the mixer. On two cores Chromium's sound threads,
which have real-time priority where the tests run as root, can starve everything else for minutes."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif((os.cpu_count() or 1) < CORES, reason=f"four pages and a mixer want {CORES} cores"),
]

JS = Path(__file__).parent / "js"
CAMERA = (JS / "stage.js").read_text()
LISTEN = (JS / "listen.js").read_text()
SLOW_MS = 40_000

COLOURS = {"Ada": (200, 30, 30), "Bob": (30, 160, 30), "Cy": (30, 30, 200)}
TONES = {"Ada": 400, "Bob": 900, "Cy": 1600}
AUDIBLE_DB = -60
"""In a bin of the analyser. What isn't there stands below -90."""


@dataclass
class Show:
    studio: Studio
    pages: dict[str, Page]
    viewer: Page

    async def stage(self) -> dict[str, Any]:
        path = f"/api/v1/streams/{self.studio.stream_id}/stage"
        stage: dict[str, Any] = await self.studio.page.evaluate(
            "async (path) => (await fetch(path)).json()", path
        )
        return stage

    async def ids(self) -> dict[str, str]:
        return {each["name"]: each["participant_id"] for each in (await self.stage())["participants"]}


async def host_context(browser: Browser, node: Process, name: str) -> BrowserContext:
    context = await browser.new_context(base_url=node.url)
    colour = "rgb({}, {}, {})".format(*COLOURS[name])
    await context.add_init_script(f"{CAMERA}({json.dumps(colour)}, {TONES[name]})")
    return context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(browser: Browser, node: Process) -> AsyncIterator[Show]:
    """Ada's stage with Bob and Cy on it, and a viewer."""
    async with AsyncExitStack() as stack:
        contexts = {
            name: await stack.enter_async_context(await host_context(browser, node, name)) for name in COLOURS
        }
        studio = await Studio.open(contexts["Ada"], "Ada", "Three on stage")
        pages = {"Ada": studio.page}
        await studio.page.get_by_test_id("stage-enter").click()
        await expect(studio.page.get_by_test_id("host-tile")).to_have_count(1, timeout=SLOW_MS)
        for name in ("Bob", "Cy"):
            link = studio.page.get_by_test_id("invite-link")
            before = await link.inner_text() if await link.count() else ""
            await studio.page.get_by_test_id("invite-create").click()
            await expect(link).not_to_have_text(before)
            pages[name] = page = await contexts[name].new_page()
            await page.goto(await link.inner_text())
            await page.get_by_test_id("stage-name").fill(name)
            await page.get_by_test_id("stage-enter").click()
            await page.get_by_test_id("stage-grid").wait_for(timeout=SLOW_MS)
        audience = await stack.enter_async_context(await browser.new_context(base_url=node.url))
        viewer = await audience.new_page()
        await viewer.goto(f"/watch/{studio.stream_id}")
        yield Show(studio, pages, viewer)


def tile(participant_id: str) -> str:
    return f'[data-participant-id="{participant_id}"]'


async def picture(page: Page) -> list[list[int]]:
    """The viewer's picture as 32 x 18 pixels, row by row, RGB."""
    pixels: list[list[int]] = await page.evaluate(
        """() => {
          const video = document.querySelector("video");
          const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 18 });
          const context = canvas.getContext("2d", { willReadFrequently: true });
          context.drawImage(video, 0, 0, 32, 18);
          const { data } = context.getImageData(0, 0, 32, 18);
          return Array.from({ length: 32 * 18 }, (_, i) => [...data.slice(4 * i, 4 * i + 3)]);
        }"""
    )
    return pixels


def near(pixel: list[int], colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 50 for a, b in zip(pixel, colour, strict=True))


async def shows(page: Page, places: dict[str, tuple[float, float]]) -> None:
    """Until each host's colour is at its place, in fractions of the picture."""
    seen: dict[str, list[int]] = {}
    for _ in range(160):
        pixels = await picture(page)
        seen = {name: pixels[int(y * 18) * 32 + int(x * 32)] for name, (x, y) in places.items()}
        if all(near(seen[name], COLOURS[name]) for name in places):
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"at {places} there is {seen}")


def places(
    ids: dict[str, str], spec: LayoutSpec, speaker: str | None = None
) -> dict[str, tuple[float, float]]:
    """Where the layout has the upper part of each host's tile; names are at the lower edge."""
    arrangement = arrange([Host(who, name) for name, who in ids.items()], spec, (1280, 720), speaker)
    names = {who: name for name, who in ids.items()}
    return {
        names[each.subject.participant_id]: (
            (each.rect.x + each.rect.w * 0.5) / 1280,
            (each.rect.y + each.rect.h * 0.4) / 720,
        )
        for each in arrangement.tiles
    }


async def hears(page: Page, connection: str, wanted: set[str]) -> dict[str, float]:
    """Until exactly these hosts' tones are heard; returns how loud they are in dB."""
    levels: dict[str, float] = {}
    for _ in range(60):
        found = await page.evaluate(LISTEN, {"pc": connection, "frequencies": list(TONES.values())})
        levels = {name: found.get(str(tone), -200.0) for name, tone in TONES.items()}
        if {name for name, level in levels.items() if level > AUDIBLE_DB} == wanted:
            return levels
        await asyncio.sleep(0.25)
    raise AssertionError(f"heard {levels}, wanted {wanted}")


async def test_each_host_hears_the_others_and_not_itself(show: Show) -> None:
    for name, page in show.pages.items():
        await expect(page.get_by_test_id("host-tile")).to_have_count(3, timeout=SLOW_MS)
        await hears(page, "stage", set(COLOURS) - {name})


async def test_the_viewer_sees_the_layout_and_hears_everybody(show: Show) -> None:
    ids = await show.ids()
    await shows(show.viewer, places(ids, LayoutSpec()))
    await show.viewer.evaluate("document.querySelector('video').muted = false")
    await hears(show.viewer, "viewer", set(COLOURS))


async def test_the_owner_changes_the_layout_while_live(show: Show) -> None:
    ids = await show.ids()
    ada = show.pages["Ada"]
    await ada.locator(tile(ids["Bob"])).get_by_test_id("host-pin").click()
    await ada.get_by_test_id("layout-spotlight").click()
    await shows(show.viewer, places(ids, LayoutSpec(layout="spotlight", pinned=ids["Bob"])))
    await ada.get_by_test_id("layout-side-by-side").click()
    await shows(show.viewer, places(ids, LayoutSpec(layout="side-by-side", pinned=ids["Bob"])))
    await ada.get_by_test_id("layout-grid").click()
    await shows(show.viewer, places(ids, LayoutSpec(pinned=ids["Bob"])))
    # the owner's own view of the program
    assert await ada.get_by_test_id("program-preview").evaluate("video => video.videoWidth") > 0


async def test_mute_and_gain(show: Show) -> None:
    ids = await show.ids()
    ada = show.pages["Ada"]
    before = await hears(show.viewer, "viewer", set(COLOURS))
    bob = ada.locator(tile(ids["Bob"]))
    await bob.get_by_test_id("host-mute").click()
    await hears(show.viewer, "viewer", {"Ada", "Cy"})
    await hears(show.pages["Cy"], "stage", {"Ada"})
    await bob.get_by_test_id("host-mute").click()
    await hears(show.viewer, "viewer", set(COLOURS))
    await bob.get_by_test_id("host-gain").fill("-12")
    for _ in range(40):
        after = await hears(show.viewer, "viewer", set(COLOURS))
        quieter = (before["Bob"] - before["Cy"]) - (after["Bob"] - after["Cy"])
        if 9 < quieter < 15:
            break
        await asyncio.sleep(0.25)
    else:
        raise AssertionError(f"{quieter} dB quieter, 12 were set")


async def test_down_to_one_host_without_renegotiation(show: Show) -> None:
    ids = await show.ids()
    await show.viewer.evaluate("window.before = window.__spillway.pc")
    await show.pages["Bob"].get_by_test_id("stage-leave").click()
    ada = show.pages["Ada"]
    await expect(ada.get_by_test_id("host-tile")).to_have_count(2)
    await ada.locator(tile(ids["Cy"])).get_by_test_id("host-remove").click()
    await expect(ada.get_by_test_id("host-tile")).to_have_count(1)
    await expect(show.pages["Cy"].get_by_text("took you off the stage")).to_be_visible()
    await shows(show.viewer, {"Ada": (0.25, 0.25)})
    await shows(show.viewer, {"Ada": (0.75, 0.25)})
    assert await show.viewer.evaluate("window.before === window.__spillway.pc")
    # an invite that was used lets nobody in
    await show.pages["Cy"].get_by_test_id("stage-enter").click()
    await expect(show.pages["Cy"].get_by_test_id("stage-grid")).to_have_count(0)
