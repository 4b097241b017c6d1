"""The browser's reader of the latency pattern against the writer in Python."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from signaling.demo.pattern import Pattern
from signaling.demo.picture import Picture

READER = Path(__file__).parent / "js" / "pattern.js"

# Paints grey values, given as one number per pixel, on a canvas.
PAINT = """([width, height, grey]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < grey.length; i += 1) image.data.set([grey[i], grey[i], grey[i], 255], 4 * i);
    context.putImageData(image, 0, 0);
    window.painted = canvas;
}"""


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        await page.add_script_tag(
            type="module",
            content=READER.read_text() + "\nObject.assign(window, { crc8, readPattern, readLuma });",
        )
        yield page
        await browser.close()


async def paint(page: Page, pattern: Pattern, width: int = 640, height: int = 360) -> None:
    picture = Picture(640, 360)
    picture.draw(0, pattern)
    y, x = np.arange(height) * 360 // height, np.arange(width) * 640 // width
    await page.evaluate(PAINT, [width, height, picture.luma()[y][:, x].ravel().tolist()])


async def read(page: Page, source: str, now_ms: int) -> dict[str, Any]:
    result = await page.evaluate(f"readPattern({source}, {now_ms})")
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize("sent_ms", [0, 2**31 + 5, 2**32 - 1])
@pytest.mark.parametrize("size", [(640, 360), (160, 90)])
async def test_reads_a_canvas(page: Page, sent_ms: int, size: tuple[int, int]) -> None:
    pattern = Pattern(sent_ms, 200)
    await paint(page, pattern, *size)
    now_ms = 400 * 2**32 + sent_ms + 37
    assert pattern.latency_ms(now_ms) == 37
    assert await read(page, "painted", now_ms) == {
        "ok": True,
        "sent_ms": sent_ms,
        "frame": 200,
        "latency_ms": 37,
    }


async def test_reads_a_part_of_a_luma_plane(page: Page) -> None:
    """As a page copies it out of a decoded picture, whose rows may be longer than they show."""
    picture, plane = Picture(640, 360), np.full((720, 1344), 90, np.uint8)
    picture.draw(0, Pattern(77_000, 3))
    plane[180:540, 320:960] = picture.luma()
    read = await page.evaluate(
        """([bytes, region]) => {
            const data = Uint8Array.from(atob(bytes), (each) => each.charCodeAt(0));
            return readLuma({ data, stride: 1344, width: 1280, height: 720 }, 77050, region);
        }""",
        [base64.b64encode(plane.tobytes()).decode(), [0.25, 0.25, 0.5, 0.5]],
    )
    assert read == {"ok": True, "sent_ms": 77_000, "frame": 3, "latency_ms": 50}


async def test_damage_is_noticed(page: Page) -> None:
    await paint(page, Pattern(123_456, 7))
    await page.evaluate(
        """() => { const c = painted.getContext("2d"); c.globalCompositeOperation = "difference";
                   c.fillStyle = "white"; c.fillRect(0, 0, 40, 30); }"""
    )
    assert not (await read(page, "painted", 0))["ok"]


async def test_reads_a_video(page: Page) -> None:
    await paint(page, Pattern(77_000, 3))
    await page.evaluate(
        """async () => {
            const video = document.createElement("video");
            video.muted = true;
            video.srcObject = painted.captureStream(30);
            window.video = video;
            const first = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
            const playing = video.play();
            // captureStream() gives a frame when something is painted, not before.
            const painter = setInterval(() => painted.getContext("2d").fillRect(0, 355, 1, 1), 30);
            await first;
            await playing;
            clearInterval(painter);
        }"""
    )
    assert await read(page, "video", 77_050) == {"ok": True, "sent_ms": 77_000, "frame": 3, "latency_ms": 50}


async def test_a_video_without_a_picture_is_not_ok(page: Page) -> None:
    assert not (await read(page, "document.createElement('video')", 0))["ok"]
