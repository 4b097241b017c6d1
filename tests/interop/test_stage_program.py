"""What else a stage of two shows: a screen beside a camera, and a viewer without the mixer's codec."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mixer.controller import Mixers
from mixer.layout import Host as Shown
from mixer.layout import LayoutSpec, Subject, arrange
from sfu.host import StageHost
from sfu.stream import Stream
from tests.interop.aiortc_peer import Viewer
from tests.interop.node_app import NodeApp, eventually, running_node
from tests.interop.stage_host import Colour, Host
from tests.interop.test_mixed_program import SMALL, Watching, near

ADA, BOB, SCREEN = 60, 200, 130
"""Luma."""


class Show:
    """Ada and Bob on stage, and who watches them."""

    def __init__(self, node: NodeApp, stream: Stream, codec: str | None) -> None:
        self._node = node
        self.stream = stream
        self.ada = Host(self._enter("ada", owner=True), 400, (ADA, 128, 128), codec)
        self.bob = Host(self._enter("bob"), 700, (BOB, 128, 128), codec)
        self._viewers: list[Viewer] = []
        self._tasks: list[asyncio.Task[None]] = []

    def _enter(self, name: str, *, owner: bool = False) -> StageHost:
        participant = self.stream.join("host", participant_id=name, name=name, owner=owner)
        return StageHost(self._node.sfu, participant)

    async def watch(self, codec: str | None = None) -> Watching:
        viewer = Viewer(codec)
        self._viewers.append(viewer)
        watching = Watching(viewer)
        await viewer.start(self._node, "show")
        self._tasks.append(asyncio.create_task(watching.run()))
        return watching

    async def close(self) -> None:
        for host in (self.ada, self.bob):
            await host.host.leave()
            await host.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for viewer in self._viewers:
            await viewer.close()


@asynccontextmanager
async def open_show(codec: str | None = None) -> AsyncIterator[Show]:
    async with running_node() as node:
        Mixers(node.sfu, SMALL, lambda stream_id, problem: None)
        show = Show(node, node.sfu.router.open("show"), codec)
        try:
            yield show
        finally:
            await show.close()


def tiles(watching: Watching, spec: LayoutSpec, *, screen: bool) -> dict[Subject, float]:
    """Brightness in the middle of each tile that the layout has."""
    if watching.luma is None:
        return {}
    height, width = watching.luma.shape
    hosts = [Shown("ada", "ada", screen), Shown("bob", "bob")]
    found = {}
    for tile in arrange(hosts, spec, (width, height)).tiles:
        x, y = tile.rect.x + tile.rect.w * 0.4, tile.rect.y + tile.rect.h * 0.4
        part = watching.luma[int(y) : int(y + tile.rect.h * 0.2), int(x) : int(x + tile.rect.w * 0.2)]
        found[tile.subject] = float(part.mean())
    return found


def show_all(found: dict[Subject, float], wanted: dict[Subject, int]) -> bool:
    return found.keys() == wanted.keys() and all(abs(found[each] - wanted[each]) < 12 for each in wanted)


async def test_a_screen_beside_the_camera() -> None:
    cameras = {Subject("ada", "camera"): ADA, Subject("bob", "camera"): BOB}
    spec = LayoutSpec("spotlight")
    async with open_show() as show:
        show.stream.stage.set_layout({"layout": "spotlight"})
        await show.ada.publish()
        await show.bob.publish()
        await eventually(lambda: show.stream.live)
        watching = await show.watch()
        await eventually(lambda: show.stream.stage.mixed, 40)

        await show.bob.subscribe(1, 1)
        await eventually(lambda: len(show.bob.seen) == 1)
        await show.ada.share(Colour((SCREEN, 128, 128)))
        await show.bob.subscribe(1, 2)
        sources = {mid: each.source for mid, each in show.bob.received.items() if each.kind == "video"}
        assert sorted(sources.values()) == ["camera", "screen"]
        seen = {"camera": ADA, "screen": SCREEN}

        def others_see_both() -> bool:
            pictures = {sources[mid]: frame for mid, frame in show.bob.seen.items() if mid in sources}
            return pictures.keys() == seen.keys() and all(
                abs(frame.to_ndarray(format="gray").mean() - seen[source]) < 12
                for source, frame in pictures.items()
            )

        await eventually(others_see_both)
        # the screen stands in front, both cameras beside it
        with_screen = cameras | {Subject("ada", "screen"): SCREEN}
        await eventually(lambda: show_all(tiles(watching, spec, screen=True), with_screen))

        await show.ada.unshare()
        await eventually(lambda: show_all(tiles(watching, spec, screen=False), cameras))
        assert watching.backwards == 0


async def test_a_viewer_without_the_mixers_codec_sees_the_speaker() -> None:
    """The hosts send VP8, the mixer H.264: Firefox without its plugin."""
    async with open_show("VP8") as show:
        show.stream.stage.set_layout({"layout": "side-by-side"})
        await show.ada.publish()
        await eventually(lambda: show.stream.live)
        early, with_all = await show.watch("VP8"), await show.watch()
        await eventually(lambda: near(early.halves(), ADA, ADA))
        await show.bob.publish()
        await eventually(lambda: near(with_all.halves(), ADA, BOB), 40)
        # one who was there before the mixer, and one who comes while it runs
        late = await show.watch("VP8")

        def sees(watching: Watching, name: str) -> bool:
            luma = {"ada": ADA, "bob": BOB}[name]
            return near(watching.halves(), luma, luma)

        lead = show.stream.stage.lead
        assert lead is not None
        await eventually(lambda: sees(early, lead.participant_id) and sees(late, lead.participant_id))
        # the other one speaks now
        other = "bob" if lead.participant_id == "ada" else "ada"
        show.stream.stage.control(lead.participant_id, audio_muted=True)
        await eventually(lambda: sees(early, other) and sees(late, other))
        assert near(with_all.halves(), ADA, BOB)
        assert early.backwards == 0
