"""The node's HLS: a worker process per live stream feeds the origin, rungs follow the audience.

``Broadcasts`` hears of streams as a ``Listener``. A stream that goes live begins a broadcast at the origin
and starts its worker; a worker that crashes is started anew and goes on with the broadcast.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hls_bridge.broadcast import Broadcast
from hls_bridge.link import LinkServer
from hls_bridge.origin import Origin, clocks
from hls_bridge.recorder import Recorder
from hls_bridge.segment_store import StoreError
from hls_bridge.tiers import TierPolicy
from sfu.node import Sfu
from sfu.relay.supervisor import Worker
from signaling.auth.secrets import new_id
from signaling.live import LiveStreams
from signaling.store.records import Audience, StreamRecord

__all__ = ["Broadcasts", "Hls", "NoHls", "open_link"]

log = logging.getLogger("spillway.hls")

TICK_S = 1.0
WINDOW_S = 60.0
"""How long memory holds a broadcast that has ended: players drain their buffers."""

PAUSED = "The node's disk is full: the stream goes on live, its recording pauses."
RESUMED = "There is space again: the recording goes on."


class Hls(Protocol):
    """What the views show of HLS."""

    def recording(self, stream_id: str) -> bool:
        """Whether the stream is recorded right now."""
        ...

    def thumbnail(self, stream_id: str) -> bool:
        """Whether the live stream has a picture to show."""
        ...

    def seekable(self, stream_id: str) -> bool:
        """Whether one can seek back while it is live."""
        ...

    def degraded(self) -> list[str]:
        """What of it fails at present, and why."""
        ...


class NoHls:
    """A node that has none."""

    def recording(self, stream_id: str) -> bool:
        return False

    def thumbnail(self, stream_id: str) -> bool:
        return False

    def seekable(self, stream_id: str) -> bool:
        return False

    def degraded(self) -> list[str]:
        return []


@dataclass(slots=True)
class _Carried:
    """A stream that is live here."""

    stream: StreamRecord
    tiers: TierPolicy
    record: bool
    """As it was when the broadcast began."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    broadcast: Broadcast | None = None
    rungs: int = 0
    """Listed in the master playlist when one looked last, the sound too."""


class Broadcasts:
    """``Hls`` and ``Listener``."""

    def __init__(
        self,
        *,
        sfu: Sfu,
        origin: Origin,
        recorder: Recorder,
        link: LinkServer,
        link_path: str,
        live: LiveStreams,
        popular_viewers: int,
    ) -> None:
        self._sfu = sfu
        self._origin = origin
        self._recorder = recorder
        self._link = link
        self._link_path = link_path
        self._live = live
        self._popular_viewers = popular_viewers
        self._carried: dict[str, _Carried] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._paused = False

    def recording(self, stream_id: str) -> bool:
        carried = self._carried.get(stream_id)
        return carried is not None and carried.record

    def thumbnail(self, stream_id: str) -> bool:
        return stream_id in self._carried and self._origin.thumbnail(stream_id) is not None

    def seekable(self, stream_id: str) -> bool:
        return self.recording(stream_id)

    def degraded(self) -> list[str]:
        return [f"recording ({where}): {why}" for where, why in self._recorder.troubles.items()]

    # As a Listener ------------------------------------------------------------------------------------

    def stream_changed(self, stream: StreamRecord) -> None:
        carried = self._carried.get(stream.stream_id)
        if stream.status != "live":
            self._end(stream.stream_id)
        elif carried is not None:
            carried.stream = stream
        elif self._group is not None:
            carried = self._carried[stream.stream_id] = _Carried(
                stream, TierPolicy(self._popular_viewers), stream.record
            )
            stream_id = stream.stream_id
            before = self._tasks.get(stream_id)
            task = self._tasks[stream_id] = self._group.create_task(self._carry(carried, before))
            task.add_done_callback(lambda _: self._done(stream_id, task))

    def stream_deleted(self, stream_id: str) -> None:
        carried = self._carried.get(stream_id)
        before = self._tasks.get(stream_id)
        self._end(stream_id)
        if self._group is not None:
            self._group.create_task(self._delete(stream_id, before if carried is not None else None))

    def playback_changed(self, stream: StreamRecord) -> None:
        """Told by this very object."""

    def audience_changed(self, stream_id: str, audience: Audience) -> None:
        """Counted in ``run``."""

    def owner_noticed(self, stream_id: str, reason: str, text: str) -> None:
        """Nothing that a broadcast depends on."""

    # Work ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry broadcasts until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    await asyncio.sleep(TICK_S)
                    for carried in self._carried.values():
                        self._tick(carried)
                    self._tell_pauses()
            finally:
                self._group = None

    def _tell_pauses(self) -> None:
        """The owners of recorded streams hear when recording pauses, and when it goes on."""
        paused = self._recorder.paused is not None
        if paused == self._paused:
            return
        self._paused = paused
        name = "recording-paused" if paused else "recording-resumed"
        for stream_id, carried in self._carried.items():
            if carried.record:
                self._live.report_notice(stream_id, name, PAUSED if paused else RESUMED)

    def _end(self, stream_id: str) -> None:
        carried = self._carried.pop(stream_id, None)
        if carried is not None:
            carried.over.set()

    def _done(self, stream_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(stream_id) is task:
            del self._tasks[stream_id]

    async def _carry(self, carried: _Carried, before: asyncio.Task[None] | None) -> None:
        stream_id = carried.stream.stream_id
        if before is not None:
            await asyncio.wait([before])
        stream = self._sfu.router.get(stream_id)
        if stream is None or carried.over.is_set():
            return
        audio, video = stream.program.sources
        secret = secrets.token_urlsafe(16)
        carried.broadcast = self._origin.begin(stream_id, new_id(), record=carried.record)
        self._link.expect(stream_id, secret)
        arguments = {
            "link": self._link_path,
            "secret": secret,
            "video": video.track_id,
            "audio": audio.track_id,
        }
        try:
            async with Worker(
                self._sfu, stream_id, "hls_bridge.worker:main", role="bridge", arguments=arguments
            ):
                await carried.over.wait()
        finally:
            self._link.dismiss(stream_id)
            self._origin.end(stream_id)
        if self._group is not None:
            self._group.create_task(self._forget(carried.broadcast))

    async def _forget(self, broadcast: Broadcast) -> None:
        await asyncio.sleep(WINDOW_S)
        if self._origin.broadcast(broadcast.stream_id) is broadcast:
            self._origin.forget(broadcast.stream_id)

    async def _delete(self, stream_id: str, carrying: asyncio.Task[None] | None) -> None:
        if carrying is not None:
            await asyncio.wait([carrying])
        self._origin.forget(stream_id)
        for recording in self._recorder.recordings(stream_id):
            try:
                await asyncio.to_thread(self._recorder.delete, recording.session)
            except StoreError as error:
                log.warning("a recording of a deleted stream stays until it is too old: %s", error)

    def _tick(self, carried: _Carried) -> None:
        broadcast = carried.broadcast
        if broadcast is None:
            return
        now_us, _ = clocks()
        viewers = sum(broadcast.viewers.count(now_us))
        self._live.report_audience(broadcast.stream_id, hls=viewers)
        video = [
            (track.spec.height, name)
            for name, track in broadcast.live.tracks.items()
            if track.spec.kind == "video" and track.source == name and not track.stopped
        ]
        # The best and the lowest never stop, so neither is up for decision.
        optional = [name for _, name in sorted(video)[1:-1]]
        tiers = carried.tiers.update(viewers, now_us, optional=optional, last_asked_us=broadcast.asked_us)
        self._link.want(broadcast.stream_id, tiers.want)
        broadcast.live.delist(tiers.delist)
        rungs = len(broadcast.live.renditions())
        if rungs > carried.rungs > 0:
            # Players read the master playlist once; ours looks again when it is told how to watch.
            self._live.tell_playback(carried.stream)
        carried.rungs = rungs


@contextlib.asynccontextmanager
async def open_link(origin: Origin) -> AsyncIterator[tuple[LinkServer, str]]:
    """The socket that workers connect to, in a folder that only this user can enter, and its path."""
    folder = Path(tempfile.mkdtemp(prefix="spillway-"))
    path = str(folder / "link")
    server = LinkServer(origin, path)
    try:
        await server.start()
        try:
            yield server, path
        finally:
            await server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
