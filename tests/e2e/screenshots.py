"""``python -m tests.e2e.screenshots FOLDER [FILTER]``: pictures of the pages with a real node behind them.

Each scene of ``tests.e2e.scenes`` whose name contains FILTER is looked at in phone and desktop width, light
and dark. To be looked at; says where a page is wider than the screen or a script failed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize

from tests.e2e.chromium import chromium
from tests.interop.serve_process import Process, spillway

__all__ = ["Camera"]

SIZES: dict[str, ViewportSize] = {
    "phone": {"width": 390, "height": 844},
    "desktop": {"width": 1440, "height": 900},
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLED_MS = 600
"""Transitions take 140 ms; pictures of a resized stage come with the next frames."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Takes pictures of pages at every size, in every scheme."""

    node: Process
    browser: Browser
    folder: Path

    @asynccontextmanager
    async def profile(self) -> AsyncIterator[BrowserContext]:
        """Somebody else's browser; what its pages' scripts fail with is said."""
        async with await self.browser.new_context(base_url=self.node.url) as context:
            context.on("weberror", lambda error: print(f"script failed: {error.error}", file=sys.stderr))
            yield context

    async def shoot(self, page: Page, name: str, *, full: bool = False) -> None:
        """``full``: the whole page, not only what is on the screen."""
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            if full:
                await page.evaluate("scrollTo(0, 0)")
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                await page.wait_for_timeout(SETTLED_MS)
                target = self.folder / f"{name}-{size}-{scheme}.png"
                await page.screenshot(path=target, full_page=full)
                print(target, file=sys.stderr)
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                print(f"{name}-{size}: wider than the screen", file=sys.stderr)


async def main() -> None:
    from tests.e2e.scenes import SCENES

    parser = argparse.ArgumentParser(description="Pictures of the pages with a real node behind them.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("filter", nargs="?", default="")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for command, flags, scenes in SCENES:
        wanted = {name: scene for name, scene in scenes.items() if options.filter in name}
        if not wanted:
            continue
        with tempfile.TemporaryDirectory() as data_dir:
            async with spillway(Path(data_dir), *flags, command=command) as node, chromium() as browser:
                for scene in wanted.values():
                    await scene(Camera(node, browser, options.folder))


if __name__ == "__main__":
    asyncio.run(main())
