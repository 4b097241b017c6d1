"""Entry of a mixer's process: a participant in, messages in, a program out.

``await main(participant, config, messages)`` runs until the messages end or the participant is closed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

from mixer.assets import AssetError
from mixer.composite import Compositor, open_compositor
from mixer.inputs import Clock, Inputs
from mixer.layout import LayoutError
from mixer.messages import (
    AddAsset,
    Event,
    Message,
    MixerConfig,
    Problem,
    Ready,
    RemoveHost,
    SetHost,
    SetLayout,
    SetSpeaker,
    Stats,
)
from mixer.program import FULL, HALF, PictureOutput, SteadyClock, run_pictures
from mixer.sound.input import warm_up
from mixer.sound.mix import SoundMix
from mixer.sound.output import SoundOutput, SoundThread
from mixer.stage import Stage
from sfu.media import Codec, Encoding, Injector, Participant, RtpPacket, SenderReport

__all__ = ["H264", "OPUS", "main", "monotonic_us"]

# Constrained baseline, as every browser offers it (RFC 6184 section 8.1); levels may be asymmetric.
H264 = Codec(
    "H264",
    90_000,
    fmtp={"packetization-mode": "1", "profile-level-id": "42e01f", "level-asymmetry-allowed": "1"},
)
OPUS = Codec("opus", 48_000, 2, fmtp={"stereo": "1", "sprop-stereo": "1", "minptime": "10"})
# Seconds from 1900 (NTP) to 1970 (Unix).
NTP_OFFSET_S = 2_208_988_800


def monotonic_us() -> int:
    """The clock of arrivals: CLOCK_MONOTONIC, the same in all processes of a machine."""
    return time.monotonic_ns() // 1000


class _Ended(Exception):
    """The messages have ended: an orderly stop."""


async def main(
    participant: Participant,
    config: MixerConfig,
    messages: AsyncIterator[Message],
    *,
    clock: Clock = monotonic_us,
    tell: Callable[[Event], None] = lambda event: None,
    compositor: Compositor | None = None,
) -> None:
    """Mix until ``messages`` end.

    Raises ParticipantClosed when the stream or the relay to it is gone, NoVideoEncoder,
    CompositorUnavailable or OpusMissing when this machine lacks what is needed.
    """
    # Decoding threads hold the GIL for whole milliseconds otherwise, which is much for a 10 ms block.
    sys.setswitchinterval(0.001)
    warm_up()
    compositor = compositor or open_compositor(config.compositor)
    stage = Stage(config.width, config.height, compositor.decoding)
    mix = SoundMix()
    pictures = PictureOutput(config, stage, compositor)
    sound = SoundOutput(mix)
    encodings = (
        Encoding(FULL, config.max_bitrate_bps),
        Encoding(HALF, config.max_bitrate_bps // 4),
    )
    video_track = await participant.publish("video", H264, encodings)
    sound_track = await participant.publish("audio", OPUS)
    loop = asyncio.get_running_loop()

    def send(rid: str, packets: list[RtpPacket]) -> None:
        video_track.send(packets, rid)

    def deliver(packets: list[RtpPacket]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(sound_track.send, packets)

    thread = SoundThread(sound, clock, deliver)
    ticks = SteadyClock(clock(), config.fps)
    decoding = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
    drawing = ThreadPoolExecutor(2, "draw")
    # RFC 3550 section 6.4.1 wants wall time, but one that never steps: taken once.
    epoch_us = time.time_ns() // 1000 - clock() + NTP_OFFSET_S * 1_000_000
    try:
        thread.start()
        async with asyncio.TaskGroup() as group:
            inputs = Inputs(participant, stage, mix, group, decoding, clock, tell)
            tell(Ready(video_track.track_id, sound_track.track_id, pictures.encoder_name, compositor.name))
            group.create_task(_reports(video_track, sound_track, ticks, sound, thread, clock, epoch_us))
            group.create_task(run_pictures(pictures, ticks, clock, drawing, send))
            group.create_task(_keyframes(video_track, pictures))
            group.create_task(_watch(inputs, stage, pictures, ticks, tell))
            group.create_task(_listen(messages, stage, mix, inputs, pictures, clock, tell))
    except BaseExceptionGroup as group_of_errors:
        error = _cause(group_of_errors)
        if not isinstance(error, _Ended):
            raise error from group_of_errors
    finally:
        await asyncio.to_thread(thread.stop)
        decoding.shutdown(wait=True)
        drawing.shutdown(wait=True)
        await video_track.close()
        await sound_track.close()


def _cause(error: BaseException) -> BaseException:
    """The first thing that went wrong; the other tasks were only cancelled for it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _listen(
    messages: AsyncIterator[Message],
    stage: Stage,
    mix: SoundMix,
    inputs: Inputs,
    pictures: PictureOutput,
    clock: Clock,
    tell: Callable[[Event], None],
) -> None:
    async for message in messages:
        problem = _obey(message, stage, mix, inputs, pictures, clock())
        if problem is not None:
            tell(problem)
        inputs.select_encodings()
    raise _Ended


def _obey(
    message: Message, stage: Stage, mix: SoundMix, inputs: Inputs, pictures: PictureOutput, now_us: int
) -> Problem | None:
    """Do what a message says; a Problem says why it can't be done."""
    match message:
        case SetHost():
            inputs.update(stage.set_host(message, now_us))
        case RemoveHost(participant_id=who):
            inputs.remove(who)
            stage.remove_host(who, now_us)
        case SetLayout(spec=spec):
            try:
                stage.set_layout(spec, now_us)
            except LayoutError as error:
                return Problem(error.code, str(error))
            stage.assets.keep(spec.assets)
        case SetSpeaker(participant_id=speaker):
            stage.set_speaker(speaker, now_us)
        case AddAsset(asset_id=asset_id, data=data):
            try:
                stage.assets.add(asset_id, data)
            except AssetError as error:
                return Problem("asset", str(error))
    return None


async def _keyframes(track: Injector, pictures: PictureOutput) -> None:
    while True:
        pictures.request_keyframe(await track.keyframe_requests())


async def _watch(
    inputs: Inputs, stage: Stage, pictures: PictureOutput, ticks: SteadyClock, tell: Callable[[Event], None]
) -> None:
    skipped = 0
    while True:
        await asyncio.sleep(1)
        # Sizes become known as pictures come; a source may also have changed its own.
        inputs.select_encodings()
        spent = stage.timing.take()
        skipped, before = ticks.skipped, skipped
        frames = spent["encode"].pictures
        tell(Stats(frames, skipped - before, stage.delay(), spent))


async def _reports(
    video: Injector,
    audio: Injector,
    ticks: SteadyClock,
    sound: SoundOutput,
    thread: SoundThread,
    clock: Clock,
    epoch_us: int,
) -> None:
    """Sender reports of all encodings, at once and then every second."""
    while True:
        now_us = clock()
        ntp = (now_us + epoch_us) * 2**32 // 1_000_000
        for rid in (FULL, HALF):
            video.report(SenderReport(ntp, ticks.rtp_at(now_us) % 2**32), rid)
        rtp_time = sound.rtp_at(now_us)
        if rtp_time is not None:
            audio.report(SenderReport(ntp, rtp_time % 2**32))
        if thread.error is not None:
            raise thread.error
        await asyncio.sleep(1 if rtp_time is not None else 0.01)
