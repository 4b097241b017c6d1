"""Two hosts, the mixer's process, and a viewer who sees one program all the time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import AsyncIterator

import numpy as np
import pytest

from mixer.controller import Mixers
from mixer.messages import Problem
from sfu.events import StreamLive
from sfu.host import StageHost
from tests.interop.aiortc_peer import Viewer
from tests.interop.node_app import NodeApp, eventually, running_node
from tests.interop.stage_host import Host

SMALL = {"width": 640, "height": 360, "bitrate_bps": 800_000, "max_bitrate_bps": 1_000_000}


@pytest.fixture
async def node() -> AsyncIterator[NodeApp]:
    async with running_node() as running:
        yield running


def enter(node: NodeApp, name: str, *, owner: bool = False) -> StageHost:
    stream = node.sfu.router.open("show")
    return StageHost(node.sfu, stream.join("host", participant_id=name, name=name, owner=owner))


class Watching:
    """A viewer and the newest picture."""

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
        """Whether a tone of this frequency stands above -40 dBFS in the last half second."""
        if len(self.sound) < 25:
            return False
        samples = np.concatenate(self.sound)
        turns = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / 48000)
        return bool(2 * abs(np.mean(samples * turns)) > 0.01)

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


async def test_one_two_one_hosts_and_a_mixer_that_dies(node: NodeApp) -> None:
    problems: list[Problem] = []
    mixers = Mixers(node.sfu, SMALL, lambda stream_id, problem: problems.append(problem))
    stream = node.sfu.router.open("show")
    stream.stage.set_layout({"layout": "side-by-side"})
    ada = Host(enter(node, "ada", owner=True), 400, (60, 128, 128))
    bob = Host(enter(node, "bob"), 700, (200, 128, 128))
    viewer = Viewer()
    watching = Watching(viewer)
    tasks = []
    try:
        await ada.publish()
        await eventually(lambda: StreamLive("show") in node.events)
        await viewer.start(node, "show")
        tasks += [asyncio.create_task(watching.run()), asyncio.create_task(watching.listen())]
        await eventually(lambda: near(watching.halves(), 60, 60))
        assert mixers.pid("show") is None

        await bob.publish()
        await eventually(lambda: stream.stage.mixed, 40)
        await eventually(lambda: near(watching.halves(), 60, 200))
        await eventually(lambda: watching.hears(400) and watching.hears(700))

        # it dies: somebody's own tracks at once, then a new one
        died = mixers.pid("show")
        assert died is not None
        os.kill(died, signal.SIGKILL)
        await eventually(lambda: not stream.stage.mixed)
        shown = stream.program.track("video")
        assert shown is not None
        assert shown.participant_id in ("ada", "bob")
        await eventually(lambda: stream.stage.mixed, 40)
        assert mixers.pid("show") != died
        await eventually(lambda: near(watching.halves(), 60, 200))

        # the owner mutes a picture: its place stays, the picture goes
        stream.stage.control("bob", video_muted=True)
        await eventually(lambda: watching.halves()[1] < 150)
        stream.stage.control("bob", audio_muted=True)
        await eventually(lambda: watching.hears(400) and not watching.hears(700))
        stream.stage.control("bob", audio_muted=False)
        stream.stage.control("bob", video_muted=False)
        await eventually(lambda: near(watching.halves(), 60, 200))

        await bob.host.leave()
        assert stream.program.track("video") is ada.host.participant.track_of("video")
        await eventually(lambda: near(watching.halves(), 60, 60))
        assert stream.viewers == 1
        assert problems == []
        assert watching.backwards == 0
    finally:
        for host in (ada, bob):
            await host.host.leave()
            await host.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await viewer.close()
