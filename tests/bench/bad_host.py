"""``python -m tests.bench.bad_host [--seconds 15] [--loss 0.05] [--jitter-ms 80]``

What a host on a good line gets of the program beside a second one on a good line, and beside one behind a
relay that loses and delays: glass to glass, pictures, lip sync, sound. Hosts, node and viewer as in
`tests.bench.stage`. The load is printed with the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import aiohttp
from playwright.async_api import Page

from mixer.layout import LayoutSpec
from tests.bench.pattern_pages import SCRIPTS, pattern_page, percentiles, progress
from tests.bench.relayed_whip import relayed_whip
from tests.bench.stage import SETTLE_S, Stage, lip_sync, pictures, regions, until_readable
from tests.child import demo_publisher
from tests.interop.serve_process import spillway
from tests.udp_relay import udp_relay

ROLES = ("--roles", "api,gateway,engine,mixer", "--program-height", "720")


async def of_first_host(page: Page, seconds: float) -> dict[str, object]:
    """What the viewer gets of the host in the first region."""
    before = await page.evaluate("counted()")
    since_ms: float = await page.evaluate("Date.now()")
    await asyncio.sleep(seconds)
    seen, after = await pictures(page, since_ms), await page.evaluate("counted()")
    read = [(each["at"], each["latency"][0]) for each in seen if each["latency"][0] is not None]
    drawn = sorted({at - latency for at, latency in read})
    heard = after["heard"] - before["heard"]
    return {
        "glass_to_glass_ms": percentiles([latency for _, latency in read], 50, 95),
        "pictures_per_s": round(len(drawn) / seconds, 1),
        "longest_step_ms": round(max(b - a for a, b in pairwise(drawn))),
        "unreadable": len(seen) - len(read),
        "concealed_sound": round((after["concealed"] - before["concealed"]) / heard, 4),
    }


async def phase(
    page: Page, stage: Stage, whip_url: str, seconds: float, worsen: Callable[[], None] = lambda: None
) -> dict[str, object]:
    """With a second host at ``whip_url``, whose line is bad once it sends: FFmpeg repeats no handshake."""
    invite = await stage.invite()
    async with demo_publisher(f"{whip_url}/whip", invite["invite"]):
        hosts = await stage.sending(2)
        worsen()
        await until_readable(page, regions(hosts, LayoutSpec()))
        await asyncio.sleep(SETTLE_S)
        found = await of_first_host(page, seconds)
        await stage.mute(hosts[1], True)
        await asyncio.sleep(1)
        return found | await lip_sync(page)


async def measure(seconds: float, loss: float, jitter_ms: float) -> dict[str, object]:
    figures: dict[str, object] = {"loss": loss, "jitter_ms": jitter_ms}
    with tempfile.TemporaryDirectory() as data_dir:
        async with (
            spillway(Path(data_dir), *ROLES) as node,
            aiohttp.ClientSession(node.url, raise_for_status=True) as http,
            pattern_page(node.url) as page,
        ):
            script = (SCRIPTS / "stage_viewer.js").read_text()
            exports = "\nObject.assign(window, { watchStage, counted });"
            await page.add_script_tag(type="module", content=script + exports)
            await page.wait_for_function("typeof counted === 'function'")
            stage = await Stage.open(http)
            async with demo_publisher(f"{node.url}/whip", stage.stream["stream_key"]):
                await stage.sending(1)
                await page.evaluate("(url) => watchStage(url)", stage.stream["whep_url"])
                await until_readable(page, [[0, 0, 1, 1]])
                progress("beside a good host")
                figures["beside_good"] = await phase(page, stage, node.url, seconds)
                await until_readable(page, [[0, 0, 1, 1]])
                progress("beside a bad host")
                async with udp_relay(seed=1) as relay, relayed_whip(node.url, relay) as front:

                    def worsen() -> None:
                        relay.loss, relay.jitter_ms = loss, jitter_ms

                    figures["beside_bad"] = await phase(page, stage, front, seconds, worsen)
                    figures["relay"] = {"forwarded": relay.forwarded, "lost": relay.lost}
            figures["load"] = round(os.getloadavg()[0], 1)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="A good host beside a bad one.")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--loss", type=float, default=0.05)
    parser.add_argument("--jitter-ms", type=float, default=80.0)
    print(json.dumps(asyncio.run(measure(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
