"""``python -m tests.bench.hls_latency [--publisher demo|chromium] [--seconds 180] [--shaka SCRIPT]``

From the moment a 720p picture is drawn to the moment it is presented by the watch page over Low-Latency HLS,
through a node without WebRTC seats on the same machine. Goal: p50 <= 1.05 s, p95 <= 1.2 s, no stall. The
demo's H.264 passes through beside one lower rung; what Chromium publishes has no regular keyframes, so both
rungs are encoded. ``--shaka`` measures Shaka Player's compiled script instead of our page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page

from tests.bench.pattern_pages import create_stream, pattern_page, percentiles, progress, until_live
from tests.e2e.chromium import chromium
from tests.interop.serve_process import spillway

__all__ = ["STEADY_S", "demo_stream", "measure"]

SCRIPTS = Path(__file__).parents[1] / "e2e" / "js"
STEADY_S = 10.0
"""The demo's source has proved its keyframes by then: the epoch in which it passes through has begun."""
SETTLE_S = 8.0
"""The player has caught up: it begins at most two parts late and wins back 8 % of the time."""
SHAKA = """url => {
  document.body.innerHTML = '<video muted autoplay playsinline width=640></video>';
  const player = new shaka.Player();
  player.configure({streaming: {lowLatencyMode: true, liveSync: {enabled: true, targetLatency: 1.1}}});
  return player.attach(document.querySelector('video')).then(() => player.load(url));
}"""


async def measure(publisher: str, seconds: float, shaka: Path | None = None) -> dict[str, Any]:
    """Times in milliseconds. ``edge_ms``: age of the end of the buffer, measured from the picture's own
    clock: least just after a part has been appended."""
    async with AsyncExitStack() as stack:
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = "demo" if publisher == "demo" else "serve"
        node = await stack.enter_async_context(spillway(data_dir, "--seats-per-stream", "0", command=command))
        if publisher == "demo":
            stream_id = await demo_stream(node.url)
        else:
            stream = await create_stream(node.url)
            stream_id = stream["stream_id"]
            host = await stack.enter_async_context(pattern_page(node.url))
            await host.evaluate(
                "([url, key]) => publishPattern(url, key, 'H264', true)",
                [stream["whip_url"], stream["stream_key"]],
            )
        await until_live(node.url, stream_id)
        browser = await stack.enter_async_context(chromium())
        await asyncio.sleep(STEADY_S)
        page = await _open(browser, node.url, stream_id, shaka)
        await page.wait_for_function("followed.playing", timeout=60_000)
        progress("plays; settling")
        await asyncio.sleep(SETTLE_S)
        since_ms = await page.evaluate("Date.now()")
        progress(f"measuring for {seconds:g} s")
        await asyncio.sleep(seconds)
        followed = await page.evaluate("({...followed, height: document.querySelector('video').videoHeight})")
    return {"publisher": publisher, **_figures(followed, since_ms)}


async def demo_stream(node_url: str) -> str:
    """Waits for the demo's stream; returns its id."""
    async with aiohttp.ClientSession(node_url, raise_for_status=True) as session, asyncio.timeout(30):
        while True:
            async with session.get("/api/v1/streams/discover") as answer:
                if streams := (await answer.json())["streams"]:
                    return str(streams[0]["stream_id"])
            await asyncio.sleep(0.2)


async def _open(browser: Browser, node_url: str, stream_id: str, shaka: Path | None) -> Page:
    """A page that plays the stream and writes down what it shows."""
    context = await browser.new_context(bypass_csp=True)
    page = await context.new_page()
    await page.goto(node_url + ("/healthz" if shaka else f"/watch/{stream_id}"))
    for name, exports in (("pattern.js", "readPattern"), ("hls_pattern.js", "followPattern")):
        code = (SCRIPTS / name).read_text() + f"\nObject.assign(window, {{ {exports} }});"
        await page.add_script_tag(type="module", content=code)
    if shaka:
        await page.add_script_tag(path=shaka)
        await page.evaluate(SHAKA, f"/api/v1/streams/{stream_id}/manifest.m3u8")
    await page.wait_for_function("typeof followPattern === 'function' && document.querySelector('video')")
    await page.evaluate("followPattern(document.querySelector('video'))")
    return page


def _figures(followed: dict[str, Any], since_ms: float) -> dict[str, Any]:
    samples = [sample for sample in followed["samples"] if sample[0] >= since_ms]
    good = [(latency, ahead_s) for _, latency, ahead_s in samples if latency is not None]
    waits = followed["waits"]
    return {
        "latency_ms": percentiles([latency for latency, _ in good], 5, 50, 95, 99),
        "edge_ms": percentiles([latency - 1000 * ahead_s for latency, ahead_s in good], 1, 50, 99),
        "ahead_ms": percentiles([1000 * ahead_s for _, ahead_s in good], 1, 50, 99),
        "stalls": sum(at >= since_ms for at, _ in waits),
        "stalled_ms": sum(ms for at, ms in waits if at >= since_ms),
        "stalls_while_settling": sum(at < since_ms for at, _ in waits),
        "rate_changes": sum(at >= since_ms for at, _ in followed["rates"]),
        "frames": len(samples),
        "crc_ok": round(len(good) / max(1, len(samples)), 4),
        "height": followed["height"],
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency from glass to glass over HLS at 720p.")
    parser.add_argument("--publisher", choices=["demo", "chromium"], default="demo")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--shaka", type=Path, help="shaka-player.compiled.js")
    print(json.dumps(asyncio.run(measure(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
