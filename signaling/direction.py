"""What the owner decides for a stage: its layout, and for each host mute and level.

It is in force at once, and kept: a show goes on as it was when its hosts come back after everybody had left,
or after the node was started anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict, replace

from mixer.layout import Host, LayoutError, check_layout, parse_layout
from sfu.events import StageChanged, StreamEvent
from sfu.node import Sfu
from sfu.stage import HostControls, Stage
from signaling.models import Layout, StageParticipant, StageView
from signaling.problems import problem, sentence
from signaling.stage_view import host_view, stage_view
from signaling.store.interfaces import Assets, DirectionStore, StoreFull
from signaling.store.records import Direction

__all__ = ["Directions"]

REMEMBERED = 1_000
"""Streams; those on stage at the same time are a few dozen on the largest machine."""
DIRECTED = 256
"""Hosts of a stream whose controls are kept: many times as many as a stage holds."""


class Directions:
    """Of the streams of this node. A stage takes its direction when it changes, if it was recalled before."""

    def __init__(self, sfu: Sfu, store: DirectionStore, assets: Assets) -> None:
        self._sfu = sfu
        self._store = store
        self._assets = assets
        self._known: OrderedDict[str, Direction] = OrderedDict()
        self._keeping = asyncio.Lock()
        sfu.listeners.append(self._handle)

    async def recall(self, stream_id: str) -> Direction:
        """To be called before a host comes on stage."""
        found = self._known.get(stream_id)
        if found is None:
            kept = await self._store.get(stream_id)
            # Others may have been faster, and have changed it.
            found = self._known.setdefault(stream_id, kept or Direction())
        self._known.move_to_end(stream_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def view(self, stream_id: str) -> StageView:
        """To be recalled before, where nobody may be on stage."""
        stage = self._stage(stream_id)
        known = self._known.get(stream_id) or Direction()
        return stage_view(stage, known.layout if stage is None else stage.layout)

    async def assets_shown(self, stream_id: str) -> frozenset[str]:
        """Ids of the images that the layout names."""
        return parse_layout((await self.recall(stream_id)).layout).assets

    async def set_layout(self, stream_id: str, layout: Layout) -> None:
        """Raises Problem for one that can't be shown, or names nobody who is there or no image there is."""
        wanted = layout.model_dump(exclude_none=True)
        stage = self._stage(stream_id)
        hosts = [] if stage is None else [Host(h.participant_id, h.name) for h in stage.hosts]
        try:
            spec = parse_layout(wanted)
            check_layout(spec, hosts)
        except LayoutError as error:
            raise problem("bad-layout", sentence(error), code=error.code) from None
        if spec.assets and not spec.assets <= {each.asset_id for each in await self._assets.of(stream_id)}:
            raise problem("bad-layout", "The stream has no image of this id.", code="layout-asset")
        direction = await self.recall(stream_id)
        self._take(stream_id, replace(direction, layout=wanted))
        await self._keep(stream_id)

    async def control(
        self,
        stream_id: str,
        participant_id: str,
        *,
        audio_muted: bool | None,
        video_muted: bool | None,
        gain_db: float | None,
    ) -> StageParticipant:
        """Change what is not None. Raises Problem where no such host is on stage."""
        direction = await self.recall(stream_id)
        stage = self._stage(stream_id)
        if stage is None or participant_id not in [each.participant_id for each in stage.hosts]:
            raise problem("host-not-found", "No host on this stage has this id.")
        decided = {"audio_muted": audio_muted, "video_muted": video_muted, "gain_db": gain_db}
        news = {name: value for name, value in decided.items() if value is not None}
        controls = {host: each for host, each in direction.controls.items() if host != participant_id}
        controls[participant_id] = HostControls(**asdict(stage.controls(participant_id)) | news)
        latest = dict(list(controls.items())[-DIRECTED:])
        self._take(stream_id, replace(direction, controls=latest))
        view = host_view(stage, stage.host(participant_id))
        await self._keep(stream_id)
        return view

    async def forget_host(self, stream_id: str, participant_id: str) -> None:
        """Nobody comes as this host again."""
        direction = await self.recall(stream_id)
        if participant_id in direction.controls:
            others = {host: each for host, each in direction.controls.items() if host != participant_id}
            self._take(stream_id, replace(direction, controls=others))
            await self._keep(stream_id)

    def forget(self, stream_id: str) -> None:
        """The stream was deleted, and in the store all that was kept of it."""
        self._known.pop(stream_id, None)

    def _take(self, stream_id: str, direction: Direction) -> None:
        self._known[stream_id] = direction
        if (stage := self._stage(stream_id)) is not None:
            _apply(direction, stage)

    async def _keep(self, stream_id: str) -> None:
        # One after the other, and each what is known by then: the last decision stays.
        async with self._keeping:
            direction = self._known.get(stream_id)
            if direction is not None:
                # A full database, which the store tells, must not keep anyone from being muted.
                with suppress(StoreFull):
                    await self._store.set(stream_id, direction)

    def _stage(self, stream_id: str) -> Stage | None:
        stream = self._sfu.router.get(stream_id)
        return stream.stage if stream is not None and not stream.closed else None

    def _handle(self, event: StreamEvent) -> None:
        if isinstance(event, StageChanged):
            stage, direction = self._stage(event.stream_id), self._known.get(event.stream_id)
            if stage is not None and direction is not None:
                _apply(direction, stage)


def _apply(direction: Direction, stage: Stage) -> None:
    """Each change is another StageChanged, during which the rest is applied."""
    if stage.layout != direction.layout:
        stage.set_layout(direction.layout)
    for host in stage.hosts:
        wanted = direction.controls.get(host.participant_id)
        if wanted is not None and wanted != stage.controls(host.participant_id):
            stage.control(host.participant_id, **asdict(wanted))
