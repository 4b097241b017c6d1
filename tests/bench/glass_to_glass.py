"""``python -m tests.bench.glass_to_glass [--publisher chromium|demo] [--codec H264|VP8] [--seconds 20]``

From the moment a 720p picture is drawn to the moment it is decoded (``--reader shown``: presented, which adds
up to a frame of the screen and skips some) in another browser, through a node on the same machine. Goal:
p50 <= 40 ms, p95 <= 80 ms. The browsers and the node share the machine: the load is printed with the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path

from playwright.async_api import Page

from tests.bench.pattern_pages import (
    create_stream,
    demo_whep_url,
    latencies,
    pattern_page,
    percentiles,
    progress,
    until_live,
)
from tests.interop.serve_process import spillway

SETTLE_S = 5.0
"""Chromium's jitter buffer and bandwidth estimation have found their values by then."""


async def measure(publisher: str, codec: str, reader: str, seconds: float) -> dict[str, object]:
    command = "demo" if publisher == "demo" else "serve"
    with tempfile.TemporaryDirectory() as data_dir:
        async with spillway(Path(data_dir), command=command) as node, pattern_page(node.url) as viewer:
            if publisher == "demo":
                whep_url = await demo_whep_url(node.url)
                return await _watch(viewer, whep_url, reader, seconds) | {
                    "publisher": "demo",
                    "codec": "H264",
                }
            stream = await create_stream(node.url)
            async with pattern_page(node.url) as host:
                progress(f"publishing {codec}")
                await host.evaluate(
                    "([url, key, codec]) => publishPattern(url, key, codec)",
                    [stream["whip_url"], stream["stream_key"], codec],
                )
                await until_live(node.url, stream["stream_id"])
                figures = await _watch(viewer, stream["whep_url"], reader, seconds)
                return figures | {"publisher": "chromium", "codec": codec}


async def _watch(page: Page, whep_url: str, reader: str, seconds: float) -> dict[str, object]:
    await page.evaluate("([url, reader]) => watchPattern(url, reader)", [whep_url, reader])
    progress("watching; settling")
    await asyncio.sleep(SETTLE_S)
    since_ms = await page.evaluate("Date.now()")
    progress(f"measuring for {seconds:g} s")
    await asyncio.sleep(seconds)
    good, bad = await latencies(page, since_ms)
    return {
        "latency_ms": percentiles(good, 50, 95),
        "frames": len(good) + bad,
        "crc_ok": round(len(good) / (len(good) + bad), 4),
        "reader": reader,
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency from glass to glass at 720p.")
    parser.add_argument("--publisher", choices=["chromium", "demo"], default="chromium")
    parser.add_argument("--codec", choices=["H264", "VP8"], default="H264")
    parser.add_argument("--reader", choices=["decoded", "shown"], default="decoded")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(**vars(options)))))


if __name__ == "__main__":
    main()
