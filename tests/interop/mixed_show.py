"""A stage with a mixer on a node of its own, and aiortc viewers who watch it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from mixer.controller import Mixers
from mixer.messages import Problem
from sfu.host import StageHost
from tests.interop.aiortc_peer import Viewer
from tests.interop.node_app import NodeApp, running_node
from tests.interop.stage_host import BLOCK, RATE, Host

__all__ = ["Show", "Watching", "near", "open_show"]

SMALL = {"width": 640, "height": 360, "bitrate_bps": 800_000, "max_bitrate_bps": 1_000_000}


class Watching:
    """A viewer's newest picture and last half second of sound."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.luma: np.ndarray | None = None
        self.sound: deque[np.ndarray] = deque(maxlen=25)
        self.last_pts = -1
        self.backwards = 0

    async def run(self) -> None:
        while True:
            frame = await self.viewer.tracks["video"].recv()
            assert frame.pts is not None
            self.backwards += frame.pts < self.last_pts
            self.last_pts = frame.pts
            planes = frame.to_ndarray(format="yuv420p")
            self.luma = planes[: frame.height]

    async def listen(self) -> None:
        while True:
            frame = await self.viewer.tracks["audio"].recv()
            self.sound.append(frame.to_ndarray().ravel()[::2].astype(float) / 32768)

    def hears(self, frequency: float) -> bool:
        """Whether a tone of this frequency (a multiple of 50 Hz) stands above -40 dBFS in the last half
        second, whatever its phase: where a sound was late, the mixer's goes on from elsewhere."""
        if len(self.sound) < 25:
            return False
        turns = np.exp(-2j * np.pi * frequency * np.arange(BLOCK) / RATE)
        return bool(2 * np.mean(np.abs(np.mean(np.array(self.sound) * turns, axis=1))) > 0.01)

    def halves(self) -> tuple[float, float]:
        """Mean brightness of the middle of the left and the right half."""
        if self.luma is None:
            return 0.0, 0.0
        height, width = self.luma.shape
        row = self.luma[height * 45 // 100 : height * 55 // 100]
        return float(row[:, width // 5 : width * 3 // 10].mean()), float(
            row[:, width * 7 // 10 : width * 4 // 5].mean()
        )


def near(halves: tuple[float, float], left: float, right: float) -> bool:
    return abs(halves[0] - left) < 12 and abs(halves[1] - right) < 12


class Show:
    """The stream "show", its hosts side by side, and who watches them."""

    def __init__(self, node: NodeApp) -> None:
        self.node = node
        self.problems: list[Problem] = []
        self.mixers = Mixers(node.sfu, SMALL, lambda stream_id, problem: self.problems.append(problem))
        self.stream = node.sfu.router.open("show")
        self.stream.stage.set_layout({"layout": "side-by-side"})
        self._hosts: list[Host] = []
        self._viewers: list[Viewer] = []
        self._tasks: list[asyncio.Task[None]] = []

    def enter(self, name: str, frequency: float, luma: int = 80, codec: str | None = None) -> Host:
        """A host with a tone and a colour; the first one is the owner."""
        participant = self.stream.join("host", participant_id=name, name=name, owner=not self._hosts)
        host = Host(StageHost(self.node.sfu, participant), frequency, (luma, 128, 128), codec)
        self._hosts.append(host)
        return host

    async def watch(self, codec: str | None = None) -> Watching:
        viewer = Viewer(codec)
        self._viewers.append(viewer)
        watching = Watching(viewer)
        await viewer.start(self.node, "show")
        self._tasks += [asyncio.create_task(watching.run()), asyncio.create_task(watching.listen())]
        return watching

    async def close(self) -> None:
        for host in self._hosts:
            await host.host.leave()
            await host.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for viewer in self._viewers:
            await viewer.close()


@asynccontextmanager
async def open_show() -> AsyncIterator[Show]:
    async with running_node() as node:
        show = Show(node)
        try:
            yield show
        finally:
            await show.close()
