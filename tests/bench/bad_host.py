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
from collections.abc import Callable
from itertools import pairwise

from playwright.async_api import Page

from mixer.layout import LayoutSpec
from tests.bench.pattern_pages import percentiles, progress
from tests.bench.relayed_whip import relayed_whip
from tests.bench.stage import SETTLE_S, lip_sync
from tests.bench.stage_page import (
    MIXING,
    WHOLE,
    WatchedStage,
    pictures,
    regions,
    until_readable,
    watched_stage,
)
from tests.child import demo_publisher
from tests.udp_relay import udp_relay


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
    watched: WatchedStage, whip_url: str, seconds: float, worsen: Callable[[], None] = lambda: None
) -> dict[str, object]:
    """With a second host at ``whip_url``, whose line is bad once it sends: FFmpeg repeats no handshake."""
    stage, page = watched.stage, watched.page
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
    async with watched_stage(*MIXING) as watched:
        progress("beside a good host")
        figures["beside_good"] = await phase(watched, watched.url, seconds)
        await until_readable(watched.page, [WHOLE])
        progress("beside a bad host")
        async with udp_relay(seed=1) as relay, relayed_whip(watched.url, relay) as front:

            def worsen() -> None:
                relay.loss, relay.jitter_ms = loss, jitter_ms

            figures["beside_bad"] = await phase(watched, front, seconds, worsen)
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
