"""Chromium pages that publish and read the latency pattern, for the benchmarks of latency."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from playwright.async_api import Page

from tests.e2e.chromium import chromium

__all__ = [
    "create_stream",
    "demo_whep_url",
    "latencies",
    "pattern_page",
    "percentiles",
    "progress",
    "until_live",
]

SCRIPTS = Path(__file__).parents[1] / "e2e" / "js"


@asynccontextmanager
async def pattern_page(node_url: str) -> AsyncIterator[Page]:
    """A page of the node's origin, in a browser of its own, with the calls of ``peers.js``."""
    async with chromium() as browser, await browser.new_context(bypass_csp=True) as context:
        page = await context.new_page()
        await page.goto(node_url + "/healthz")
        for name, exports in (
            ("pattern.js", "crc8, readPattern, readLuma"),
            ("peers.js", "publishPattern, watchPattern, times, leave"),
        ):
            code = (SCRIPTS / name).read_text() + f"\nObject.assign(window, {{ {exports} }});"
            await page.add_script_tag(type="module", content=code)
        await page.wait_for_function("typeof watchPattern + typeof readPattern === 'functionfunction'")
        yield page


async def create_stream(node_url: str) -> dict[str, Any]:
    """A new account's new stream, as the API shows it to its owner."""
    async with aiohttp.ClientSession(node_url, raise_for_status=True) as session:
        account = {"name": "bench", "password": "correct horse battery"}
        async with session.post("/api/v1/accounts", json=account) as answer:
            token = (await answer.json())["token"]
        async with session.post(
            "/api/v1/streams",
            json={"title": "Bench", "category": "bench", "record": False},
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:
            stream: dict[str, Any] = await answer.json()
            return stream


async def demo_whep_url(node_url: str) -> str:
    """Waits until the node's demo is live."""
    async with aiohttp.ClientSession(node_url, raise_for_status=True) as session, asyncio.timeout(20):
        while True:
            async with session.get("/api/v1/streams/discover") as answer:
                streams = (await answer.json())["streams"]
            if streams:
                return f"{node_url}/whep/{streams[0]['stream_id']}"
            await asyncio.sleep(0.2)


async def until_live(node_url: str, stream_id: str) -> None:
    """Waits until the stream's first media has come."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(10):
        while True:
            async with http.get(f"{node_url}/api/v1/streams/{stream_id}") as answer:
                if (await answer.json())["status"] == "live":
                    return
            await asyncio.sleep(0.1)


async def latencies(page: Page, since_ms: float = 0.0, viewer: int = 0) -> tuple[list[int], int]:
    """What the ``viewer``-th viewer of the page read since a Unix time: latencies in ms, and how many frames
    had a wrong CRC."""
    samples = await page.evaluate(
        "([viewer, since]) => viewers.at(viewer).samples.filter(([at]) => at >= since)", [viewer, since_ms]
    )
    good = [latency for _, latency in samples if latency is not None]
    return good, len(samples) - len(good)


def percentiles(values: list[float] | list[int], *which: int) -> dict[str, float]:
    """``{"p50": ..., ...}``, rounded to a tenth."""
    return {f"p{each}": round(float(np.percentile(values, each)), 1) for each in which}


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
