"""A stage watched by Chromium, for the mixer's benchmarks: a node, its first host, and the viewer's page."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Page

from mixer.layout import Host, LayoutSpec, arrange
from tests.bench.pattern_pages import SCRIPTS, pattern_page
from tests.child import demo_publisher
from tests.interop.serve_process import spillway

__all__ = [
    "MIXING",
    "WHOLE",
    "Metrics",
    "Region",
    "Stage",
    "WatchedStage",
    "pictures",
    "regions",
    "until_readable",
    "watched_stage",
]

Region = list[float]
"""x, y, width, height in fractions of the program."""
WHOLE: Region = [0, 0, 1, 1]
MIXING = ("api", "gateway", "engine", "mixer")
"""Roles of a node without HLS."""
Metrics = dict[tuple[str, str], float]
"""By name and label, in seconds."""
METRIC = re.compile(r'^(spillway_mixer_\w+)\{\w+="(\w+)"\} (\S+)$', re.MULTILINE)


class Stage:
    """The owner's view of one stream over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, stream: dict[str, Any]) -> None:
        self._http = http
        self.stream = stream
        self.path = f"/api/v1/streams/{stream['stream_id']}"

    @classmethod
    async def open(cls, http: aiohttp.ClientSession) -> Stage:
        account = {"name": "bench", "password": "correct horse battery"}
        token = (await _json(http.post("/api/v1/accounts", json=account)))["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        body = {"title": "Stage", "category": "bench", "record": False}
        return cls(http, await _json(http.post("/api/v1/streams", json=body)))

    async def invite(self) -> dict[str, Any]:
        return await _json(self._http.post(f"{self.path}/invites", json={"name": "Guest"}))

    async def hosts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await _json(self._http.get(f"{self.path}/stage")))["participants"]
        return found

    async def sending(self, count: int) -> list[str]:
        """Participant ids in order of arrival, once so many send picture and sound."""
        async with asyncio.timeout(30):
            while True:
                hosts = [
                    each["participant_id"]
                    for each in await self.hosts()
                    if len(each["tracks"]) == 2 and all(track["flowing"] for track in each["tracks"])
                ]
                if len(hosts) == count:
                    return hosts
                await asyncio.sleep(0.1)

    async def mixer_metrics(self) -> Metrics:
        async with self._http.get("/metrics") as answer:
            found = METRIC.findall(await answer.text())
        return {(name, label): float(value) for name, label, value in found}

    async def set_layout(self, **layout: object) -> None:
        await _json(self._http.put(f"{self.path}/layout", json=layout))

    async def mute(self, participant_id: str, muted: bool) -> None:
        await _json(self._http.patch(f"{self.path}/stage/{participant_id}", json={"muted": muted}))


async def _json(request: Any) -> dict[str, Any]:
    async with request as answer:
        document: dict[str, Any] = await answer.json()
        return document


def regions(hosts: list[str], spec: LayoutSpec) -> list[Region]:
    """The tiles of ``hosts``, in their order."""
    tiles = arrange([Host(each, each) for each in hosts], spec, (1280, 720)).tiles
    by_host = {tile.subject.participant_id: tile.rect for tile in tiles}
    rects = [by_host[each] for each in hosts]
    return [[rect.x / 1280, rect.y / 720, rect.w / 1280, rect.h / 720] for rect in rects]


async def pictures(page: Page, since_ms: float) -> list[dict[str, Any]]:
    """What the viewer read since a Unix time."""
    found: list[dict[str, Any]] = await page.evaluate(
        "(since) => pictures.filter(({ at }) => at >= since)", since_ms
    )
    return found


async def until_readable(page: Page, wanted: list[Region]) -> None:
    """Until every tile shows its host."""
    await page.evaluate("(wanted) => { regions = wanted; }", wanted)
    await page.wait_for_function(
        "(n) => { const last = pictures.at(-1)?.latency ?? [];"
        " return last.length === n && last.every((each) => each !== null); }",
        arg=len(wanted),
        polling=50,
    )


@dataclass(frozen=True, slots=True)
class WatchedStage:
    """A stream with one host, the demo's publisher, whom the page's viewer sees."""

    stage: Stage
    page: Page
    http: aiohttp.ClientSession
    url: str
    """Of the node."""


@asynccontextmanager
async def watched_stage(*roles: str) -> AsyncIterator[WatchedStage]:
    """``roles``: those of the node, all if none; its programs are 720p."""
    argv = ("--program-height", "720", *(("--roles", ",".join(roles)) if roles else ()))
    with tempfile.TemporaryDirectory() as data_dir:
        async with (
            spillway(Path(data_dir), *argv) as node,
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
                await until_readable(page, [WHOLE])
                yield WatchedStage(stage, page, http, node.url)
