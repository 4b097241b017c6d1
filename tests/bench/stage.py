"""``python -m tests.bench.stage [--seconds 20] [--hls]``

Two hosts of 720p30 on one stage and what the audience gets of it, through a node and its mixer on this
machine: glass to glass, lip sync, how soon another layout is seen, and what a viewer notices of
1 -> 2 -> 1 hosts. The hosts are the demo's publishers (FFmpeg, H.264 at 2.5 Mb/s, Opus), which leaves the
processor for what is measured; the viewer is Chromium. With ``--hls`` the HLS bridge runs too and its
playlists are watched over the same change. The load is printed with the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from itertools import pairwise
from typing import Any

from playwright.async_api import Page

from mixer.layout import LayoutSpec
from mixer.timing import STAGES
from tests.bench.pattern_pages import percentiles, progress
from tests.bench.stage_page import (
    MIXING,
    WHOLE,
    Metrics,
    Stage,
    WatchedStage,
    pictures,
    regions,
    until_readable,
    watched_stage,
)
from tests.child import demo_publisher
from tests.playlist_watch import PlaylistWatch

SETTLE_S = 6.0
"""Chromium's jitter buffer, and the mixer's levelling and delays, have found their values by then."""
CHANGES = 6
LIP_SYNC_S = 10.0
PAIRED_MS = 450
"""Flash and beep come once a second: what is farther away belongs to another second."""
STALE_MS = 100
"""Three frames."""
DELAY = "spillway_mixer_delay_seconds"


def lip_sync_spread(offsets_ms: list[float]) -> dict[str, float]:
    return {
        "count": len(offsets_ms),
        "median": round(statistics.median(offsets_ms), 1),
        "worst": round(max(offsets_ms, key=abs), 1),
    }


async def first_picture(page: Page, since_ms: float, what: str) -> float:
    """Unix time in ms of the first picture since then whose ``latency`` fits the condition ``what``."""
    script = f"(since) => pictures.find(({{ at, latency }}) => at >= since && {what})?.at"
    found = await page.wait_for_function(script, arg=since_ms, polling=50, timeout=5000)
    at_ms: float = await found.json_value()
    return at_ms


async def latency(watched: WatchedStage, seconds: float) -> dict[str, object]:
    """Glass to glass, and the mean time in each stage on its way as mixer and browser count them."""
    page = watched.page
    before, since_ms = await page.evaluate("counted()"), time.time() * 1000
    metrics, delays = await watched.stage.mixer_metrics(), []
    for _ in range(round(seconds)):
        await asyncio.sleep(1)
        delays.append(await watched.stage.mixer_metrics())
    seen, after = await pictures(page, since_ms), await page.evaluate("counted()")
    read = [value for each in seen for value in each["latency"] if value is not None]
    waited = await waited_to_be_read(page, seen)

    def mean_ms(what: str, count: str) -> float:
        return 1000 * (after[what] - before[what]) / max(1, after[count] - before[count])

    stages = mixer_stages_ms(metrics, delays[-1]) | {
        "viewer_buffer": mean_ms("delay_s", "emitted"),
        "viewer_decoding": mean_ms("decode_s", "decoded"),
    }
    # Publisher, node, network, and until the page reads it.
    stages["rest"] = statistics.mean(read) - sum(stages.values())
    return {
        "glass_to_glass_ms": percentiles(read, 50, 95),
        "frames": len(seen),
        "crc_ok": round(len(read) / sum(len(each["latency"]) for each in seen), 4),
        "mean_of_that_ms": {name: round(value, 1) for name, value in stages.items()},
        "waited_to_be_read_ms": percentiles(waited, 50, 95),
        "input_delay_ms": {
            of: percentiles([1000 * each[DELAY, of] for each in delays], 50, 100)
            for of in ("common", "sound", "picture")
        },
    }


def mixer_stages_ms(before: Metrics, after: Metrics) -> dict[str, float]:
    """Mean time of a picture in each of the mixer's stages between two looks at its metrics."""
    name = "spillway_mixer_stage_seconds"
    spent = {
        stage: (after[f"{name}_sum", stage] - before[f"{name}_sum", stage], count)
        for stage in STAGES
        if (count := after[f"{name}_count", stage] - before[f"{name}_count", stage])
    }
    return {f"mixer_{stage}": 1000 * total_s / count for stage, (total_s, count) in spent.items()}


async def waited_to_be_read(page: Page, seen: list[dict[str, Any]]) -> list[float]:
    """How long each picture had been given out when the page read it, in ms: they queue up for it."""
    picture_ms: float = await page.evaluate("pictureClock")
    return [each["at"] - each["rtp_us"] / 1000 - picture_ms for each in seen]


async def lip_sync(page: Page) -> dict[str, object]:
    """Beep after flash at the viewer, in ms, of the host in the first region, by when both were given out: on
    a busy machine pictures and sound wait in queues of their own until the page reads them."""
    since_ms = time.time() * 1000
    await asyncio.sleep(LIP_SYNC_S)
    until_ms = time.time() * 1000
    # What follows the last flash of the window, and what came before its first, must be known too.
    await asyncio.sleep(PAIRED_MS / 1000)
    seen = await pictures(page, since_ms - PAIRED_MS)
    sound_ms, beeps = await page.evaluate("[soundClock, beeps]")
    waited = await waited_to_be_read(page, seen)
    for picture, late in zip(seen, waited, strict=True):
        picture["at"] -= late
        picture["latency"] = [None if each is None else each - late for each in picture["latency"]]
    found = lip_sync_of(seen, [each + sound_ms for each in beeps], since_ms, until_ms)
    return found | {"pictures_waited_to_be_read_ms": percentiles(waited, 50, 95)}


def lip_sync_of(
    seen: list[dict[str, Any]], beeps: list[float], since_ms: float, until_ms: float
) -> dict[str, object]:
    """Each flash that began between the two times with the one beep near it; what has no partner is counted.

    A flash begins on the whole second (`signaling.demo.picture`). Where its first pictures were not shown,
    the one that was is as much later as it was drawn later, by its pattern. Flashes that began while no
    picture had been read for STALE_MS are counted, but no measure of lip sync: the page slept, and when they
    became visible is not known.
    """
    rising = [(a, b) for a, b in pairwise(seen) if a["flash"][0] < 150 <= b["flash"][0]]
    rising = [(a, b) for a, b in rising if since_ms <= b["at"] < until_ms and b["latency"][0] is not None]
    stale = sum(b["at"] - a["at"] > STALE_MS for a, b in rising)
    awake = [b for a, b in rising if b["at"] - a["at"] <= STALE_MS]
    flashes = [b["at"] - (b["at"] - b["latency"][0] + 500) % 1000 + 500 for b in awake]
    paired = [[beep - at for beep in beeps if abs(beep - at) < PAIRED_MS] for at in flashes]
    offsets = [min(each, key=abs) for each in paired if each]
    if len(offsets) < 3:
        raise RuntimeError(f"{len(flashes)} flashes and {len(beeps)} beeps")
    far = max(offsets, key=abs)
    at = next(at for at, each in zip(flashes, paired, strict=True) if far in each)
    around = [picture for picture in seen if abs(picture["at"] - at) < 300]
    return {
        "beep_after_flash_ms": {
            "median": round(statistics.median(offsets), 1),
            "worst": round(far, 1),
        },
        "flashes": len(offsets),
        "flashes_without_beep": len(flashes) - len(offsets),
        "beeps_without_flash": sum(
            since_ms <= beep < until_ms and all(abs(b["at"] - beep) >= PAIRED_MS for _, b in rising)
            for beep in beeps
        ),
        "flashes_while_the_page_slept": stale,
        # Whether a picture was held or the reader slept around the worst of them.
        "longest_without_picture_at_the_worst_ms": round(
            max((b["at"] - a["at"] for a, b in pairwise(around)), default=0)
        ),
    }


async def layout_changes(page: Page, stage: Stage, hosts: list[str]) -> dict[str, object]:
    """From the owner's request to the first picture that is not the old one, and to the first in which every
    tile is at its new place (the change is animated over 300 ms)."""
    first: list[float] = []
    whole: list[float] = []
    grid = regions(hosts, LayoutSpec())
    for number in range(CHANGES):
        pinned = hosts[number % 2]
        lead = regions(hosts, LayoutSpec("picture-in-picture", pinned=pinned))[number % 2]
        await until_readable(page, grid)
        asked_ms = time.time() * 1000
        await stage.set_layout(layout="picture-in-picture", pinned=pinned)
        first.append(await first_picture(page, asked_ms, "latency.includes(null)") - asked_ms)
        await until_readable(page, [lead])
        await asyncio.sleep(0.5)
        await page.evaluate("(wanted) => { regions = wanted; }", grid)
        asked_ms = time.time() * 1000
        await stage.set_layout(layout="grid")
        there = "latency.length === 2 && !latency.includes(null)"
        whole.append(await first_picture(page, asked_ms, there) - asked_ms)
        await asyncio.sleep(0.5)
    return {
        "layout_first_seen_ms": {"median": round(statistics.median(first)), "worst": round(max(first))},
        "layout_whole_ms": {"median": round(statistics.median(whole)), "worst": round(max(whole))},
    }


def gap(seen: list[dict[str, Any]]) -> dict[str, object]:
    """The longest time between two pictures given out."""
    at = [each["at"] for each in seen]
    times = [each["rtp_us"] for each in seen]
    return {
        "longest_ms": round(max(b - a for a, b in pairwise(at))),
        "monotonic": all(b > a for a, b in pairwise(times)),
        "widths": sorted({each["width"] for each in seen}),
    }


async def measure(seconds: float, hls: bool) -> dict[str, object]:
    roles = () if hls else MIXING
    figures: dict[str, object] = {}
    async with watched_stage(*roles) as watched:
        stage, page = watched.stage, watched.page
        await asyncio.sleep(SETTLE_S)
        figures["alone"] = await latency(watched, 3)
        playlists = PlaylistWatch(watched.http, stage.path) if hls else None
        try:
            if playlists is not None:
                playlists.start()
                await playlists.until_segments(4)
            counts, since_ms = await page.evaluate("counted()"), time.time() * 1000
            invite = await stage.invite()
            async with demo_publisher(f"{watched.url}/whip", invite["invite"]):
                hosts = await stage.sending(2)
                progress("two hosts")
                await until_readable(page, regions(hosts, LayoutSpec()))
                await asyncio.sleep(2)
                figures["one_to_two"] = gap(await pictures(page, since_ms))
                await asyncio.sleep(SETTLE_S)
                progress("measuring latency")
                figures |= await latency(watched, seconds)
                await stage.mute(hosts[1], True)
                await asyncio.sleep(1)
                progress("measuring lip sync")
                figures |= await lip_sync(page)
                await stage.mute(hosts[1], False)
                progress("changing the layout")
                figures |= await layout_changes(page, stage, hosts)
                since_ms = time.time() * 1000
            progress("one host again")
            await until_readable(page, [WHOLE])
            await asyncio.sleep(3)
            figures["two_to_one"] = gap(await pictures(page, since_ms))
            after = await page.evaluate("counted()")
            figures["freezes"] = after["freezes"] - counts["freezes"]
            figures["concealed_sound"] = round(
                (after["concealed"] - counts["concealed"]) / (after["heard"] - counts["heard"]), 4
            )
            if playlists is not None:
                await playlists.until_segments(4)
        finally:
            if playlists is not None:
                await playlists.close()
        if playlists is not None:
            tile = regions(hosts, LayoutSpec())[0]
            figures["hls"] = playlists.figures() | {
                f"beep_after_picture_{where}_ms": lip_sync_spread(playlists.lip_sync_ms(region))
                for where, region in (("alone", WHOLE), ("mixed", tile))
            }
        figures["load"] = round(os.getloadavg()[0], 1)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Two hosts, the mixer, and a viewer.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--hls", action="store_true")
    print(json.dumps(asyncio.run(measure(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
