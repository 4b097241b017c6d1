from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.interop.contract.user import User, sign_up
from tests.interop.serve_process import spillway


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def node_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """One node for all tests here: each has accounts and streams of its own."""
    async with spillway(tmp_path_factory.mktemp("node"), "--rate-limits", "off") as node:
        yield node.url


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def ada(http: aiohttp.ClientSession, node_url: str) -> User:
    return await sign_up(http, node_url)


@pytest.fixture
async def bob(http: aiohttp.ClientSession, node_url: str) -> User:
    return await sign_up(http, node_url)
