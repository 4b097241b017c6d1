"""Glass to glass in hls.js: ``python -m tests.bench.hls_latency [--seconds 20] [--size 1280x720]``.

The last line of stdout is JSON. Needs Chromium and the player's script.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
from pathlib import Path

from aiohttp import web
from playwright.async_api import async_playwright

from hls_bridge.bridge import BridgeConfig, main
from hls_bridge.link import DirectSink
from hls_bridge.origin import Origin
from hls_bridge.program import ProgramSettings
from hls_bridge.routes import routes
from tests.stamp import READ_STAMP_JS, StampedParticipant

ROOT = Path(__file__).parent.parent.parent
MODULES = [ROOT / "web" / "node_modules", ROOT / "build" / "npm" / "node_modules"]
SCRIPTS = {"hls.js": "hls.js/dist/hls.min.js", "shaka": "shaka-player/dist/shaka-player.compiled.js"}
SETUP = {
    "hls.js": """
const hls = new Hls({lowLatencyMode: true, liveSyncDuration: 0.7, liveMaxLatencyDuration: 4,
  maxLiveSyncPlaybackRate: 1.1, liveSyncOnStallIncrease: 0.25, backBufferLength: 10});
hls.on(Hls.Events.ERROR,
  (_, d) => errors.push([performance.now(), d.details, d.fatal, String(d.error && d.error.message)]));
hls.loadSource(url); hls.attachMedia(v);
window.more = () => ({latency: hls.latency, level: hls.currentLevel});
""",
    "shaka": """
const player = new shaka.Player();
player.addEventListener('error', e => errors.push([performance.now(), e.detail.code, e.detail.data]));
player.configure({streaming: {lowLatencyMode: true, liveSync: {enabled: true, targetLatency: 1.1}}});
player.attach(v).then(() => player.load(url)).catch(e => errors.push([performance.now(), String(e), e.code]));
window.more = () => player.getStats();
""",
}
PAGE = (
    """<!doctype html><video id=v muted autoplay playsinline width=640></video>
<canvas id=c width=160 height=24></canvas><script src="/player.js"></script><script>
"""
    + READ_STAMP_JS
    + """
const v = document.getElementById('v'), c = document.getElementById('c');
window.latencies = []; window.bad = 0; window.stalls = []; window.errors = [];
const url = '/api/v1/streams/s/manifest.m3u8';
v.addEventListener('waiting', () => stalls.push(performance.now()));
function look() {
  const at = readStamp(v, c), now = Date.now();
  if (at === null) bad++; else latencies.push((now - at) >>> 0 > 2**31 ? 0 : (now % 2**32) - at);
  v.requestVideoFrameCallback(look);
}
v.requestVideoFrameCallback(look);
window.stats = () => ({time: v.currentTime,
  buffered: v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : 0,
  rate: v.playbackRate, ...more()});
"""
)


async def measure(
    seconds: float, width: int, height: int, player: str, script_path: Path
) -> dict[str, object]:
    """Run publisher, bridge, origin and browser; latencies in milliseconds."""
    origin = Origin()
    app = web.Application()
    app.add_routes(routes(origin))

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE + SETUP[player] + "</script>", content_type="text/html")

    async def script(_: web.Request) -> web.FileResponse:
        return web.FileResponse(script_path)

    app.add_routes([web.get("/", page), web.get("/player.js", script)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    origin.begin("s", "b1")
    participant = StampedParticipant(width, height, 30, seconds + 25)
    config = BridgeConfig(ProgramSettings(passthrough=False))
    bridge = asyncio.create_task(
        main(participant, [participant.VIDEO, participant.AUDIO], config, DirectSink(origin, "s"))
    )
    await asyncio.sleep(5)
    async with async_playwright() as p:
        browser = await p.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--autoplay-policy=no-user-gesture-required", "--no-sandbox"],
        )
        tab = await browser.new_page()
        await tab.goto(url)
        await asyncio.sleep(6)  # start and catch up
        await tab.evaluate("latencies.length = 0; bad = 0; stalls.length = 0")
        for _ in range(int(seconds / 5)):
            await asyncio.sleep(5)
            print(await tab.evaluate("stats()"), file=sys.stderr)
        latencies, bad, stalls, errors = await tab.evaluate("[latencies, bad, stalls, errors]")
        await browser.close()
    bridge.cancel()
    await asyncio.gather(bridge, return_exceptions=True)
    origin.end("s")
    await runner.cleanup()
    if len(latencies) < 2:
        return {"frames": len(latencies), "bad": bad, "stalls": len(stalls), "errors": errors[-5:]}
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "p50_ms": round(cuts[49]),
        "p95_ms": round(cuts[94]),
        "frames": len(latencies),
        "bad": bad,
        "stalls": len(stalls),
        "errors": errors[-5:],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--player", choices=SCRIPTS, default="hls.js")
    arguments = parser.parse_args()
    found = [folder / SCRIPTS[arguments.player] for folder in MODULES]
    script_path = next((path for path in found if path.exists()), None)
    if script_path is None:
        parser.error(f"{arguments.player} is missing: npm install it in web")
    size = [int(n) for n in arguments.size.split("x")]
    print(json.dumps(asyncio.run(measure(arguments.seconds, *size, arguments.player, script_path))))
