"""A real Chromium with a camera and a microphone that make up their pictures and sounds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

__all__ = ["ARGUMENTS", "EXECUTABLE", "chromium"]

EXECUTABLE = "/usr/bin/chromium"

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    # Its own default is 20 frames a second.
    "--use-fake-device-for-media-stream=fps=30",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def _executable() -> Iterator[str]:
    """As root Chromium may give its sound threads real-time priority, and two of them that can't keep up
    take two cores: there it starts without the capability for that."""
    if os.geteuid() != 0:
        yield EXECUTABLE
        return
    with tempfile.TemporaryDirectory() as folder:
        wrapper = Path(folder, "chromium")
        wrapper.write_text(
            f'#!/bin/sh\nexec setpriv --inh-caps -sys_nice --bounding-set -sys_nice {EXECUTABLE} "$@"\n'
        )
        wrapper.chmod(0o755)
        yield str(wrapper)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    with _executable() as executable:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
            try:
                yield browser
            finally:
                await browser.close()
