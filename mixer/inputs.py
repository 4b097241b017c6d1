"""Driver of the inputs: a task per tapped source, from packets to decoded pictures and sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor

from mixer.decode import PictureTooLarge, UnsupportedVideo
from mixer.layout import Subject
from mixer.messages import Event, Problem, SetHost, VideoSource
from mixer.sound.input import SoundInput
from mixer.sound.mix import SoundMix
from mixer.stage import HostState, Stage
from mixer.sync import HostSync
from mixer.video import VideoInput, choose_encoding
from sfu.depacketize import Depacketizer, UnsupportedCodec, depacketizer
from sfu.media import Participant, RtpPacket, Source, Tap, TapBatch

__all__ = ["Inputs"]

Clock = Callable[[], int]
"""Monotonic microseconds, the same clock that stamps arrivals."""


class Inputs:
    """Keeps one task per source that the hosts have; tasks live in the group given."""

    def __init__(
        self,
        participant: Participant,
        stage: Stage,
        mix: SoundMix,
        group: asyncio.TaskGroup,
        pool: Executor,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self._participant = participant
        self._stage = stage
        self._mix = mix
        self._group = group
        self._pool = pool
        self._clock = clock
        self._tell = tell
        self._tasks: dict[tuple[str, str], tuple[object, asyncio.Task[None]]] = {}
        self._taps: dict[Subject, tuple[Tap, VideoSource, str | None]] = {}

    def update(self, host: HostState) -> None:
        """Start and stop tasks so that they match what the host has now."""
        about = host.about
        self._sound(about, "sound", about.sound, host.sync)
        self._sound(about, "screen-sound", about.screen_sound, host.screen_sync)
        for kind, wanted in (("camera", about.camera), ("screen", about.screen)):
            subject = Subject(about.participant_id, "camera" if kind == "camera" else "screen")
            if not self._keep(about.participant_id, kind, wanted):
                host.drop_video(subject)
                if wanted is not None:
                    self._start(subject.participant_id, kind, wanted, self._pump_video(host, subject, wanted))
        key = f"{about.participant_id}/sound"
        if about.sound is not None:
            self._mix.set_gain(key, about.gain_db)
            self._mix.set_muted(key, about.sound_muted)

    def remove(self, participant_id: str) -> None:
        """Stop all tasks of a host who left."""
        for key in [key for key in self._tasks if key[0] == participant_id]:
            self._tasks.pop(key)[1].cancel()
            self._mix.remove("/".join(key))

    def select_encodings(self) -> None:
        """Ask each tap for the encoding nearest to its rectangle."""
        rectangles = self._stage.rectangles()
        for subject, (tap, wanted, current) in list(self._taps.items()):
            host = self._stage.hosts.get(subject.participant_id)
            rectangle = rectangles.get(subject)
            if host is None or rectangle is None or subject not in host.videos:
                continue
            rid = choose_encoding(wanted.rids, host.videos[subject].sizes, rectangle, current)
            if rid is not None and rid != current:
                tap.select_encoding(rid)
                self._taps[subject] = tap, wanted, rid

    def _keep(self, participant_id: str, kind: str, wanted: object) -> bool:
        """True if the running task is the wanted one; otherwise it is stopped."""
        running = self._tasks.get((participant_id, kind))
        if running is not None and running[0] == wanted:
            return True
        if running is not None:
            del self._tasks[participant_id, kind]
            running[1].cancel()
        return running is None and wanted is None

    def _start(
        self, participant_id: str, kind: str, wanted: object, pump: Coroutine[None, None, None]
    ) -> None:
        task = self._group.create_task(pump, name=f"{kind} of {participant_id}")
        self._tasks[participant_id, kind] = wanted, task

    def _sound(self, about: SetHost, kind: str, source: Source | None, sync: HostSync) -> None:
        if self._keep(about.participant_id, kind, source):
            return
        key = f"{about.participant_id}/{kind}"
        self._mix.remove(key)
        if source is not None:
            sound = SoundInput(sync)
            # A screen's sound (music, a game) keeps its own dynamics; voices are levelled.
            self._mix.add(key, sound.read, levelled=kind == "sound")
            self._start(
                about.participant_id, kind, source, self._pump_sound(about.participant_id, source, sound)
            )

    async def _open(self, participant_id: str, source: Source, encoding: str) -> Tap | None:
        try:
            return await self._participant.tap(source, encoding=encoding)
        except LookupError:
            self._tell(
                Problem("source-gone", f"track {source.track_id} is not there any more", participant_id)
            )
            return None

    async def _pump_sound(self, participant_id: str, source: Source, sound: SoundInput) -> None:
        tap = await self._open(participant_id, source, "auto")
        if tap is None:
            return
        generation: tuple[int, str] | None = None
        redundant: Depacketizer | None = None
        sequence = 0
        try:
            async for batch in tap:
                name = batch.codec.name.lower()
                if generation != (batch.generation, name):
                    if name not in ("opus", "red"):
                        text = f"the mixer can't decode {batch.codec.name}; send Opus"
                        self._tell(Problem("codec", text, participant_id))
                        return
                    if generation is not None:
                        sound.restart()
                    generation = (batch.generation, name)
                    redundant = depacketizer(batch.codec, max_wait_us=0) if name == "red" else None
                packets = batch.packets
                if redundant is not None:
                    # RFC 2198: repaired units come out in order, so they are numbered anew.
                    units = redundant.push(batch.packets, self._clock())
                    packets = [
                        RtpPacket(
                            (sequence + n) & 0xFFFF, unit.rtp_time % 2**32, False, unit.data, unit.arrival_us
                        )
                        for n, unit in enumerate(units)
                    ]
                    sequence += len(packets)
                sound.push(packets, batch.report, self._clock())
        finally:
            await tap.close()

    async def _pump_video(self, host: HostState, subject: Subject, wanted: VideoSource) -> None:
        who = subject.participant_id
        video = host.video(subject)
        rectangle = self._stage.rectangles().get(subject, (1280, 720))
        rid = choose_encoding(wanted.rids, {}, rectangle, None)
        tap = await self._open(who, wanted.source, rid or "auto")
        if tap is None:
            return
        self._taps[subject] = tap, wanted, rid
        told: set[str] = set()
        try:
            async for batch in tap:
                problem = await self._one_batch(tap, video, batch)
                if problem is not None and problem.code not in told:
                    told.add(problem.code)
                    self._tell(Problem(problem.code, problem.text, who))
                if problem is not None and problem.code == "codec":
                    return
        finally:
            self._taps.pop(subject, None)
            await tap.close()

    async def _one_batch(self, tap: Tap, video: VideoInput, batch: TapBatch) -> Problem | None:
        try:
            units = video.units(batch, self._clock())
        except (UnsupportedCodec, UnsupportedVideo) as error:
            return Problem("codec", str(error))
        if not units:
            return None
        loop = asyncio.get_running_loop()
        try:
            decoded = await loop.run_in_executor(self._pool, video.decode, units, self._clock())
        except PictureTooLarge as error:
            return Problem("picture-too-large", str(error))
        video.add(units, decoded, self._clock())
        if decoded.wants_keyframe:
            tap.request_keyframe()
        return None
