"""``python -m tests.e2e.screenshots FOLDER [FILTER]``: pictures of the pages with a real node behind them.

Phone and desktop width, light and dark: discover and watch with the demo playing, the studio really live, the
dashboard of its host. To be looked at; says where a page is wider than the screen or a script failed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page

from tests.e2e.chromium import chromium
from tests.e2e.studio import Studio
from tests.e2e.watch import Watch
from tests.interop.serve_process import spillway

SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
LIVE_MS = 4_000


async def discover(page: Page) -> None:
    await page.goto("/")
    await page.get_by_test_id("stream-card").first.wait_for()
    await page.wait_for_timeout(500)


async def watch(page: Page) -> None:
    await discover(page)
    await page.get_by_test_id("stream-card").filter(has_text="Demo").click()
    await Watch(page).plays(60)


async def watch_stats(page: Page) -> None:
    await watch(page)
    await page.get_by_test_id("stats-toggle").click()
    await page.get_by_test_id("quality").click()
    await page.wait_for_timeout(2_000)


async def sign_up(page: Page) -> None:
    await page.goto("/studio")
    await page.get_by_test_id("signup-name").wait_for()


VISITS: dict[str, Callable[[Page], Awaitable[None]]] = {
    "discover": discover,
    "watch": watch,
    "watch-stats": watch_stats,
    "sign-up": sign_up,
}


async def shoot(page: Page, target: Path, full: bool = False) -> None:
    await page.screenshot(path=target, full_page=full)
    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        print(f"{target.name}: wider than the screen", file=sys.stderr)
    print(target, file=sys.stderr)


async def visit(context: BrowserContext, folder: Path, label: str, wanted: str) -> None:
    for name, prepare in VISITS.items():
        if wanted not in f"{name}-{label}":
            continue
        page = await context.new_page()
        page.on("pageerror", lambda error, name=name: print(f"{name}: {error}", file=sys.stderr))
        await prepare(page)
        await shoot(page, folder / f"{name}-{label}.png")
        await page.close()


async def host(context: BrowserContext, folder: Path, label: str) -> None:
    studio = await Studio.open(context, f"ada {label}", "Thursday workshop: soldering for beginners")
    await studio.page.wait_for_timeout(1_500)
    await shoot(studio.page, folder / f"studio-ready-{label}.png", full=True)
    await studio.go_live()
    await studio.page.wait_for_timeout(LIVE_MS)
    await shoot(studio.page, folder / f"studio-live-{label}.png", full=True)
    page = await context.new_page()
    await page.goto("/dashboard")
    await page.get_by_test_id("keys").wait_for()
    await shoot(page, folder / f"dashboard-{label}.png", full=True)
    await page.get_by_test_id("keys").click()
    await page.wait_for_timeout(300)
    await shoot(page, folder / f"dashboard-keys-{label}.png", full=True)
    await page.close()
    await studio.stop()
    await studio.page.close()


async def all_sizes(browser: Browser, url: str, folder: Path, wanted: str) -> None:
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            label = f"{size}-{scheme}"
            async with await browser.new_context(
                base_url=url,
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                has_touch=size == "phone",
            ) as context:
                await visit(context, folder, label, wanted)
                if wanted in f"studio-dashboard-{label}":
                    await host(context, folder, label)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of the pages with a real node behind them.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("filter", nargs="?", default="")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data_dir:
        async with spillway(Path(data_dir), command="demo") as node, chromium() as browser:
            await all_sizes(browser, node.url, options.folder, options.filter)


if __name__ == "__main__":
    asyncio.run(main())
