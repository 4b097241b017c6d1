"""Worker processes take part in a stream through a Relay."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sfu.events import StreamLive
from sfu.media import Codec, RtpPacket
from sfu.node import Sfu
from sfu.participant import Participant
from sfu.relay.supervisor import Worker
from sfu.track import Track
from tests.interop.aiortc_peer import Publisher, Viewer
from tests.interop.node_app import LOOPBACK, NodeApp, eventually, running_node

WORKERS = "tests.interop.relay_workers"


@pytest.fixture
async def node() -> AsyncIterator[NodeApp]:
    async with running_node() as running:
        yield running


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def next_with(worker: Worker, key: str) -> Any:
    """The value of ``key`` in the next message that has it."""
    async with asyncio.timeout(20):
        async for message in worker.messages():
            if key in message:
                return message[key]
    raise AssertionError(f"the worker ended before it said {key}")


async def test_a_worker_taps_the_program(node: NodeApp) -> None:
    publisher = Publisher("VP8")
    try:
        await publisher.start(node, "show")
        await eventually(lambda: StreamLive("show") in node.events)
        program = node.sfu.router.open("show").program
        async with Worker(node.sfu, "show", f"{WORKERS}:counting", role="bridge") as worker:
            await eventually(lambda: worker.participant is not None)
            worker.send({"track_id": program.video.track_id, "kind": "video"})
            assert await next_with(worker, "tapped") == program.video.track_id
            assert await next_with(worker, "codec") == "VP8"
            async with asyncio.timeout(20):
                async for message in worker.messages():
                    if message.get("report"):
                        break
            packets = 0
            while packets < 30:
                packets += await next_with(worker, "packets")
    finally:
        await publisher.close()


# RFC 2198: a copy of three bytes, 960 samples old, and the newest. Copies fill what the line before lost.
RED = "ef0f00036ffcfffe"


@pytest.mark.parametrize(("name", "start"), [("opus", "fcfffe"), ("red", RED)])
async def test_payloads_come_through_unchanged(node: NodeApp, name: str, start: str) -> None:
    stream = node.sfu.router.open("show")
    host = stream.join("ingest")
    injector = await host.publish("audio", Codec(name, 48000, 2))
    async with Worker(node.sfu, "show", f"{WORKERS}:counting", role="bridge") as worker:
        await eventually(lambda: worker.participant is not None)
        worker.send({"track_id": injector.track_id, "kind": "audio"})
        await next_with(worker, "tapped")

        async def feed() -> None:
            for number in range(10_000):
                payload = bytes.fromhex(start) + b"\xfc\xff\xfe" + bytes([number % 256])
                injector.send([RtpPacket(number, number * 960, False, payload)])
                await asyncio.sleep(0.02)

        feeding = asyncio.create_task(feed())
        try:
            assert await next_with(worker, "codec") == name
            assert (await next_with(worker, "first")).startswith(start[:8])
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
        # the track closes: the tap in the worker ends
        await injector.close()
        assert await next_with(worker, "ended") == injector.track_id
        worker.send({"track_id": injector.track_id, "kind": "audio"})
        assert await next_with(worker, "refused") == "unknown-source"
    await host.close()


class Scene:
    """An injected sound and picture whose payloads end in ``mark``; keyframes as told."""

    def __init__(self, host: Participant, mark: int) -> None:
        self._host = host
        self._mark = bytes([mark])
        self._sent = 0
        self.keyframes = True

    async def open(self) -> tuple[Track, Track]:
        self._sound = await self._host.publish("audio", Codec("opus", 48000, 2))
        self._picture = await self._host.publish("video", Codec("VP8", 90000))
        sound, picture = self._host.track_of("audio"), self._host.track_of("video")
        assert sound is not None
        assert picture is not None
        return sound, picture

    async def send(self) -> None:
        while True:
            number = self._sent = self._sent + 1
            self._sound.send([RtpPacket(number, number * 960, False, b"\xfc\xff\xfe" + self._mark)])
            # RFC 7741 section 4.3: descriptor S=1; then the header of a keyframe of 640x360, or of none
            start = "105006009d012a80026801" if self.keyframes else "1051060000"
            self._picture.send([RtpPacket(number, number * 1800, True, bytes.fromhex(start) + self._mark)])
            await asyncio.sleep(0.02)


async def test_a_programs_sound_and_picture_reach_a_worker_together(node: NodeApp) -> None:
    stream = node.sfu.router.open("show")
    ada, bob = Scene(stream.join("ingest"), 0xA), Scene(stream.join("ingest"), 0xB)
    stream.point_program(*await ada.open())
    bobs = await bob.open()
    got: dict[str, int] = {}
    async with Worker(node.sfu, "show", f"{WORKERS}:watching", role="bridge") as worker:
        await eventually(lambda: worker.participant is not None)

        async def read() -> None:
            async for message in worker.messages():
                got.update(message)

        tasks = [asyncio.create_task(each) for each in (ada.send(), bob.send(), read())]
        try:
            program = stream.program
            worker.send({"audio": program.audio.track_id, "video": program.video.track_id})
            await eventually(lambda: got == {"audio": 0xA, "video": 0xA})
            bob.keyframes = False
            stream.point_program(*bobs)
            heard: set[int] = set()
            for _ in range(25):
                await asyncio.sleep(0.02)
                heard |= set(got.values())
            assert heard == {0xA}, "the sound did not wait for the picture"
            bob.keyframes = True
            await eventually(lambda: got == {"audio": 0xB, "video": 0xB})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_a_worker_publishes_becomes_the_program(node: NodeApp) -> None:
    async with Worker(node.sfu, "show", f"{WORKERS}:publishing", role="mixer") as worker:
        track_id = await next_with(worker, "track_id")
        stream = node.sfu.router.open("show")
        track = node.sfu.track(track_id)
        assert track is not None
        assert track.source == "mixer"
        stream.point_program(None, track)
        await eventually(lambda: stream.live)
        viewer = Viewer()
        try:
            await viewer.start(node, "show")
            await eventually(lambda: stream.viewers == 1)
            # the viewer's PLI, or a tap's request, reaches the function in the worker
            bridge = stream.join("bridge")
            tap = await bridge.tap(stream.program.video)
            tap.request_keyframe()
            assert await next_with(worker, "keyframe") == ""
            async with asyncio.timeout(10):
                async for batch in tap:
                    assert batch.codec.name == "VP8"
                    assert batch.packets[0].payload[:4] == bytes.fromhex("10500600")
                    break
            await bridge.close()
        finally:
            await viewer.close()
    assert node.sfu.track(track_id) is None


async def test_a_crash_is_repaired_and_messages_go_both_ways(node: NodeApp) -> None:
    started = []
    async with Worker(
        node.sfu,
        "show",
        f"{WORKERS}:dying",
        role="mixer",
        on_started=lambda worker: started.append(worker.starts),
    ) as worker:
        first = await next_with(worker, "pid")
        assert first == worker.pid
        worker.send({"hello": ["there", 1, None]})
        assert await next_with(worker, "echo") == {"hello": ["there", 1, None]}
        for order in ("die", "fail"):
            worker.send({order: True})
            second = await next_with(worker, "pid")
            assert second != first
            first = second
        assert started == [1, 2, 3]
        assert len(node.sfu.router.open("show").participants) == 1
        # a function that returns has done its work
        worker.send({"finish": True})
        assert [message async for message in worker.messages()] == []
        assert worker.starts == 3
    assert len(node.sfu.router) == 0


async def test_a_worker_that_is_out_of_step_starts_again(node: NodeApp) -> None:
    async with Worker(node.sfu, "show", f"{WORKERS}:out_of_step", role="bridge") as worker:
        await eventually(lambda: worker.starts >= 2)


async def test_a_worker_that_cannot_start_is_tried_again(
    node: NodeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec
    refusals = iter([OSError(11, "no more processes")])

    async def refused_once(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        for refusal in refusals:
            raise refusal
        return await start(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused_once)
    async with Worker(node.sfu, "show", f"{WORKERS}:counting", role="bridge") as worker:
        await eventually(lambda: worker.participant is not None)


async def test_a_worker_ends_with_its_supervisor(node: NodeApp) -> None:
    async with Worker(node.sfu, "show", f"{WORKERS}:dying", role="mixer") as worker:
        pid = await next_with(worker, "pid")
    assert not runs(pid)


@pytest.mark.parametrize("function", ["dying", "interrupted"])
async def test_a_worker_dies_with_its_parent(function: str) -> None:
    script = (
        f"import asyncio\nfrom tests.interop.test_relay import parent\nasyncio.run(parent({function!r}))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(30):
        pid = int(await process.stdout.readline())
        assert runs(pid)
        process.send_signal(signal.SIGKILL)
        errors = await process.stderr.read()
        await process.wait()
    await eventually(lambda: not runs(pid))
    assert b"Traceback" not in errors, errors.decode()


async def parent(function: str) -> None:
    async with Sfu(LOOPBACK) as sfu, Worker(sfu, "show", f"{WORKERS}:{function}", role="mixer") as worker:
        print(await next_with(worker, "pid"), flush=True)
        await asyncio.sleep(60)
