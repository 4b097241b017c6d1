"""One node, one browser per module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.e2e.chromium import chromium
from tests.interop.serve_process import Process, spillway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    async with spillway(tmp_path_factory.mktemp("node")) as process:
        yield process
    assert "Traceback" not in process.errors, process.errors


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def host(browser: Browser, node: Process) -> AsyncIterator[BrowserContext]:
    """A host's browser profile; whoever comes back finds nothing of the last test in it."""
    async with await browser.new_context(base_url=node.url) as context:
        yield context


@pytest_asyncio.fixture(loop_scope="module")
async def audience(browser: Browser, node: Process) -> AsyncIterator[BrowserContext]:
    """A viewer's browser profile."""
    async with await browser.new_context(base_url=node.url) as context:
        yield context
