from __future__ import annotations

import asyncio
import gzip
import io
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import aiohttp
import av
import pytest
from aiohttp import web

from hls_bridge.archive_routes import archive_routes
from hls_bridge.bridge import BridgeConfig, main
from hls_bridge.hot_path import HotPath
from hls_bridge.link import DirectSink, LinkServer
from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from hls_bridge.program import ProgramSettings
from hls_bridge.recorder import Recorder
from hls_bridge.routes import routes
from hls_bridge.segment_index import LogIndex
from hls_bridge.segment_store import DirectoryStore
from hls_bridge.serving import Runner, serve_http
from tests.generated import H264, OPUS, Feed, GeneratedParticipant

V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init-v", 1280, 720, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init-a", channels=2)


class Site:
    """An origin behind a real socket."""

    def __init__(self, origin: Origin, more_routes: list[web.RouteDef] | None = None) -> None:
        self.origin = origin
        self._more_routes = more_routes or []
        self.url = ""
        self._stack = AsyncExitStack()
        self.http = aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "identity"})

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([*routes(self.origin), *self._more_routes])
        runner = Runner(app)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        listener = socket.create_server(("127.0.0.1", 0))
        await self._stack.enter_async_context(serve_http(runner, HotPath(self.origin), listener))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def close(self) -> None:
        await self.http.close()
        await self._stack.aclose()

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, aiohttp.typedefs.LooseHeaders]:
        async with self.http.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers


def part(track: TrackSpec, segment: int, index: int, *, last: int = 5) -> PartGroup:
    start = segment * 2_000_000 + index * 333_333
    data = b"%s-%d.%d;" % (track.name.encode(), segment, index)
    return PartGroup((Part(track.name, segment, index, start, 333_333, index == 0, index == last, data),))


def admitted(stream_id: str, token: str | None) -> bool:
    return stream_id != "secret" or token == "good"


async def authorize(stream_id: str, token: str | None) -> bool:
    return admitted(stream_id, token)


@pytest.fixture(params=[admitted, None], ids=["hot", "routes"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """With the hot path, and with routes alone: to a client they are the same."""
    site = Site(Origin(authorize=authorize, admitted=request.param, edge_key="key"))
    await site.start()
    yield site
    await site.close()


def fill(site: Site, stream_id: str = "s", segments: int = 3, more: int = 2) -> str:
    site.origin.begin(stream_id, "b1")
    site.origin.handle_event(stream_id, EpochStart((V, A), 0))
    for i in range(segments * 6 + more):
        for track in (V, A):
            site.origin.handle_event(stream_id, part(track, i // 6, i % 6))
    return f"/hls/{stream_id}/b1"


async def test_playlists_parts_and_caching(site: Site) -> None:
    status, body, headers = await site.get("/api/v1/streams/s/manifest.m3u8")
    assert status == 404
    assert b"/problems/stream-not-live" in body
    base = fill(site)
    status, body, headers = await site.get("/api/v1/streams/s/manifest.m3u8")
    assert (status, headers["Content-Type"]) == (200, "application/vnd.apple.mpegurl")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert b"\n/hls/s/b1/720p30.m3u8\n" in body
    assert b"\n./b1/720p30.m3u8\n" in (await site.get("/hls/s/manifest.m3u8"))[1]
    status, body, headers = await site.get(f"{base}/720p30.m3u8")
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=1")
    assert b'URI="720p30/3.2.m4s"' in body
    status, body, headers = await site.get(f"{base}/720p30/3.1.m4s")
    assert (status, body, headers["Content-Type"]) == (200, b"720p30-3.1;", "video/mp4")
    assert "immutable" in headers["Cache-Control"]
    assert (await site.get(f"{base}/sound/init-0.mp4"))[1] == b"init-a"
    whole = b"".join(b"720p30-2.%d;" % i for i in range(6))
    assert (await site.get(f"{base}/720p30/2.m4s"))[1] == whole
    status, body, headers = await site.get(f"{base}/720p30/2.m4s", Range="bytes=3-7")
    assert (status, body, headers["Content-Range"]) == (206, whole[3:8], f"bytes 3-7/{len(whole)}")
    assert (await site.get(f"{base}/720p30/2.m4s", Range="bytes=-4"))[1] == whole[-4:]
    status, _, headers = await site.get(f"{base}/720p30/2.m4s", Range="bytes=900-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    async with site.http.options(site.url + f"{base}/720p30/2.m4s") as answer:
        assert answer.status == 204
        assert "Range" in answer.headers["Access-Control-Allow-Headers"]


async def test_long_playlists_are_gzipped(site: Site) -> None:
    base = fill(site, segments=16)
    plain = (await site.get(f"{base}/720p30.m3u8", **{"Accept-Encoding": "identity"}))[1]
    _status, body, headers = await site.get(f"{base}/720p30.m3u8", **{"Accept-Encoding": "gzip"})
    assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(body) == plain


async def test_blocking_reloads(site: Site) -> None:
    base = fill(site)
    reloads = [
        asyncio.create_task(site.get(f"{base}/720p30.m3u8?_HLS_msn=3&_HLS_part=2&_HLS_skip=YES"))
        for _ in range(20)
    ]
    whole_segment = asyncio.create_task(site.get(f"{base}/720p30.m3u8?_HLS_msn=3"))
    hinted = asyncio.create_task(site.get(f"{base}/720p30/3.2.m4s"))
    broadcast = site.origin.broadcast("s")
    assert broadcast is not None
    async with asyncio.timeout(20):
        while (len(broadcast.playlists), len(broadcast.parts)) != (2, 1):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert (len(broadcast.playlists), len(broadcast.parts)) == (2, 1)
    site.origin.handle_event("s", part(V, 3, 2))
    answers = await asyncio.gather(*reloads)
    assert {status for status, _, _ in answers} == {200}
    assert all(b'"720p30/3.2.m4s"\n' in body for _, body, _ in answers)
    assert answers[0][2]["Cache-Control"] == "public, max-age=6"
    assert (await hinted)[1] == b"720p30-3.2;"
    assert not whole_segment.done()
    site.origin.handle_event("s", part(V, 3, 3, last=3))
    assert (await whole_segment)[1].count(b"#EXTINF") == 4


async def test_what_is_refused(site: Site) -> None:
    base = fill(site)
    for query, want in {
        "_HLS_msn=5": 400,
        "_HLS_msn=3&_HLS_part=11": 400,
        "_HLS_msn=4&_HLS_part=9": 400,
        "_HLS_msn=99999999999999999999": 400,
        "_HLS_msn=-1": 400,
        "_HLS_msn=x": 400,
        "_HLS_part=1": 400,
        "_HLS_msn=0": 200,
        "_HLS_msn=3&_HLS_part=1": 200,
        "_HLS_msn=2&_HLS_part=9": 200,
    }.items():
        assert (await site.get(f"{base}/720p30.m3u8?{query}"))[0] == want, query
    for path in (
        "720p30/3.3.m4s",
        "720p30/1.6.m4s",
        "720p30/9.m4s",
        "x/1.m4s",
        "x.m3u8",
        "720p30/init-9.mp4",
        "720p30/a",
    ):
        assert (await site.get(f"{base}/{path}"))[0] == 404, path
    assert (await site.get("/hls/s/other/720p30.m3u8"))[0] == 404


@pytest.mark.parametrize("admitted", [admitted, None], ids=["hot", "routes"])
async def test_what_is_overdue(admitted: Callable[[str, str | None], bool] | None) -> None:
    site = Site(Origin(authorize=authorize, admitted=admitted, block_s=0.2))
    await site.start()
    base = fill(site)
    status, body, headers = await site.get(f"{base}/720p30.m3u8?_HLS_msn=3&_HLS_part=2")
    assert (status, headers["Retry-After"], headers["Cache-Control"]) == (503, "2", "no-store")
    assert headers["Content-Type"] == "application/problem+json"
    assert b"/problems/overdue" in body
    assert (await site.get(f"{base}/720p30/3.2.m4s"))[0] == 503
    await site.close()


async def test_a_part_that_does_not_come_after_all(site: Site) -> None:
    base = fill(site, more=3)
    hinted = asyncio.create_task(site.get(f"{base}/720p30/3.3.m4s"))
    await asyncio.sleep(0.05)
    site.origin.handle_event("s", EpochStart((V, A), 9_000_000))
    site.origin.handle_event("s", part(V, 0, 0))
    assert (await hinted)[0] == 404


async def test_private_streams(site: Site) -> None:
    fill(site, "secret")
    assert (await site.get("/api/v1/streams/secret/manifest.m3u8"))[0] == 403
    assert (await site.get("/hls/secret/b1/720p30.m3u8"))[0] == 403
    assert (await site.get("/hls/t/bad/secret/b1/720p30/2.m4s"))[0] == 403
    assert (await site.get("/hls/t/good/secret/b1/720p30/2.m4s"))[0] == 200
    _status, body, _ = await site.get("/hls/t/good/secret/manifest.m3u8")
    assert b"\n./b1/720p30.m3u8\n" in body
    assert (await site.get("/hls/p/secret/b1/720p30/2.m4s"))[0] == 403
    assert (await site.get("/hls/p/secret/b1/720p30/2.m4s", **{"X-Edge-Key": "key"}))[0] == 200
    assert (await site.get("/hls/auth/good/secret"))[0] == 204
    assert (await site.get("/hls/auth/bad/secret"))[0] == 403


async def test_the_end_without_a_recording(site: Site) -> None:
    base = fill(site)
    site.origin.end("s")
    assert (await site.get("/api/v1/streams/s/manifest.m3u8"))[0] == 410
    assert (await site.get(f"{base}/720p30.m3u8?_HLS_msn=90"))[1].endswith(b"#EXT-X-ENDLIST\n")


def play(url: str, seconds: float) -> tuple[int, int, set[tuple[int, int]]]:
    """FFmpeg plays a playlist: (pictures, sound samples, sizes)."""
    pictures, samples, sizes = 0, 0, set()
    with av.open(url, options={"live_start_index": "0"}) as container:
        streams = [container.streams.video[0], container.streams.audio[0]]
        for frame in container.decode(*streams):
            if isinstance(frame, av.VideoFrame):
                pictures += 1
                sizes.add((frame.width, frame.height))
            else:
                samples += frame.samples
            if pictures > seconds * 30 and samples > seconds * 48_000:
                break
    return pictures, samples, sizes


async def test_ffmpeg_plays_live_dvr_and_replay(tmp_path: Path) -> None:
    recorder = Recorder(DirectoryStore(tmp_path / "seg"), LogIndex(tmp_path / "idx"), tmp_path / "spool")
    recorder.start(0)
    origin = Origin(archive=recorder)
    site = Site(origin, archive_routes(origin, recorder, timedelta(days=7)))
    await site.start()
    feeds = [Feed(H264, ends_s=9), Feed(OPUS, ends_s=9)]
    for feed in feeds:
        list(feed.batches(0))
    site.origin.begin("s", "b1")
    participant = GeneratedParticipant(feeds)
    bridge = asyncio.create_task(
        main(
            participant,
            [participant.VIDEO, participant.AUDIO],
            BridgeConfig(ProgramSettings(codec_name="libx264", passthrough=False)),
            DirectSink(site.origin, "s"),
        )
    )
    live_url = f"{site.url}/api/v1/streams/s/manifest.m3u8"
    pictures, samples, sizes = await asyncio.to_thread(play, live_url, 4)
    assert (pictures > 120, samples > 4 * 48_000, sizes) == (True, True, {(640, 360)})
    dvr = (await site.get("/api/v1/streams/s/dvr.m3u8"))[1]
    assert b"/hls/s/b1/dvr/best.m3u8" in dvr
    count = (await site.get("/hls/s/b1/dvr/best.m3u8"))[1].count(b"#EXTINF")
    status, body, _ = await site.get(f"/hls/s/b1/dvr/best.m3u8?_HLS_msn={count}")
    assert (status, body.count(b"#EXTINF")) == (200, count + 1)
    assert (await site.get("/hls/s/b1/dvr/best.m3u8?_HLS_msn=999"))[0] == 400
    await bridge
    site.origin.end("s")
    await asyncio.to_thread(recorder.flush)
    site.origin.forget("s")
    pictures, samples, _ = await asyncio.to_thread(play, live_url, 60)
    assert pictures > 8 * 30
    assert samples > 8 * 48_000
    (entry,) = json.loads((await site.get("/api/v1/streams/s/recordings"))[1])["recordings"]
    assert entry["duration_s"] == pytest.approx(8.5, abs=1)
    assert (await site.get(entry["thumbnail_url"]))[1][:2] == b"\xff\xd8"
    assert b"/hls/s/b1/dvr/best.m3u8" in (await site.get(entry["manifest_url"]))[1]
    status, body, headers = await site.get(entry["mp4_url"])
    assert (status, int(headers["Content-Length"])) == (200, len(body))
    tail = await site.get(entry["mp4_url"], Range=f"bytes={len(body) // 2}-")
    assert (tail[0], tail[1]) == (206, body[len(body) // 2 :])
    with av.open(io.BytesIO(body)) as container:
        times = {"video": [], "audio": []}
        for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
            times["video" if isinstance(frame, av.VideoFrame) else "audio"].append(frame.time)
    assert 0 <= times["video"][0] < 0.2
    assert times["video"][-1] == pytest.approx(times["audio"][-1], abs=0.3)
    assert len(times["video"]) > 8 * 30
    await site.close()
    recorder.close()


async def test_a_killed_worker_costs_one_discontinuity(tmp_path: Path) -> None:
    site = Site(Origin())
    await site.start()
    link = LinkServer(site.origin, str(tmp_path / "link"))
    await link.start()
    lost = asyncio.Event()
    link.on_lost = lambda stream_id: lost.set()
    site.origin.begin("s", "b1")
    link.expect("s", "hush")
    command = [sys.executable, "-m", "tests.bridge_worker", str(tmp_path / "link"), "s", "hush"]
    cwd = Path(__file__).parent.parent.parent
    worker = await asyncio.create_subprocess_exec(*command, "30", cwd=cwd)
    text = ""
    try:
        while text.count("#EXTINF") < 2:
            await asyncio.sleep(0.2)
            text = (await site.get("/hls/s/b1/360p30.m3u8"))[1].decode()
        link.want("s", ["*"])
        worker.kill()
        await worker.wait()
        await asyncio.wait_for(lost.wait(), 5)
        worker = await asyncio.create_subprocess_exec(*command, "4", cwd=cwd)
        assert await asyncio.wait_for(worker.wait(), 60) == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    site.origin.end("s")
    text = (await site.get("/hls/s/b1/360p30.m3u8"))[1].decode()
    sound = (await site.get("/hls/s/b1/sound.m3u8"))[1].decode()
    assert text.count("#EXT-X-DISCONTINUITY\n") == sound.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.count("#EXT-X-MAP") == 2
    before = text.split("#EXT-X-DISCONTINUITY\n")[0].count("#EXTINF")
    assert before == sound.split("#EXT-X-DISCONTINUITY\n")[0].count("#EXTINF")
    await link.close()
    await site.close()
