"""An uploaded background and logo in the program: from the upload to the viewer's pixels."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
from PIL import Image

from signaling.clock import SystemClock
from signaling.node import open_node
from signaling.settings import Settings
from tests.interop.aiortc_peer import Publisher, Viewer
from tests.interop.node_app import eventually

RED, WHITE, BLUE = (81, 90, 240), (235, 128, 128), (41, 240, 110)
"""BT.601, limited range."""


class Owner:
    """Of a stream on a node."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.path = ""

    async def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._http.request(method, path, **options) as answer:
            document: dict[str, Any] = await answer.json()
            assert answer.status < 300, document
            return document

    async def open(self) -> dict[str, Any]:
        account = await self.call(
            "POST", "/api/v1/accounts", json={"name": "Ada", "password": "correct horse"}
        )
        self._http.headers["Authorization"] = f"Bearer {account['token']}"
        stream = await self.call("POST", "/api/v1/streams", json={"title": "Images", "category": "tests"})
        self.path = f"/api/v1/streams/{stream['stream_id']}"
        return stream

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {key}"} if key else {})
        async with self._http.post(path, data=sdp, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.text(), answer.headers["Location"]

    async def upload(self, colour: tuple[int, int, int], size: tuple[int, int]) -> str:
        out = io.BytesIO()
        Image.new("RGB", size, colour).save(out, "PNG")
        asset_id: str = (await self.call("POST", f"{self.path}/assets", data=out.getvalue()))["asset_id"]
        return asset_id

    async def until_live(self) -> None:
        async with asyncio.timeout(20):
            while (await self.call("GET", self.path))["status"] != "live":  # noqa: ASYNC110 - a poll over HTTP
                await asyncio.sleep(0.05)

    async def until_metric(self, name: str) -> None:
        """Until it is above zero."""
        async with asyncio.timeout(20):
            while True:
                async with self._http.get("/metrics") as answer:
                    rows = (await answer.text()).splitlines()
                [value] = [row.removeprefix(name) for row in rows if row.startswith(f"{name} ")]
                if float(value) > 0:
                    return
                await asyncio.sleep(0.1)

    async def lay_out(self, **images: str) -> None:
        await self.call("PUT", f"{self.path}/layout", json={"layout": "side-by-side"} | images)


class Screen:
    """The newest picture of a viewer."""

    def __init__(self) -> None:
        self._frame: av.VideoFrame | None = None

    async def watch(self, viewer: Viewer) -> None:
        while True:
            [frame] = await viewer.frames("video", 1)
            assert isinstance(frame, av.VideoFrame)
            self._frame = frame

    def shows(self, colour: tuple[int, int, int], x: float, y: float) -> bool:
        """At a point, in fractions of the picture; Y, U and V."""
        if self._frame is None:
            return False
        planes = self._frame.reformat(format="yuv444p").to_ndarray()
        _, height, width = planes.shape
        found = planes[:, int(y * height), int(x * width)].astype(int)
        return bool(np.abs(found - colour).max() < 16)


async def test_an_uploaded_background_and_logo_are_in_the_program(tmp_path: Path) -> None:
    settings = Settings(
        host="127.0.0.1",
        http_port=0,
        rtc_port=0,
        data_dir=tmp_path,
        roles=["api", "engine", "mixer"],
        program_height=360,
    )
    hosts, viewer, screen = [Publisher("H264"), Publisher("H264")], Viewer(), Screen()
    async with open_node(settings, SystemClock()) as node, aiohttp.ClientSession(node.url) as http:
        owner = Owner(http)
        stream = await owner.open()
        wall, logo = (
            await owner.upload((255, 0, 0), (320, 180)),
            await owner.upload((255, 255, 255), (80, 40)),
        )
        watching = None
        try:
            # named before there is a mixer
            await owner.lay_out(background=wall)
            await hosts[0].start(owner, stream["stream_key"])
            invite = await owner.call("POST", f"{owner.path}/invites", json={})
            await hosts[1].start(owner, invite["invite"])
            await owner.until_live()
            await viewer.start(owner, stream["stream_id"])
            watching = asyncio.create_task(screen.watch(viewer))
            await eventually(lambda: screen.shows(RED, 0.5, 0.05), 40)
            assert not screen.shows(WHITE, 0.96, 0.06)
            await owner.until_metric('spillway_mixer_stage_seconds_count{stage="encode"}')
            # and while it runs
            await owner.lay_out(background=wall, logo=logo)
            await eventually(lambda: screen.shows(WHITE, 0.96, 0.06))
            assert screen.shows(RED, 0.5, 0.05)
            await owner.lay_out(background="#0000ff")
            await eventually(lambda: screen.shows(BLUE, 0.5, 0.05) and not screen.shows(WHITE, 0.96, 0.06))
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.wait([watching])
            for each in (*hosts, viewer):
                await each.close()
