"""The bridge as a participant: taps a program, feeds the pipeline, hands events to a sink."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from hls_bridge.part import Event
from hls_bridge.program import Program, ProgramSettings
from hls_bridge.sound_gate import SoundGate
from sfu.media import Kind, Participant, ParticipantClosed, Source, Tap

__all__ = ["BridgeConfig", "Sink", "main", "now_us"]

TICK_S = 0.02
KEYFRAME_INTERVAL_S = 1.0


class Sink(Protocol):
    """Where events go and wishes come from; `hls_bridge.link` has two."""

    async def send(self, event: Event) -> None: ...

    async def next_want(self) -> frozenset[str]:
        """The next change of the rungs that shall run. ConnectionError: the origin is gone."""
        ...


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """What the control process decides for one stream."""

    program: ProgramSettings = field(default_factory=ProgramSettings)
    encoding: str = "auto"


def now_us() -> int:
    """CLOCK_MONOTONIC, which all processes of the machine share."""
    return time.monotonic_ns() // 1000


async def main(
    participant: Participant,
    sources: Sequence[Source],
    config: BridgeConfig,
    sink: Sink,
) -> None:
    """Run until every source has ended, or the participant or the sink is lost.

    ``sources``: the Program's video and audio, or one of them; their packets' ``arrival_us`` is of the same
    clock as `now_us`. The media pipeline has a thread of its own (and one per rung); the loop only carries
    batches and events. Ends the epoch in any case.
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Event | None] = asyncio.Queue()

    def emit(event: Event) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    program = Program(emit, config.program)
    reading: set[Kind] = set()
    """Of these taps a batch is being pushed: there may be more behind it."""
    with ThreadPoolExecutor(1, "bridge") as pipeline:

        async def read(source: Source, tap: Tap) -> None:
            asked = -KEYFRAME_INTERVAL_S
            async for batch in tap:
                # A tap that has another batch gives it without a turn of the loop: no tick comes in between.
                reading.add(source.kind)
                await loop.run_in_executor(pipeline, program.push, source.kind, batch, now_us())
                reading.discard(source.kind)
                now = now_us() / 1e6
                due = source.kind == "video" and now - asked >= KEYFRAME_INTERVAL_S
                if due and program.take_keyframe_request():
                    asked = now
                    tap.request_keyframe()

        async def read_all() -> None:
            async with asyncio.TaskGroup() as group:
                for source, tap in zip(sources, taps, strict=True):
                    group.create_task(read(source, tap))

        async def tick() -> None:
            while True:
                await asyncio.sleep(TICK_S)
                await loop.run_in_executor(pipeline, partial(program.tick, now_us(), all_read=not reading))

        async def listen() -> None:
            while True:
                names = await sink.next_want()
                await loop.run_in_executor(pipeline, program.want, names)

        async def deliver() -> None:
            # A lost origin ends this task and with it all others. It is not left to whoever awaits it: a
            # worker that is told to stop meanwhile would never get there.
            gate = SoundGate()
            with contextlib.suppress(ConnectionError):
                while (event := await events.get()) is not None:
                    for each in gate.push(event):
                        await sink.send(each)
                for each in gate.end():
                    await sink.send(each)

        taps = [await participant.tap(source, encoding=config.encoding) for source in sources]
        delivery = asyncio.create_task(deliver())
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work()) for work in (read_all, tick, listen)]
                await asyncio.wait([tasks[0], delivery], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        except* (ParticipantClosed, ConnectionError):
            pass  # lost either way; the supervisor decides whether to start anew
        finally:
            for tap in taps:
                with contextlib.suppress(ParticipantClosed):
                    await tap.close()
            await loop.run_in_executor(pipeline, program.close)
            loop.call_soon(events.put_nowait, None)  # behind what the threads have emitted
            await delivery
