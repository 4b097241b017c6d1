"""Three host pages and one viewer: who is seen where, who hears whom, and a program that never breaks off."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, FilePayload, expect

from mixer.layout import LayoutSpec, TileSpec
from tests.e2e.show import COLOURS, SLOW_MS, Show, hears, host_context, shows, shows_alone, tile
from tests.interop.serve_process import Process, spillway

pytestmark = pytest.mark.asyncio(loop_scope="module")


def editor_tile(participant_id: str) -> str:
    """Of the host's camera, in the editor of layouts."""
    return f'[data-subject="camera {participant_id}"]'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """Without HLS, and with a small program: four pages that encode and decode are enough for two cores."""
    roles = ("--roles", "api,gateway,engine,mixer", "--program-height", "360")
    async with spillway(tmp_path_factory.mktemp("node"), *roles) as process:
        yield process
    assert "Traceback" not in process.errors, process.errors


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(browser: Browser, node: Process) -> AsyncIterator[Show]:
    """Ada's stage, a viewer who watched her alone, then Bob and Cy beside her."""
    async with AsyncExitStack() as stack:
        contexts = {
            name: await stack.enter_async_context(await host_context(browser, node, name)) for name in COLOURS
        }
        audience = await stack.enter_async_context(
            await browser.new_context(base_url=node.url, viewport={"width": 800, "height": 600})
        )
        opened = await Show.open(browser, node, contexts["Ada"], audience)
        await opened.invite(contexts["Bob"], "Bob")
        await opened.invite(contexts["Cy"], "Cy")
        yield opened


async def test_each_host_hears_the_others_and_not_itself(show: Show) -> None:
    for name, page in show.pages.items():
        await expect(page.get_by_test_id("host-tile")).to_have_count(3, timeout=SLOW_MS)
        await hears(page, "stage", set(COLOURS) - {name})


async def test_the_viewer_sees_the_layout_and_hears_everybody(show: Show) -> None:
    await shows(show.viewer, await show.ids(), LayoutSpec())
    await show.viewer.evaluate("document.querySelector('video').muted = false")
    await hears(show.viewer, "viewer", set(COLOURS))
    assert await show.same_connection()


async def test_the_owner_changes_the_layout_while_live(show: Show) -> None:
    ids = await show.ids()
    ada = show.pages["Ada"]
    await ada.locator(tile(ids["Bob"])).get_by_test_id("host-pin").click()
    await ada.get_by_test_id("layout-spotlight").click()
    await shows(show.viewer, ids, LayoutSpec(layout="spotlight", pinned=ids["Bob"]))
    await ada.get_by_test_id("layout-side-by-side").click()
    await shows(show.viewer, ids, LayoutSpec(layout="side-by-side", pinned=ids["Bob"]))
    await ada.get_by_test_id("layout-grid").click()
    await shows(show.viewer, ids, LayoutSpec(pinned=ids["Bob"]))
    # the owner's own view of the program
    assert await ada.get_by_test_id("program-preview").evaluate("video => video.videoWidth") > 0


async def test_the_owner_makes_a_layout_of_their_own(show: Show) -> None:
    ids = await show.ids()
    ada = show.pages["Ada"]
    await ada.get_by_test_id("layout-custom").click()
    await expect(ada.get_by_test_id("editor-tile")).to_have_count(3)
    await ada.get_by_test_id("tile-reset").click()
    await ada.locator(editor_tile(ids["Bob"])).focus()
    for _ in range(4):
        await ada.keyboard.press("Shift+ArrowLeft")
        await ada.keyboard.press("Shift+ArrowUp")
    await ada.keyboard.press("ArrowDown")
    cy = ada.locator(editor_tile(ids["Cy"]))
    await cy.scroll_into_view_if_needed()
    box = await cy.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await ada.mouse.move(x, y)
    await ada.mouse.down()
    # a quarter of the picture, not quite: the edge draws it
    await ada.mouse.move(x - 0.49 * box["width"], y + 3, steps=4)
    await ada.mouse.up()
    await ada.get_by_test_id("tile-apply").click()
    await expect(ada.get_by_test_id("tile-canvas")).to_have_count(0)
    third = 1 / 3
    tiles = (
        TileSpec(ids["Ada"], 0, 0, 0.5, 0.5),
        TileSpec(ids["Bob"], 0.5, 1 / 24, third, third),
        TileSpec(ids["Cy"], 0, 0.5, 0.5, 0.5),
    )
    await shows(show.viewer, ids, LayoutSpec(layout="custom", tiles=tiles))
    await ada.get_by_test_id("layout-grid").click()
    await shows(show.viewer, ids, LayoutSpec())


async def test_the_owner_uploads_a_background(show: Show) -> None:
    ada = show.pages["Ada"]
    out = io.BytesIO()
    Image.new("RGB", (64, 36), (250, 200, 10)).save(out, "PNG")
    file: FilePayload = {"name": "wall.png", "mimeType": "image/png", "buffer": out.getvalue()}
    await ada.get_by_test_id("asset-upload").set_input_files(file)
    chosen = ada.get_by_test_id("asset-background")
    await chosen.click()
    await expect(chosen).to_have_attribute("aria-pressed", "true")
    await expect(ada.get_by_test_id("asset-delete")).to_be_disabled()
    # beside the third tile, which has its row for itself
    await show.until_colour((0.05, 0.75), (250, 200, 10))
    await chosen.click()
    await ada.get_by_test_id("asset-delete").click()
    await expect(ada.get_by_test_id("asset")).to_have_count(0)


async def becomes_quieter(show: Show, least_db: float, most_db: float) -> None:
    """Until Bob is so much quieter than the others: all tones are as loud, once their levels are adjusted."""
    for _ in range(60):
        heard = await hears(show.viewer, "viewer", set(COLOURS))
        quieter = (heard["Ada"] + heard["Cy"]) / 2 - heard["Bob"]
        if least_db < quieter < most_db:
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"{quieter} dB quieter, {(least_db + most_db) / 2} were set")


async def test_mute_and_gain(show: Show) -> None:
    ids = await show.ids()
    ada = show.pages["Ada"]
    await hears(show.viewer, "viewer", set(COLOURS))
    bob = ada.locator(tile(ids["Bob"]))
    await bob.get_by_test_id("host-mute").click()
    await hears(show.viewer, "viewer", {"Ada", "Cy"})
    await hears(show.pages["Cy"], "stage", {"Ada"})
    await bob.get_by_test_id("host-mute").click()
    await becomes_quieter(show, -3, 3)
    await bob.get_by_test_id("host-gain").fill("-12")
    await becomes_quieter(show, 9, 15)


async def test_back_to_one_host_and_the_viewer_noticed_nothing_but_the_picture(show: Show) -> None:
    ids = await show.ids()
    await show.pages["Bob"].get_by_test_id("stage-leave").click()
    ada = show.pages["Ada"]
    await expect(ada.get_by_test_id("host-tile")).to_have_count(2)
    await ada.locator(tile(ids["Cy"])).get_by_test_id("host-remove").click()
    await ada.get_by_test_id("remove-confirm").click()
    await expect(ada.get_by_test_id("host-tile")).to_have_count(1)
    await expect(ada.get_by_test_id("layout-alone")).to_be_visible()
    await expect(show.pages["Cy"].get_by_text("took you off the stage")).to_be_visible()
    await shows_alone(show.viewer, "Ada")
    # one connection and one rising clock through all of one, three, two, one
    assert await show.same_connection()
    times = await show.shown()
    assert len(times) > 100
    assert all(0 < (after - before) % 2**32 < 2**31 for before, after in pairwise(times))
    # an invite that was used lets nobody in
    await show.pages["Cy"].get_by_test_id("stage-enter").click()
    await expect(show.pages["Cy"].get_by_test_id("stage-grid")).to_have_count(0)
    late = await show.pages["Cy"].context.new_page()
    await late.goto(show.pages["Bob"].url)
    await expect(late.get_by_test_id("invite-refused")).to_contain_text("Somebody has entered")
    await late.close()
