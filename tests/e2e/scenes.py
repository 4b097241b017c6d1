"""What ``tests.e2e.screenshots`` takes pictures of: each state of each page that a user gets to see."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from PIL import Image, ImageDraw
from playwright.async_api import FilePayload, Page, expect

from tests.e2e.hls_page import expect_mode, moves_on
from tests.e2e.screenshots import Camera
from tests.e2e.show import SLOW_MS, host_context
from tests.e2e.studio import Studio
from tests.e2e.watch import Watch

__all__ = ["SCENES"]

Scene = Callable[[Camera], Awaitable[None]]
TITLE = "Thursday workshop: soldering for beginners"
HOSTS = ("Ada", "Bob", "Cy", "Dee")
"""Three of ``tests.e2e.show``, and one with the browser's own picture."""
LIVE_MS = 4_000
RECORDED_MS = 8_000


async def nothing_here(camera: Camera) -> None:
    """Discover without a stream, who is not signed in, and addresses that lead nowhere."""
    async with camera.profile() as visitor:
        page = await visitor.new_page()
        for name, path in (
            ("discover-empty", "/"),
            ("sign-up", "/studio"),
            ("dashboard-signed-out", "/dashboard"),
            ("watch-unknown", "/watch/nothing"),
            ("studio-unknown-invite", "/studio/nothing?invite=nothing"),
            ("not-found", "/nowhere"),
        ):
            await page.goto(path)
            await page.wait_for_timeout(1_500)
            await camera.shoot(page, name)


async def sign_in_refused(camera: Camera) -> None:
    async with camera.profile() as visitor:
        page = await visitor.new_page()
        await page.goto("/studio")
        await page.get_by_test_id("signup-switch").click()
        await page.get_by_test_id("signup-name").fill("ada")
        await page.get_by_test_id("signup-password").fill("not her password")
        await page.get_by_test_id("signup-submit").click()
        await page.wait_for_timeout(2_000)
        await camera.shoot(page, "sign-in-refused")


async def demo(camera: Camera) -> None:
    async with camera.profile() as visitor:
        page = await visitor.new_page()
        await page.goto("/")
        card = page.get_by_test_id("stream-card").filter(has_text="Demo")
        await card.wait_for(timeout=SLOW_MS)
        await camera.shoot(page, "discover")
        await card.click()
        await Watch(page).plays(60)
        await camera.shoot(page, "watch")
        await page.get_by_test_id("stats-toggle").click()
        await page.get_by_test_id("quality").click()
        await page.wait_for_timeout(2_000)
        await camera.shoot(page, "watch-stats")


async def alone(camera: Camera) -> None:
    """A host from the first click to the recording, and who watches."""
    async with camera.profile() as host, camera.profile() as audience:
        studio = await Studio.open(host, "ada", TITLE)
        page = studio.page
        await page.wait_for_timeout(1_500)
        await camera.shoot(page, "studio-ready", full=True)
        watch = await Watch.open(audience, studio.stream_id)
        await watch.expect_state("offline")
        await camera.shoot(watch.page, "watch-before")
        await studio.go_live()
        await watch.plays(30)
        await page.wait_for_timeout(max(LIVE_MS, RECORDED_MS))
        await camera.shoot(page, "studio-live", full=True)
        await studio.stop()
        await watch.expect_state("offline", SLOW_MS)
        await watch.page.get_by_test_id("replay").first.wait_for(timeout=SLOW_MS)
        await camera.shoot(watch.page, "watch-ended")
        dashboard = await host.new_page()
        await dashboard.goto("/dashboard")
        await dashboard.get_by_test_id("keys").wait_for()
        await camera.shoot(dashboard, "dashboard", full=True)
        await dashboard.get_by_text("Recordings", exact=True).click()
        await dashboard.get_by_test_id("recording").wait_for()
        await camera.shoot(dashboard, "dashboard-recordings", full=True)
        await dashboard.get_by_test_id("keys").click()
        await camera.shoot(dashboard, "dashboard-keys", full=True)
        await dashboard.get_by_test_id("edit-stream").click()
        await camera.shoot(dashboard, "dashboard-edit", full=True)


async def private(camera: Camera) -> None:
    async with camera.profile() as host, camera.profile() as audience:
        studio = await Studio.open(host, "eve", "Board meeting", visibility="private")
        watch = await Watch.open(audience, studio.stream_id)
        await watch.page.wait_for_timeout(2_000)
        await camera.shoot(watch.page, "watch-private")


def picture(colour: tuple[int, int, int]) -> bytes:
    image = Image.new("RGB", (640, 360), colour)
    ImageDraw.Draw(image).ellipse((220, 80, 420, 280), fill=(255, 255, 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


async def edited(page: Page) -> None:
    """A layout of one's own: the first host large, the others small and round in front."""
    await page.get_by_test_id("layout-custom").click()
    tiles = page.get_by_test_id("editor-tile")
    for index in range(await tiles.count()):
        await tiles.nth(index).focus()
        for key in ["Shift+ArrowUp"] * (4 if index else 0) + ["Shift+ArrowLeft"] * (4 if index else 0):
            await page.keyboard.press(key)
        if index:
            await page.get_by_test_id("tile-radius").fill("0.4")
            await page.get_by_test_id("tile-front").click()


async def directed(camera: Camera, page: Page) -> None:
    """A host who is muted, one who is hidden and pinned, one who sends no more, one who is about to go."""
    tiles = page.get_by_test_id("host-tile")
    await tiles.nth(1).get_by_test_id("host-mute").click()
    await tiles.nth(2).get_by_test_id("host-hide").click()
    await tiles.nth(2).get_by_test_id("host-pin").click()
    guest = page.context.browser.contexts[-1].pages[0] if page.context.browser else page
    senders = "window.__spillway.stage.publisher.getSenders()"
    await guest.evaluate(f"Promise.all({senders}.map((each) => each.replaceTrack(null)))")
    await page.wait_for_timeout(LIVE_MS)
    await camera.shoot(page, "stage-directed", full=True)
    await tiles.nth(3).get_by_test_id("host-remove").click()
    await camera.shoot(page, "stage-removal")
    await page.keyboard.press("Escape")
    for control in ("host-hide", "host-pin"):
        await tiles.nth(2).get_by_test_id(control).click()


async def camera_refused(camera: Camera) -> None:
    async with camera.profile() as host:
        refuse = "Promise.reject(new DOMException('Permission denied', 'NotAllowedError'))"
        # Where a page is loaded there are devices; in the empty one before it there are none.
        refusing = f"if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = () => {refuse}"
        await host.add_init_script(refusing)
        studio = await Studio.open(host, "gus", "No camera")
        await studio.page.wait_for_timeout(1_500)
        await camera.shoot(studio.page, "studio-camera-refused")


async def stage(camera: Camera) -> None:
    """The studio with one host and more, its layouts and what the owner adds to them."""
    async with AsyncExitStack() as stack:
        contexts = [
            await stack.enter_async_context(await host_context(camera.browser, camera.node, name))
            for name in HOSTS[:3]
        ]
        contexts.append(await stack.enter_async_context(camera.profile()))
        studio = await Studio.open(contexts[0], HOSTS[0], TITLE)
        page = studio.page
        await page.get_by_test_id("stage-enter").click()
        await expect(page.get_by_test_id("host-tile")).to_have_count(1, timeout=SLOW_MS)
        await page.wait_for_timeout(LIVE_MS)
        await camera.shoot(page, "stage-1", full=True)
        link = page.get_by_test_id("invite-link")
        for count, (name, context) in enumerate(zip(HOSTS[1:], contexts[1:], strict=True), start=2):
            before = await link.inner_text() if await link.count() else ""
            await page.get_by_test_id("invite-create").click()
            await expect(link).not_to_have_text(before)
            guest = await context.new_page()
            await guest.goto(await link.inner_text())
            await guest.get_by_test_id("stage-name").fill(name)
            if count == 2:
                await guest.wait_for_timeout(1_500)
                await camera.shoot(guest, "guest", full=True)
            await guest.get_by_test_id("stage-enter").click()
            await expect(page.get_by_test_id("host-tile")).to_have_count(count, timeout=SLOW_MS)
            await page.wait_for_timeout(LIVE_MS)
            await camera.shoot(page, f"stage-{count}", full=True)
            if count == 2:
                await camera.shoot(guest, "guest-on-stage", full=True)
                late = await contexts[2].new_page()
                await late.goto(await link.inner_text())
                await late.get_by_test_id("invite-refused").wait_for(timeout=SLOW_MS)
                await camera.shoot(late, "guest-too-late")
                await late.close()
        await directed(camera, page)
        await edited(page)
        await camera.shoot(page, "stage-editor", full=True)
        await page.get_by_test_id("tile-apply").click()
        await expect(page.get_by_test_id("tile-canvas")).to_have_count(0)
        await page.wait_for_timeout(1_500)
        await camera.shoot(page, "stage-custom", full=True)
        await page.get_by_test_id("layout-spotlight").click()
        await page.get_by_test_id("lower-third").fill("Soldering: which iron?")
        await page.get_by_role("button", name="Show", exact=True).click()
        for name, use in (("wall", "background"), ("logo", "logo")):
            file: FilePayload = {
                "name": f"{name}.png",
                "mimeType": "image/png",
                "buffer": picture((60, 40, 110) if use == "background" else (200, 80, 20)),
            }
            uploaded = await page.get_by_test_id("asset").count()
            await page.get_by_test_id("asset-upload").set_input_files(file)
            await expect(page.get_by_test_id("asset")).to_have_count(uploaded + 1)
            await page.get_by_test_id(f"asset-{use}").first.click()
        broken: FilePayload = {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"}
        await page.get_by_test_id("asset-upload").set_input_files(broken)
        await page.wait_for_timeout(LIVE_MS)
        await camera.shoot(page, "stage-dressed", full=True)


async def over_hls(camera: Camera) -> None:
    """Live with a timeline, back in time, and its recording."""
    async with camera.profile() as host, camera.profile() as audience:
        studio = await Studio.open(host, "ada", "Over HLS")
        await studio.configure("h264", height=480)
        await studio.go_live()
        watch = await Watch.open(audience, studio.stream_id)
        page = watch.page
        await expect_mode(page, "hls")
        await moves_on(page, 10)
        timeline = page.get_by_test_id("timeline")
        await expect(timeline).to_be_visible(timeout=30_000)
        await camera.shoot(page, "watch-hls")
        await timeline.focus()
        await page.keyboard.press("ArrowLeft")
        await expect(page.get_by_test_id("go-to-live")).to_be_visible(timeout=20_000)
        await expect_mode(page, "hls")
        await moves_on(page)
        await timeline.hover()
        await camera.shoot(page, "watch-behind")
        await studio.stop()
        await watch.expect_state("offline", 60_000)
        await page.get_by_test_id("replay").first.click(timeout=30_000)
        await expect_mode(page, "hls")
        await asyncio.sleep(1)
        await timeline.hover()
        await camera.shoot(page, "watch-replay")


SCENES: tuple[tuple[str, tuple[str, ...], dict[str, Scene]], ...] = (
    ("serve", (), {"nothing-here": nothing_here, "sign-in-refused": sign_in_refused, "alone": alone}),
    ("serve", (), {"private": private, "camera-refused": camera_refused}),
    ("serve", ("--roles", "api,gateway,engine,mixer", "--program-height", "360"), {"stage": stage}),
    ("serve", ("--seats-per-stream", "0"), {"over-hls": over_hls}),
    ("demo", (), {"demo": demo}),
)
"""Commands and flags of a node, and what to look at there."""
