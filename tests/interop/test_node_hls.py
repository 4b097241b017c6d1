"""A real node: the demo's publisher over WHIP, HLS out, recordings, crashes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from tests.child import demo_publisher
from tests.interop.playlist_history import entries
from tests.interop.scripted_whip import scripted_publisher
from tests.interop.serve_process import Process, spillway

LIVE_S = 40.0


@dataclass
class Client:
    """The HTTP interface of a node, as the owner of one stream."""

    node: Process
    session: aiohttp.ClientSession
    token: str = ""
    stream: dict[str, Any] = None  # type: ignore[assignment]

    async def call(self, method: str, path: str, body: object = None, *, owner: bool = False) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if owner else {}
        url = path if path.startswith("http") else self.node.url + path
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            json = "json" in answer.content_type
            return answer.status, await (answer.json() if json else answer.text())

    async def make_stream(self, **values: object) -> None:
        account = {"name": "Ada", "password": "correct horse"}
        status, answer = await self.call("POST", "/api/v1/accounts", account)
        if status == 409:
            status, answer = await self.call("POST", "/api/v1/tokens", account)
        self.token = answer["token"]
        body = {"title": "HLS", "category": "tests"} | values
        status, self.stream = await self.call("POST", "/api/v1/streams", body, owner=True)
        assert status == 201, self.stream

    @property
    def path(self) -> str:
        return f"/api/v1/streams/{self.stream['stream_id']}"

    async def master(self, path: str | None = None) -> str:
        """The master playlist, as soon as there is one."""
        async with asyncio.timeout(LIVE_S):
            while True:
                status, text = await self.call("GET", path or f"{self.path}/manifest.m3u8")
                if status == 200:
                    return str(text)
                assert text["type"] in ("/problems/stream-not-live", "/problems/overdue"), text
                await asyncio.sleep(0.2)

    async def media(self, uri: str, until: Callable[[str], bool]) -> str:
        """A media playlist, as soon as it has what is waited for."""
        async with asyncio.timeout(LIVE_S):
            while True:
                status, text = await self.call("GET", uri)
                assert status == 200, text
                if until(text):
                    return str(text)
                await asyncio.sleep(0.2)


def publisher(client: Client) -> AbstractAsyncContextManager[None]:
    return demo_publisher(client.stream["whip_url"], client.stream["stream_key"], quiet=True)


@asynccontextmanager
async def serving(data_dir: Path, *argv: str) -> AsyncIterator[Client]:
    async with spillway(data_dir, *argv) as node, aiohttp.ClientSession() as session:
        yield Client(node, session)
    assert "Traceback" not in node.errors, node.errors


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIVE_S):
        while not await check():  # noqa: ASYNC110 - nobody there sets an event
            await asyncio.sleep(0.2)


def uris(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def sound_and_top(master: str) -> tuple[str, str]:
    """The media playlists of the sound and of the highest rung."""
    return re.findall(r'TYPE=AUDIO.*URI="([^"]+)"', master)[0], uris(master)[0]


def numbers(pattern: str, playlist: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, playlist, re.MULTILINE)]


def worker_of(node: Process) -> int:
    """The bridge's process: the node's child that runs a relay worker."""
    children = Path(f"/proc/{node.child.pid}/task/{node.child.pid}/children").read_text().split()
    found = [pid for pid in children if b"hls_bridge" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(found) == 1, found
    return int(found[0])


def decoded(url: str) -> tuple[int, int]:
    """Pictures and blocks of sound that FFmpeg's player gets out of a finished playlist or file."""
    with av.open(url) as container:
        counts = {"video": 0, "audio": 0}
        streams = [container.streams.video[0], container.streams.audio[0]]
        for packet in container.demux(streams):
            counts[packet.stream.type] += len(packet.decode())
    return counts["video"], counts["audio"]


def some_decoded(url: str, pictures: int) -> int:
    """Pictures out of a live playlist, until there are that many."""
    with av.open(url, timeout=20.0) as container:
        count = 0
        for _ in container.decode(video=0):
            count += 1
            if count >= pictures:
                break
    return count


async def hint_is_kept(client: Client, uri: str) -> None:
    """The part that a playlist announces is there when the next playlist is."""
    text = str((await client.call("GET", uri))[1])
    (hint,) = re.findall(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', text)
    url = client.node.url + uri.rsplit("/", 1)[0] + "/" + hint
    async with asyncio.timeout(LIVE_S):
        status, data = 503, b""
        while status == 503:  # overdue: a machine on which the new worker takes six seconds
            async with client.session.get(url) as answer:
                status, data = answer.status, await answer.read()
    assert (status, data[4:8]) == (200, b"moof")
    assert hint in str((await client.call("GET", uri))[1])


async def test_a_stream_plays_over_hls_and_is_there_afterwards(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.make_stream()
        status, problem = await client.call("GET", f"{client.path}/manifest.m3u8")
        assert (status, problem["type"]) == (404, "/problems/stream-not-live")
        assert client.stream["manifest_url"] == f"{client.node.url}{client.path}/manifest.m3u8"
        async with publisher(client):
            master = await client.master()
            assert re.search(r'CODECS="avc1\.64[0-9A-F]{4},mp4a\.40\.2"', master)
            assert "RESOLUTION=1280x720" in master
            top = uris(master)[0]
            media = await client.media(top, lambda text: text.count("#EXTINF") >= 2)
            [part_target] = numbers(r"PART-TARGET=([\d.]+)", media)
            [hold_back] = numbers(r"PART-HOLD-BACK=([\d.]+)", media)
            assert hold_back >= 3 * part_target
            assert max(numbers(r"#EXT-X-PART:DURATION=([\d.]+)", media)) <= part_target
            parts = re.findall(r'#EXT-X-PART:.*URI="([^"]+)"', media)
            async with client.session.get(f"{client.node.url}{top.rsplit('/', 1)[0]}/{parts[-1]}") as answer:
                data = await answer.read()
            assert answer.status == 200
            assert b"moof" in data
            assert b"moov" not in data
            for directive, expected in (("_HLS_msn=99999", 400), ("_HLS_msn=x", 400), ("_HLS_part=1", 400)):
                status, problem = await client.call("GET", f"{top}?{directive}")
                assert status == expected
                assert problem["type"] in ("/problems/too-far-ahead", "/problems/bad-delivery-directive")
            newest = int(numbers(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", media)[0]) + media.count("#EXTINF")
            status, text = await client.call("GET", f"{top}?_HLS_msn={newest}&_HLS_part=0")
            assert status == 200
            assert f"/{newest}.0.m4s" in text, "the reload waited for the part"

            await both_ways(client, f"{top.rsplit('/', 1)[0]}/{parts[-1]}")

            status, playback = await client.call("GET", f"{client.path}/playback")
            assert (playback["mode"], playback["reason"]) == ("webrtc", "seat")
            assert playback["manifest_url"] == client.stream["manifest_url"]
            status, text = await client.call("GET", playback["dvr_url"])
            assert status == 200
            stream = (await client.call("GET", client.path))[1]
            assert stream["recording"] is True
            async with client.session.get(stream["thumbnail_url"]) as answer:
                assert (await answer.read())[:2] == b"\xff\xd8", "a JPEG"
            beacon = {"session_id": "abcdefghijklmnop"}
            assert (await client.call("POST", f"{client.path}/beacon", beacon))[0] == 204

            async def check() -> bool:
                return bool((await client.call("GET", client.path))[1]["viewers"]["hls"] >= 1)

            await eventually(check)
            metrics = (await client.call("GET", "/metrics"))[1]
            assert numbers(r'spillway_hls_viewers{counted="exact"} ([\d.]+)', metrics) == [1.0]
            assert numbers(r"^spillway_recording_paused ([\d.]+)", metrics) == [0.0]
            pictures = await asyncio.to_thread(some_decoded, client.stream["manifest_url"], 60)
            assert pictures == 60
        await ended(client)
        await replays(client)


async def both_ways(client: Client, path: str) -> None:
    """Players' requests pass the application by; neither they nor the metrics show it."""
    found = []
    for more in ({}, {"Authorization": "Bearer none"}):
        async with client.session.get(client.node.url + path, headers=more) as answer:
            headers = {name: value for name, value in answer.headers.items() if name != "Date"}
            found.append((answer.status, await answer.read(), headers))
    assert found[0] == found[1]
    assert found[0][0] == 200
    counted = re.compile(
        r'spillway_http_requests_total\{method="GET",route="/hls/\{rest\}",status="200"\} (\S+)'
    )

    async def check() -> bool:
        count = counted.search((await client.call("GET", "/metrics"))[1])
        return count is not None and float(count[1]) >= 2

    await eventually(check)


async def ended(client: Client) -> None:
    async def check() -> bool:
        return bool((await client.call("GET", client.path))[1]["status"] == "ended")

    await eventually(check)


async def replays(client: Client, *, cut_off: bool = False) -> None:
    """The newest recording plays to its end, as a playlist and as a file. ``cut_off``: by a kill, when the
    picture may have been behind the sound by as much as its encoder was."""
    async with asyncio.timeout(20):
        while True:
            status, answer = await client.call("GET", f"{client.path}/recordings")
            assert status == 200
            [recording] = answer["recordings"]
            if recording["expires_at"] is not None:
                break
            await asyncio.sleep(0.2)
    assert recording["manifest_url"].startswith(client.node.url)
    assert recording["duration_s"] > 3
    status, master = await client.call("GET", recording["manifest_url"])
    assert status == 200
    lengths = []
    for uri in (*sound_and_top(master), *uris(master)[1:]):
        status, media = await client.call("GET", client.node.url + uri)
        assert "#EXT-X-ENDLIST" in media
        lengths.append(sum(numbers(r"#EXTINF:([\d.]+)", media)))
    sound_s, picture_s = lengths[:2]
    assert max(lengths) == pytest.approx(recording["duration_s"], abs=0.01)
    if not cut_off:
        assert picture_s == pytest.approx(recording["duration_s"], abs=2.5)
    pictures, sounds = await asyncio.to_thread(decoded, recording["mp4_url"])
    assert pictures >= 25 * (picture_s - 3)
    assert sounds >= 40 * (sound_s - 3)
    played, _ = await asyncio.to_thread(decoded, recording["manifest_url"])
    assert played == pictures, "the file holds what the playlist does"
    status, _ = await client.call("GET", f"{client.path}/manifest.m3u8")
    assert status == 200, "after the end the manifest is the replay"


async def test_without_recording_nothing_is_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.make_stream(record=False)
        async with publisher(client):
            top = uris(await client.master())[0]
            await client.media(top, lambda text: text.count("#EXTINF") >= 2)
            playback = (await client.call("GET", f"{client.path}/playback"))[1]
            assert playback["dvr_url"] is None
            assert (await client.call("GET", client.path))[1]["recording"] is False
        await ended(client)

        async def check() -> bool:
            return bool((await client.call("GET", f"{client.path}/manifest.m3u8"))[0] != 200)

        await eventually(check)
        status, problem = await client.call("GET", f"{client.path}/manifest.m3u8")
        assert (status, problem["type"]) == (410, "/problems/stream-ended")
        assert (await client.call("GET", f"{client.path}/recordings"))[1] == {"recordings": []}
        status, problem = await client.call("GET", "/api/v1/recordings/none/manifest.m3u8")
        assert (status, problem["type"]) == (404, "/problems/recording-not-found")
    assert not [path for path in (tmp_path / "recordings").rglob("*") if path.suffix in (".m4s", ".mp4")]


async def test_a_killed_bridge_costs_one_discontinuity(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.make_stream()
        async with scripted_publisher(client.stream["whip_url"], client.stream["stream_key"]) as source:
            await source.tell("gop 1.5")  # never passed through, which would be a discontinuity of its own
            sound, top = sound_and_top(await client.master())
            last = entries(await client.media(sound, lambda text: text.count("#EXTINF") >= 2))[-1].msn
            os.kill(worker_of(client.node), signal.SIGKILL)
            await asyncio.sleep(0.3)  # what it had sent is there
            await asyncio.gather(*(hint_is_kept(client, uri) for uri in (sound, top)))
            starts = set()
            for uri in (sound, top):
                # Two segments more than the one that the crash has cut off.
                after = await client.media(uri, lambda text: entries(text)[-1].msn >= last + 3)
                found = [
                    each.msn for each in entries(after) if last < each.msn <= last + 3 and each.discontinuity
                ]
                assert len(found) == 1, (found, re.sub("#EXT-X-PART:.*\n", "", after))
                starts |= set(found)
                assert after.count("#EXT-X-MEDIA-SEQUENCE:0\n") == 1, "the same playlist goes on"
            assert len(starts) == 1, "in all renditions at one time"
            pictures = await asyncio.to_thread(some_decoded, client.stream["manifest_url"], 60)
            assert pictures == 60
        await ended(client)
        await replays(client)


async def test_a_killed_node_keeps_what_was_recorded(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.make_stream()
        async with publisher(client):
            before = [
                await client.media(uri, lambda text: text.count("#EXTINF") >= 3)
                for uri in sound_and_top(await client.master())
            ]
            await asyncio.sleep(0.5)
            await client.node.stop(signal.SIGKILL)
        stream, token = client.stream, client.token
    async with serving(tmp_path) as client:
        client.stream, client.token = stream, token
        await ended(client)
        await replays(client, cut_off=True)
        for live, uri in zip(before, sound_and_top(await client.master()), strict=True):
            after = {each.msn: each for each in entries((await client.call("GET", uri))[1])}
            for each in entries(live):
                assert (after[each.msn].duration_s, after[each.msn].gap) == (each.duration_s, False)
            parts = sum(numbers(r"#EXT-X-PART:DURATION=([\d.]+)", live.rsplit("#EXTINF", 1)[1]))
            rest = sum(each.duration_s for msn, each in after.items() if msn > entries(live)[-1].msn)
            assert rest >= parts, "of the open segment, every part that was published"


async def test_private_streams_have_the_token_in_the_path(tmp_path: Path) -> None:
    async with serving(tmp_path, "--access-log", "on", "--edge-key", "hush") as client:
        await client.make_stream(visibility="private")
        status, grant = await client.call(
            "POST", f"{client.path}/playback-tokens", {"ttl_s": 600}, owner=True
        )
        assert status == 201
        assert f"/t/{grant['token']}/manifest.m3u8" in grant["manifest_url"]
        async with publisher(client):
            master = await client.master(grant["manifest_url"])
            status, problem = await client.call("GET", f"{client.path}/manifest.m3u8")
            assert (status, problem["type"]) == (403, "/problems/private-stream")
            top = uris(master)[0]
            assert f"/t/{grant['token']}/" in top
            await client.media(top, lambda text: text.count("#EXTINF") >= 1)
            bare = top.replace(f"/t/{grant['token']}", "")
            assert (await client.call("GET", bare))[0] == 403
            status, problem = await client.call("GET", bare.replace("/hls/", "/hls/p/"))
            assert (status, problem["type"]) == (403, "/problems/edge-only")
            edge = {"X-Edge-Key": "hush"}
            async with client.session.get(
                client.node.url + bare.replace("/hls/", "/hls/p/"), headers=edge
            ) as answer:
                assert answer.status == 200, "who the edge lets in"
            [made] = (await client.call("GET", f"{client.path}/recordings", owner=True))[1]["recordings"]
            recording = f"/api/v1/recordings/{made['recording_id']}"
            for path, expected in (
                (f"{recording}/manifest.m3u8", "private-stream"),
                (f"{recording}/t/wrong/video.mp4", "private-stream"),
                (f"{client.path}/thumbnail.jpg", "private-stream"),
                ("/api/v1/recordings/none/manifest.m3u8", "recording-not-found"),
            ):
                status, problem = await client.call("GET", path)
                assert (status, problem["type"]) == (
                    404 if "not-found" in expected else 403,
                    f"/problems/{expected}",
                )
            playback = (await client.call("GET", f"{client.path}/playback", owner=True))[1]
            assert "/t/pt_" in playback["manifest_url"], "an owner's player gets a token of its own"
            assert client.token not in playback["manifest_url"]
            assert "EXTM3U" in await client.master(playback["manifest_url"])
        await client.node.stop()
        logged = client.node.errors + "\n".join(client.node.lines)
        assert "/t/***/manifest.m3u8" in logged
        assert grant["token"] not in logged
