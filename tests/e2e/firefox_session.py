"""``python -m tests.e2e.firefox_session FOLDER``: Firefox publishes, Firefox and Chromium watch.

Prints what they received as JSON. Runs in a network of its own (see ``test_firefox``), where listening on
every address reaches nobody else."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.e2e.chromium import chromium
from tests.e2e.firefox import Tab, firefox
from tests.e2e.studio import PASSWORD
from tests.e2e.watch import RECEIVED, Watch
from tests.interop.serve_process import spillway


async def publish(studio: Tab, node_url: str) -> str:
    """Signs up, makes a stream and goes live with what the page proposes; returns the stream's id."""
    await studio.goto(f"{node_url}/studio")
    await studio.enter("signup-name", "Ada")
    await studio.enter("signup-password", PASSWORD)
    await studio.click("signup-submit")
    await studio.enter("stream-title", "From a fox")
    await studio.enter("stream-category", "tests")
    await studio.click("create-stream")
    await studio.enter("resolution", "480")
    await studio.click("go-live")
    await studio.attribute("live-state", "data-state", "live")
    path = await studio.evaluate("location.pathname")
    return str(path).rsplit("/", 1)[1]


async def session(folder: Path) -> dict[str, object]:
    profile, data_dir = folder / "profile", folder / "node"
    profile.mkdir()
    async with (
        spillway(data_dir, "--host", "0.0.0.0") as node,
        firefox(profile) as (studio, viewer),
        chromium() as browser,
    ):
        stream_id = await publish(studio, node.url)
        await viewer.goto(f"{node.url}/watch/{stream_id}")
        await viewer.attribute("player-state", "data-state", "playing")
        await viewer.click("mute")
        await viewer.until(f"({RECEIVED})().then((now) => now.frames >= 60 && now.sound > 0)")
        in_firefox = await viewer.evaluate(f"({RECEIVED})()")
        async with await browser.new_context(base_url=node.url) as audience:
            watch = await Watch.open(audience, stream_id)
            in_chromium = await watch.plays(60)
        await studio.click("stop-live")
        await viewer.attribute("player-state", "data-state", "offline")
        return {"firefox": in_firefox, "chromium": asdict(in_chromium)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(session(Path(sys.argv[1])))))
