"""What goes wrong around a node while it is live: the store, the disk, the clock, the source.

One stream for all of it. Each test harms it, waits until it is whole again and leaves it to the next; the
last one looks at every playlist there was and plays the recording, in which nothing may be missing.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from hls_bridge.segment_store import S3Store
from tests.interop.playlist_history import History, entries, strict_errors
from tests.interop.scripted_whip import Publisher, scripted_publisher
from tests.interop.serve_process import spillway
from tests.interop.test_node_hls import Client, ended, eventually, some_decoded, uris
from tests.s3proxy import s3_server
from tests.small_disk import disk_emptied, disk_full, small_disk
from tests.tcp_gate import TcpGate, tcp_gate
from tests.wall_clock import WallClock

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Scene:
    client: Client
    publisher: Publisher
    history: History
    gate: TcpGate
    disk: Path
    clock: WallClock

    async def metric(self, name: str) -> float:
        text = (await self.client.call("GET", "/metrics"))[1]
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found, name
        return float(found[1])

    async def degraded(self) -> list[str]:
        status, text = await self.client.call("GET", "/readyz")
        assert status == 200, "live goes on"
        return [line for line in text["degraded"] if line.startswith("recording")]

    async def recording(self) -> dict[str, object]:
        [found] = (await self.client.call("GET", f"{self.client.path}/recordings"))[1]["recordings"]
        return dict(found)

    async def sound(self) -> str:
        return re.findall(r'TYPE=AUDIO.*URI="([^"]+)"', await self.client.master())[0]

    async def newest(self, uri: str) -> int:
        return entries(await self.client.media(uri, lambda text: "#EXTINF" in text))[-1].msn

    async def grows(self, uri: str, segments: int) -> str:
        """The playlist when it has so many more finished segments than now."""
        goal = await self.newest(uri) + segments
        return await self.client.media(uri, lambda text: entries(text)[-1].msn >= goal)

    async def dvr(self, role: str = "best") -> str:
        found = uris(await self.client.master(f"{self.client.path}/dvr.m3u8"))
        return next(uri for uri in found if uri.endswith(f"/{role}.m3u8"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("failures")
    clock = WallClock(folder)
    with s3_server(folder) as s3_url, small_disk(folder, 96) as disk:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        S3Store.connect(s3_url, "segments", **keys)._client.create_bucket(Bucket="segments")
        async with tcp_gate(int(s3_url.rsplit(":", 1)[1])) as gate:
            credentials = "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1"
            url = f"http://127.0.0.1:{gate.port}"
            # Our own reloads make it popular: all rungs run.
            options = ("--s3-url", url, "--s3-bucket", "segments", "--popular-viewers", "1")
            async with (
                spillway(disk, *options, prefix=(*clock.prefix, *credentials)) as node,
                aiohttp.ClientSession() as session,
            ):
                client = Client(node, session)
                await client.make_stream()
                url, key = client.stream["whip_url"], client.stream["stream_key"]
                async with scripted_publisher(url, key) as publisher:
                    await client.master()
                    history = History(session, node.url, client.stream["stream_id"])
                    following = asyncio.create_task(history.run())
                    yield Scene(client, publisher, history, gate, disk, clock)
                    following.cancel()
                    await asyncio.wait([following])
                    assert following.cancelled() or following.exception() is None
            assert "Traceback" not in node.errors, node.errors


async def test_an_s3_that_is_gone_gets_its_segments_later(scene: Scene) -> None:
    dvr = await scene.dvr()
    await scene.gate.shut()
    await scene.grows(dvr, 3)

    async def told() -> bool:
        return any("recording (store)" in line for line in await scene.degraded())

    await eventually(told)
    assert await scene.metric('spillway_recording_writes_waiting{where="store"}') > 0
    assert (await scene.recording())["status"] == "recording"
    await scene.gate.open()

    async def healed() -> bool:
        waiting = await scene.metric('spillway_recording_writes_waiting{where="store"}')
        return waiting < 3 and not await scene.degraded()

    await eventually(healed)


async def test_a_source_that_goes_to_gops_of_8_s_is_transcoded(scene: Scene) -> None:
    async def passes_through() -> bool:
        return "/source.m3u8" in await scene.client.master()

    await eventually(passes_through)
    source = next(uri for uri in uris(await scene.client.master()) if uri.endswith("/source.m3u8"))
    await scene.grows(source, 1)
    await scene.publisher.tell("gop 8")

    async def transcoded() -> bool:
        return "/source.m3u8" not in await scene.client.master()

    await eventually(transcoded)
    # Players that read the master playlist before go on, with the rung nearest to it.
    listed = entries(await scene.grows(source, 3))
    last = max(entry.msn for entry in listed if entry.uri.startswith("source/"))
    after = [entry for entry in listed if entry.msn > last]
    assert all(entry.uri.startswith("720p30/") for entry in after)
    assert [entry.discontinuity for entry in after] == [True] + [False] * (len(after) - 1)
    sound = await scene.sound()
    assert [msn for msn in scene.history.discontinuities(sound) if msn > last] == [last + 1]


async def test_a_full_disk_pauses_the_recording_only(scene: Scene) -> None:
    dvr, live = await scene.dvr(), uris(await scene.client.master())[0]
    began = await scene.newest(dvr)
    disk_full(scene.disk)

    async def paused() -> bool:
        return (await scene.recording())["status"] == "paused"

    await eventually(paused)
    assert await scene.metric("spillway_recording_paused") == 1
    assert any("the disk is full" in line for line in await scene.degraded())
    await scene.grows(live, 2)
    disk_emptied(scene.disk)

    async def resumed() -> bool:
        waiting = await scene.metric('spillway_recording_writes_waiting{where="disk"}')
        return (await scene.recording())["status"] == "recording" and waiting < 3

    await eventually(resumed)
    text = await scene.grows(dvr, 1)
    assert not [entry for entry in entries(text) if entry.msn >= began and entry.gap]
    assert await scene.metric("spillway_recording_segments_lost_total") == 0


async def test_without_picture_sound_goes_on_while_the_clock_is_stepped(scene: Scene) -> None:
    live, sound = uris(await scene.client.master())[0], await scene.sound()
    discontinuities = len(scene.history.discontinuities(sound))
    scene.clock.step(3600)
    await scene.publisher.tell("picture off")
    await scene.grows(sound, 2)
    scene.clock.step(-7200)
    await scene.grows(live, 1)
    await scene.publisher.tell("picture on")
    await scene.grows(live, 1)
    scene.clock.step(0)
    assert len(scene.history.discontinuities(sound)) == discontinuities, "the last picture stood"
    for uri in (live, sound):
        for a, b in itertools.pairwise(scene.history.segments(uri)):
            if not b.discontinuity:
                # The slew of 1 ms, and dates that are rounded to one.
                assert abs(b.at_s - a.at_s - a.duration_s) <= 0.0025, (a, b)


async def test_afterwards_nothing_is_missing(scene: Scene, tmp_path: Path) -> None:
    await scene.publisher.tell("end")
    await ended(scene.client)

    async def whole() -> bool:
        return (await scene.recording())["status"] == "ended"

    await eventually(whole)
    scene.history.check()
    assert any("/480p30" in master for master in scene.history.masters), "a rung has joined"
    assert len(scene.history.discontinuities(await sound_of(scene))) >= 2
    recording = await scene.recording()
    assert recording["missing_s"] == 0
    for uri in uris(await scene.client.master(str(recording["manifest_url"]))):
        kept = entries((await scene.client.call("GET", uri))[1])
        assert [entry.msn for entry in kept] == list(range(len(kept)))
        for entry in kept:
            path = f"{scene.client.node.url}{uri.rsplit('/', 1)[0]}/{entry.uri}"
            async with scene.client.session.get(path) as answer:
                assert answer.status == 200
                assert b"moof" in await answer.read()
    manifest = str(recording["manifest_url"])
    assert await asyncio.to_thread(some_decoded, manifest, 60) == 60

    async def handed_over() -> bool:
        return not list((scene.disk / "recordings" / "spool").rglob("*.m4s"))

    await eventually(handed_over)
    paths = scene.history.save(tmp_path)
    assert len(paths) > 100
    assert strict_errors(paths) == []


async def sound_of(scene: Scene) -> str:
    return next(uri for uri in scene.history.texts if uri.endswith("/sound.m3u8") and "/dvr/" not in uri)
