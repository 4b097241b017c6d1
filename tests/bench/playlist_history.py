"""Every playlist of a node for minutes, read by hls-parser, while worker and source change:
``python -m tests.bench.playlist_history [--seconds 600] [--kills 3]``.

The last line of stdout is JSON. ``outage_s``: what players miss at each kill, by EXT-X-PROGRAM-DATE-TIME.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import aiohttp

from tests.interop.playlist_history import History, strict_errors
from tests.interop.scripted_whip import scripted_publisher
from tests.interop.serve_process import spillway
from tests.interop.test_node_hls import Client, worker_of


async def watch(seconds: float, kills: int, folder: Path) -> dict[str, object]:
    """Ten minutes in which everything happens that begins a new epoch."""
    # Our own reloads make it popular, so a rung joins.
    async with (
        spillway(folder / "node", "--popular-viewers", "1") as node,
        aiohttp.ClientSession() as session,
    ):
        client = Client(node, session)
        await client.make_stream()
        async with scripted_publisher(client.stream["whip_url"], client.stream["stream_key"]) as publisher:
            await client.master()
            history = History(session, node.url, client.stream["stream_id"])
            following = asyncio.create_task(history.run())
            step_s = seconds / (kills + 1) / 3
            await asyncio.sleep(step_s)
            for _ in range(kills):
                os.kill(worker_of(node), signal.SIGKILL)
                await asyncio.sleep(step_s)
                await publisher.tell("gop 8")
                await asyncio.sleep(step_s)
                await publisher.tell("gop 2")
                await asyncio.sleep(step_s)
                print(f"{sum(map(len, history.texts.values()))} playlists", file=sys.stderr)
            await asyncio.sleep(2 * step_s)
        await asyncio.sleep(3)
        following.cancel()
        await asyncio.wait([following])
    history.check()
    sound = next(uri for uri in history.texts if uri.endswith("/sound.m3u8") and "/dvr/" not in uri)
    segments = history.segments(sound)
    gaps = [
        round(b.at_s - a.at_s - a.duration_s, 3)
        for a, b in itertools.pairwise(segments)
        if b.discontinuity and b.at_s - a.at_s - a.duration_s > 0.1
    ]
    paths = history.save(folder)
    errors = strict_errors(paths)
    return {
        "playlists": len(paths),
        "renditions": len(history.texts),
        "discontinuities": len(history.discontinuities(sound)),
        "kills": kills,
        "outage_s": gaps,
        "errors": sorted({error for _, error in errors}),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as where:
        print(json.dumps(asyncio.run(watch(arguments.seconds, arguments.kills, Path(where)))))
