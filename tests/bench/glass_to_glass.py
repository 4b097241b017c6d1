"""``python -m tests.bench.glass_to_glass [--publisher chromium|demo] [--codec H264|VP8] [--no-sound]``

From the moment a 720p picture is drawn to the moment it is decoded (``--reader shown``: presented, which adds
up to a frame of the screen and skips some) in another browser, through a node on the same machine. Goal:
p50 <= 40 ms, p95 <= 80 ms. The browsers and the node share the machine: the load is printed with the figures.
With sound the viewer holds each picture back until its sound is played: ``mean_ms`` says where the time goes.
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


async def measure(publisher: str, codec: str, sound: bool, reader: str, seconds: float) -> dict[str, object]:
    command = "demo" if publisher == "demo" else "serve"
    with tempfile.TemporaryDirectory() as data_dir:
        async with spillway(Path(data_dir), command=command) as node, pattern_page(node.url) as viewer:
            if publisher == "demo":
                whep_url = await demo_whep_url(node.url)
                return await _watch(viewer, None, whep_url, reader, seconds) | {
                    "publisher": "demo",
                    "codec": "H264",
                }
            stream = await create_stream(node.url)
            async with pattern_page(node.url) as host:
                progress(f"publishing {codec}")
                await host.evaluate(
                    "([url, key, codec, sound]) => publishPattern(url, key, codec, sound)",
                    [stream["whip_url"], stream["stream_key"], codec, sound],
                )
                await until_live(node.url, stream["stream_id"])
                figures = await _watch(viewer, host, stream["whep_url"], reader, seconds)
                return figures | {"publisher": "chromium", "codec": codec, "sound": sound}


async def _watch(
    page: Page, host: Page | None, whep_url: str, reader: str, seconds: float
) -> dict[str, object]:
    await page.evaluate("([url, reader]) => watchPattern(url, reader)", [whep_url, reader])
    progress("watching; settling")
    await asyncio.sleep(SETTLE_S)
    since_ms = await page.evaluate("Date.now()")
    before = await _times(page, host)
    progress(f"measuring for {seconds:g} s")
    await asyncio.sleep(seconds)
    good, bad = await latencies(page, since_ms)
    after = await _times(page, host)
    return {
        "latency_ms": percentiles(good, 50, 95),
        "mean_ms": {name: _mean(before.get(name, [0, 0]), after[name]) for name in after},
        "frames": len(good) + bad,
        "crc_ok": round(len(good) / (len(good) + bad), 4),
        "reader": reader,
        "load": round(os.getloadavg()[0], 1),
    }


async def _times(viewer: Page, host: Page | None) -> dict[str, list[float]]:
    """``times`` of peers.js: the publisher's, where it is a page, and the viewer's."""
    sums: dict[str, list[float]] = await viewer.evaluate("times(viewers.at(-1).pc)")
    return (await host.evaluate("times(published)") if host else {}) | sums


def _mean(before: list[float], after: list[float]) -> float | None:
    count = after[1] - before[1]
    return round((after[0] - before[0]) / count, 1) if count else None


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency from glass to glass at 720p.")
    parser.add_argument("--publisher", choices=["chromium", "demo"], default="chromium")
    parser.add_argument("--codec", choices=["H264", "VP8"], default="H264")
    parser.add_argument("--sound", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--reader", choices=["decoded", "shown"], default="decoded")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(**vars(options)))))


if __name__ == "__main__":
    main()
