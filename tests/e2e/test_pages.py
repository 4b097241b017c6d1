"""Finding a stream, being let in, and the keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect

from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(browser: Browser, node: Process) -> AsyncIterator[Studio]:
    async with await browser.new_context(base_url=node.url) as context:
        room = await Studio.open(context, "Ada", "Soldering for beginners")
        await room.configure()
        await room.go_live()
        yield room


async def test_discover_leads_to_the_picture(studio: Studio, audience: BrowserContext) -> None:
    page = await audience.new_page()
    await page.goto("/")
    card = page.locator(f"[data-testid=stream-card][data-stream-id='{studio.stream_id}']")
    await expect(card).to_contain_text("Soldering for beginners")
    await expect(card).to_contain_text("Ada")
    await card.click()
    watch = Watch(page)
    await watch.plays()
    await expect(page.get_by_role("heading", name="Soldering for beginners")).to_be_visible()
    for each in (page, studio.page):
        await expect(each.get_by_test_id("viewer-count")).to_have_attribute("data-count", "1")
    await page.close()
    await expect(studio.page.get_by_test_id("viewer-count")).to_have_attribute(
        "data-count", "0", timeout=15_000
    )


async def test_keyboard(studio: Studio, audience: BrowserContext) -> None:
    watch = await Watch.open(audience, studio.stream_id)
    await watch.plays()
    page = watch.page

    async def video(expression: str) -> object:
        return await page.evaluate(f"document.querySelector('video').{expression}")

    assert await video("muted") is True
    await page.keyboard.press("m")
    assert await video("muted") is False
    await page.keyboard.press("ArrowDown")
    assert await video("volume") == pytest.approx(0.9)
    await page.keyboard.press("ArrowUp")
    assert await video("volume") == pytest.approx(1.0)
    await page.keyboard.press("k")
    assert await video("paused") is True
    await page.keyboard.press(" ")
    assert await video("paused") is False
    await page.keyboard.press("s")
    await expect(page.get_by_test_id("stats")).to_be_visible()
    await page.keyboard.press("s")
    await expect(page.get_by_test_id("stats")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.keyboard.press("f")
    await expect(page.get_by_test_id("fullscreen")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("f")
    await expect(page.get_by_test_id("fullscreen")).to_have_attribute("aria-pressed", "false")
    # Nothing failed without a word: what the page can't do it must not try.
    await watch.plays()
    await page.close()


async def test_a_page_asks_for_nothing_that_is_not_there(studio: Studio, audience: BrowserContext) -> None:
    page = await audience.new_page()
    failed: list[str] = []
    page.on(
        "response", lambda each: failed.append(f"{each.status} {each.url}") if each.status >= 400 else None
    )
    page.on("pageerror", lambda error: failed.append(str(error)))
    await page.goto(f"/watch/{studio.stream_id}")
    await Watch(page).plays()
    await page.goto("/")
    await page.get_by_test_id("stream-card").first.wait_for()
    assert failed == []
    await page.close()


async def test_addresses_that_lead_nowhere_lead_back(studio: Studio, audience: BrowserContext) -> None:
    page = await audience.new_page()
    for path in ("/nowhere", "/studio/one/two"):
        response = await page.goto(path)
        assert response is not None
        assert response.status == 404
        await page.get_by_role("heading", name="There is nothing here").wait_for()
    await page.get_by_role("link", name="See what’s live").click()
    await page.get_by_test_id("stream-card").first.wait_for()
    await page.close()


async def test_private_stream_needs_a_token(
    studio: Studio, host: BrowserContext, audience: BrowserContext
) -> None:
    room = await Studio.open(host, "Grace", "Board meeting", visibility="private")
    await room.configure()
    await room.go_live()
    stranger = await Watch.open(audience, room.stream_id)
    await stranger.expect_state("error")
    await expect(stranger.page.get_by_text("Board meeting")).to_have_count(0)
    discover = await audience.new_page()
    await discover.goto("/")
    await expect(discover.get_by_test_id("stream-card").filter(has_text="Soldering")).to_be_visible()
    await expect(discover.get_by_text("Board meeting")).to_have_count(0)

    owner = await host.new_page()
    await owner.goto("/dashboard")
    await owner.get_by_test_id("keys").click()
    await owner.get_by_test_id("private-link").click()
    await owner.get_by_role("button", name="Show Watch link").click()
    link = await owner.get_by_test_id("private-url").inner_text()
    for same_tab in (False, True):
        guest = stranger if same_tab else await Watch.open(audience, link)
        if same_tab:
            await guest.page.goto(link)
        await guest.plays()
        assert "token" not in guest.page.url
    await stranger.page.reload()
    await stranger.plays()


async def test_a_sign_in_that_was_ended_elsewhere(studio: Studio, host: BrowserContext) -> None:
    """The studio asks for another; whoever only watches goes on, now and with a page opened later."""
    room = await Studio.open(host, "Heidi", "Elsewhere")
    watch = await Watch.open(host, studio.stream_id)
    await watch.plays()
    session = "localStorage.getItem('spillway.session')"
    kept = await room.page.evaluate(f"JSON.parse({session})")
    headers = {"Authorization": f"Bearer {kept['token']}"}
    assert (await host.request.delete("/api/v1/tokens", headers=headers)).status == 204
    await expect(room.page.get_by_test_id("signup-submit")).to_be_visible(timeout=20_000)
    await watch.plays(30)
    stale = "kept => localStorage.setItem('spillway.session', JSON.stringify(kept))"
    await room.page.evaluate(stale, kept)
    await watch.page.reload()
    await watch.plays()
    await watch.page.wait_for_function(f"{session} === null")
