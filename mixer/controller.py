"""The node's side of the mixers: a process for every stream with two or more hosts who send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import TYPE_CHECKING, Any

from mixer.layout import parse_layout
from mixer.messages import (
    AddAsset,
    Problem,
    Ready,
    RemoveHost,
    SetHost,
    SetSpeaker,
    Stats,
    VideoSource,
)
from mixer.sync import Delay
from mixer.timing import STAGES, Spent
from mixer.wire import event_from_document, layout_to_document, message_to_document
from sfu.events import StageChanged, StreamEvent
from sfu.media import Source
from sfu.relay.supervisor import Worker

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant
    from sfu.stage import Stage
    from sfu.track import Track, TrackSource

__all__ = ["Mixers"]

ENTRY = "mixer.process:mix"

log = logging.getLogger(__name__)

LINGER_S = 15.0
"""How long a mixer that isn't needed is kept: a host whose page is loaded again is back in five."""

OnProblem = Callable[[str, Problem], None]
"""Stream id and what a mixer has to say."""
LoadAsset = Callable[[str, str], Awaitable[bytes | None]]
"""An uploaded image by stream id and asset id; None: there is none (any more)."""


async def _no_assets(stream_id: str, asset_id: str) -> bytes | None:
    return None


class Mixers:
    """Follows the stages of a node's streams. ``arguments`` are the fields of MixerConfig."""

    def __init__(
        self,
        sfu: Sfu,
        arguments: Mapping[str, Any],
        on_problem: OnProblem,
        load_asset: LoadAsset = _no_assets,
    ) -> None:
        self._sfu = sfu
        self._arguments = dict(arguments)
        self._on_problem = on_problem
        self._load_asset = load_asset
        self._running: dict[str, _Mixer] = {}
        self.spent = dict.fromkeys(STAGES, Spent())
        """Of all mixers since the node started."""
        self.skipped = 0
        """Pictures of programs left out because the machine was too slow."""
        sfu.listeners.append(self._handle)

    def pid(self, stream_id: str) -> int | None:
        """Of the stream's mixer process."""
        mixer = self._running.get(stream_id)
        return mixer.pid if mixer is not None else None

    @property
    def delay(self) -> Delay:
        """Of the host who is waited for longest."""
        return max((mixer.delay for mixer in self._running.values()), default=Delay())

    def _count(self, stats: Stats) -> None:
        self.skipped += stats.skipped
        for stage, spent in stats.spent.items():
            self.spent[stage] = self.spent[stage].plus(spent)

    def _handle(self, event: StreamEvent) -> None:
        if not isinstance(event, StageChanged):
            return
        running = self._running.get(event.stream_id)
        if running is not None:
            running.changed.set()
            return
        stream = self._sfu.router.get(event.stream_id)
        if stream is not None and not stream.closed and len(stream.stage.sending) > 1:
            mixer = _Mixer(
                self._sfu, event.stream_id, self._arguments, self._on_problem, self._load_asset, self._count
            )
            self._running[event.stream_id] = mixer
            self._sfu.tasks.spawn(self._run(mixer), f"mixer {event.stream_id}")

    async def _run(self, mixer: _Mixer) -> None:
        try:
            await mixer.run()
        finally:
            del self._running[mixer.stream_id]


class _Mixer:
    """One stream's mixer, from the second host to LINGER_S after the last but one has left."""

    def __init__(
        self,
        sfu: Sfu,
        stream_id: str,
        arguments: Mapping[str, Any],
        on_problem: OnProblem,
        load_asset: LoadAsset,
        on_stats: Callable[[Stats], None],
    ) -> None:
        self._sfu = sfu
        self.stream_id = stream_id
        self._arguments = arguments
        self._on_problem = on_problem
        self._load_asset = load_asset
        self._on_stats = on_stats
        self.delay = Delay()
        self.changed = asyncio.Event()
        self._worker: Worker | None = None
        self._hosts: dict[str, dict[str, Any]] = {}
        self._layout: dict[str, Any] | None = None
        self._speaker: str | None = None
        self._images: dict[str, bytes | None] = {}
        """Those that the stage's layout names."""

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    async def run(self) -> None:
        worker = Worker(
            self._sfu,
            self.stream_id,
            ENTRY,
            role="mixer",
            arguments=self._arguments,
            on_started=self._started,
        )
        async with worker, asyncio.TaskGroup() as group:
            self._worker = worker
            listening = group.create_task(self._listen(worker))
            while not listening.done():
                self.changed.clear()
                await self._load_images()
                self._tell(worker)
                try:
                    async with asyncio.timeout(None if self._needed() else LINGER_S):
                        await self.changed.wait()
                except TimeoutError:
                    break
            listening.cancel()

    def _stage(self) -> Stage | None:
        stream = self._sfu.router.get(self.stream_id)
        return stream.stage if stream is not None else None

    def _needed(self) -> bool:
        stage = self._stage()
        return stage is not None and len(stage.sending) > 1

    def _started(self, worker: Worker) -> None:
        """A fresh process knows nobody."""
        self._hosts.clear()
        self._layout = self._speaker = None
        self._tell(worker)

    async def _load_images(self) -> None:
        stage = self._stage()
        wanted = _assets(stage.layout) if stage is not None else frozenset()
        for asset_id in wanted - self._images.keys():
            self._images[asset_id] = await self._load_asset(self.stream_id, asset_id)
        self._images = {key: image for key, image in self._images.items() if key in wanted}

    def _tell(self, worker: Worker) -> None:
        """Send what is different from what was sent."""
        stage = self._stage()
        if stage is None or worker.pid is None:
            return
        hosts = {each.participant_id: _host(stage, each) for each in stage.sending}
        documents = {who: message_to_document(host) for who, host in hosts.items()}
        for gone in self._hosts.keys() - documents.keys():
            worker.send(message_to_document(RemoveHost(gone)))
        for who, document in documents.items():
            if self._hosts.get(who) != document:
                worker.send(document)
        layout = _showable(stage.layout, documents.keys())
        named = _assets(layout)
        # Images are loaded in a moment: until then the old layout stays.
        if layout != self._layout and named <= self._images.keys():
            # The process keeps what the layout that it was told last names.
            kept = _assets(self._layout) if self._layout is not None else frozenset()
            for asset_id in named - kept:
                if (image := self._images[asset_id]) is not None:
                    worker.send(message_to_document(AddAsset(asset_id, image)))
            worker.send(layout_to_document(layout))
            self._layout = layout
        speaker = stage.speaker if stage.speaker in documents else None
        if speaker != self._speaker:
            worker.send(message_to_document(SetSpeaker(speaker)))
        self._hosts, self._speaker = documents, speaker

    async def _listen(self, worker: Worker) -> None:
        async for document in worker.messages():
            event = event_from_document(document)
            if isinstance(event, Stats):
                self.delay = event.delay
                self._on_stats(event)
            elif isinstance(event, Ready):
                log.info("mixer of stream %s draws on %s, encodes with %s", self.stream_id,
                         event.compositor, event.encoder)  # fmt: skip
            elif isinstance(event, Problem):
                log.info("mixer of stream %s: %s", self.stream_id, event.text)
                self._on_problem(self.stream_id, event)
        self.changed.set()


def _host(stage: Stage, host: Participant) -> SetHost:
    controls = stage.controls(host.participant_id)

    def source(name: TrackSource) -> Source | None:
        track = host.track_from(name)
        return Source(track.track_id, track.kind) if _came(track) and track is not None else None

    def video(name: TrackSource) -> VideoSource | None:
        track, found = host.track_from(name), source(name)
        if track is None or found is None:
            return None
        return VideoSource(found, tuple(rid for rid in track.encodings if rid))

    # Camera and microphone keep their places while they are muted; a muted screen is no screen.
    return SetHost(
        host.participant_id,
        host.name,
        sound=source("microphone"),
        camera=video("camera"),
        screen=None if controls.video_muted else video("screen"),
        screen_sound=None if controls.audio_muted else source("screen-audio"),
        gain_db=controls.gain_db,
        sound_muted=controls.audio_muted,
        video_muted=controls.video_muted,
    )


def _came(track: Track | None) -> bool:
    return track is not None and not track.closed and track.codec is not None


def _assets(layout: Mapping[str, Any]) -> frozenset[str]:
    return parse_layout(layout).assets


def _showable(layout: Mapping[str, object], hosts: Container[str]) -> dict[str, Any]:
    """The layout without those who have nothing to show; a custom one that shows nobody is a grid."""
    shown = dict(layout)
    if shown.get("pinned") not in hosts:
        shown.pop("pinned", None)
    tiles = shown.get("tiles")
    if isinstance(tiles, list):
        shown["tiles"] = [tile for tile in tiles if tile["participant_id"] in hosts]
        if not shown["tiles"]:
            del shown["tiles"]
            if shown.get("layout") == "custom":
                shown["layout"] = "grid"
    return shown
