from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from hls_bridge.bench_edge import nginx, varnish
from hls_bridge.origin import Origin
from tests.interop.test_origin import A, Site, V, admitted, authorize, fill, part


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(Origin(authorize=authorize, admitted=admitted, edge_key="hush"))
    await site.start()
    yield site
    await site.close()


def port_of(site: Site) -> int:
    port = urlsplit(site.url).port
    assert port
    return port


async def test_varnish_coalesces_blocked_reloads(site: Site) -> None:
    base = fill(site)
    with varnish(port_of(site)) as (port, _):
        edge = f"http://127.0.0.1:{port}"
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:

            async def get(path: str) -> tuple[int, bytes]:
                async with http.get(edge + path) as answer:
                    return answer.status, await answer.read()

            before = site.origin.reloads
            query = "720p30.m3u8?_HLS_msn=3&_HLS_part=2"
            # Other parameters and another order make no other object.
            queries = [query, "720p30.m3u8?x=1&_HLS_part=2&_HLS_msn=3", f"{query}&session=a"]
            waiting = [asyncio.create_task(get(f"{base}/{queries[i % 3]}")) for i in range(200)]
            hinted = [asyncio.create_task(get(f"{base}/720p30/3.2.m4s")) for _ in range(200)]
            for _ in range(100):
                await asyncio.sleep(0.05)
                broadcast = site.origin.broadcast("s")
                assert broadcast is not None
                if broadcast.playlists and broadcast.parts:
                    break
            await asyncio.sleep(0.3)
            site.origin.handle_event("s", part(V, 3, 2))
            answers = await asyncio.gather(*waiting)
            assert {status for status, _ in answers} == {200}
            assert len({body for _, body in answers}) == 1
            assert b'"720p30/3.2.m4s"' in answers[0][1]
            assert {body for _, body in await asyncio.gather(*hinted)} == {b"720p30-3.2;"}
            assert site.origin.reloads - before == 1
            assert (await get("/api/v1/streams/s/manifest.m3u8"))[0] == 200
            assert (await get("/api/v1/streams/s"))[0] == 404
            assert (await get(f"{base}/720p30.m3u8?_HLS_msn=77"))[0] == 400
            assert (await get(f"{base}/720p30/77.0.m4s"))[0] == 404


async def test_nginx_checks_tokens_and_speaks_http2(site: Site) -> None:
    fill(site, "secret")
    fill(site)
    curl = shutil.which("curl")
    assert curl, "curl is missing: apt-get install curl"
    with (
        varnish(port_of(site)) as (edge_port, _),
        nginx(port_of(site), edge_port, "hush") as (port, _),
    ):

        async def get(path: str, *more: str) -> tuple[str, str, bytes]:
            command = [curl, "-sk", "--http2", "-w", "\n%{http_code} %{http_version}", *more]
            process = await asyncio.create_subprocess_exec(
                *command, f"https://127.0.0.1:{port}{path}", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            body, _, numbers = out.rpartition(b"\n")
            status, version = numbers.decode().split()
            return status, version, body

        assert (await get("/hls/s/b1/720p30/2.0.m4s")) == ("200", "2", b"720p30-2.0;")
        assert (await get("/hls/t/good/secret/b1/720p30/2.0.m4s"))[0::2] == ("200", b"720p30-2.0;")
        assert (await get("/hls/t/bad/secret/b1/720p30/2.0.m4s"))[0] == "403"
        assert (await get("/hls/secret/b1/720p30/2.0.m4s"))[0] == "403"
        assert (await get("/hls/p/secret/b1/720p30/2.0.m4s", "-H", "X-Edge-Key: hush"))[0] == "404"
        assert (await get("/hls//p/secret/b1/720p30/2.0.m4s"))[0] == "404"
        assert (await get("/hls/x/../p/secret/b1/720p30/2.0.m4s", "--path-as-is"))[0] == "404"
        status, _, body = await get("/hls/t/good/secret/manifest.m3u8")
        assert status == "200"
        assert b"\n./b1/720p30.m3u8\n" in body
        assert (await get("/hls/t/good/secret/b1/720p30.m3u8?_HLS_msn=3&_HLS_part=1"))[0] == "200"
        assert (await get("/api/v1/streams/s/manifest.m3u8"))[0] == "200"


async def test_one_http2_connection_carries_all_that_a_player_waits_for(site: Site, tmp_path: Path) -> None:
    """Blocking reloads and hinted parts wait, and what is there comes meanwhile, on the same connection."""
    base = fill(site)
    waits = [
        f"{base}/{name}"
        for track in ("720p30", "sound")
        for name in (f"{track}.m3u8?_HLS_msn=3&_HLS_part=2", f"{track}/3.2.m4s")
    ]
    there = [f"{base}/720p30/{segment}.{index}.m4s" for segment in range(3) for index in range(6)]
    curl = shutil.which("curl")
    assert curl, "curl is missing: apt-get install curl"
    with (
        varnish(port_of(site)) as (edge_port, _),
        nginx(port_of(site), edge_port, "hush") as (port, _),
    ):
        command = [curl, "-sk", "--http2", "--parallel", "--parallel-max", "50"]
        command += ["-w", "%{http_code} %{http_version} %{num_connects} %{local_port}\n"]
        for index, path in enumerate([*waits, *there]):
            command += ["-o", str(tmp_path / str(index)), f"https://127.0.0.1:{port}{path}"]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        broadcast = site.origin.broadcast("s")
        assert broadcast is not None
        got = [tmp_path / str(index) for index in range(len(waits) + len(there))]

        def come(path: Path) -> bool:
            return path.is_file() and path.stat().st_size > 0

        for _ in range(400):
            await asyncio.sleep(0.05)
            waiting = len(broadcast.playlists) + len(broadcast.parts)
            if waiting == len(waits) and all(map(come, got[len(waits) :])):
                break
        assert [come(path) for path in got] == [False] * len(waits) + [True] * len(there)
        for track in (V, A):
            site.origin.handle_event("s", part(track, 3, 2))
        out, _ = await process.communicate()
    numbers = [line.split() for line in out.decode().splitlines()]
    assert [(status, version) for status, version, *_ in numbers] == [("200", "2")] * len(got)
    assert sum(int(connects) for _, _, connects, _ in numbers) == 1
    assert len({local for *_, local in numbers}) == 1
    for index, track in enumerate(("720p30", "sound")):
        assert f'"{track}/3.2.m4s"' in got[2 * index].read_text()
        assert got[2 * index + 1].read_text() == f"{track}-3.2;"
    assert got[len(waits)].read_text() == "720p30-0.0;"


async def test_an_access_log_holds_no_token(site: Site, tmp_path: Path) -> None:
    fill(site, "secret")
    fill(site)
    log = tmp_path / "access.log"
    with nginx(port_of(site), port_of(site), "hush", log) as (port, _):
        paths = [
            "/hls/s/b1/720p30/2.0.m4s",
            "/hls/t/good/secret/b1/720p30.m3u8?_HLS_msn=3&_HLS_part=1",
            "/hls/t/bad/secret/b1/sound/init-0.mp4",
            "/hls/t/good",
            "/hls/t/good.m3u8",
            "/hls/t/good/1.m4s",
            "/hls/t/good/secret/1.m4s",
            "/hls/auth/good.m3u8",
            "/api/v1/streams/s/manifest.m3u8?token=good",
            "/api/v1/streams/s/t/good/manifest.m3u8",
            "/watch/s?token=good",
        ]
        urls = [f"https://127.0.0.1:{port}{path}" for path in paths]
        process = await asyncio.create_subprocess_exec(
            "curl",
            "-sk",
            "-A",
            "a player",
            "-e",
            "https://x/?token=good",
            *urls,
            stdout=asyncio.subprocess.PIPE,
        )
        await process.communicate()
    text = log.read_text()
    assert "good" not in text
    assert "bad" not in text
    lines = [line.split(" ", 7) for line in text.splitlines()]
    assert [(line[1], *line[2:5]) for line in lines[:3]] == [
        ("127.0.0.1", "s", "720p30/2.0.m4s", "200"),
        ("127.0.0.1", "secret", "720p30.m3u8", "200"),
        ("127.0.0.1", "secret", "sound/init-0.mp4", "403"),
    ]
    assert [(line[2], line[3]) for line in lines[3:]] == [
        *[("-", "-")] * 3,
        ("secret", "-"),
        ("-", "-"),
        ("s", "-"),
        *[("-", "-")] * 2,
    ]
    assert {line[7] for line in lines} == {'"a player"'}


class Behind:
    """What stands behind nginx: notes the head of each request, and how many connections came."""

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[str] = []
        self.tasks: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                self.heads.append(head)
                check = head.startswith("get /hls/auth/")
                answer = b"204 No Content\r\n\r\n" if check else b"200 OK\r\nContent-Length: 2\r\n\r\nok"
                writer.write(b"HTTP/1.1 " + answer)
                await writer.drain()
        writer.close()


async def test_nginx_keeps_its_connections_and_all_headers() -> None:
    """A location that sets one header of its own inherits none: each reload had a connection to itself."""
    behind = Behind()
    server = await asyncio.start_server(behind.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    curl = shutil.which("curl")
    assert curl, "curl is missing: apt-get install curl"
    async with server:
        with nginx(port, port, "hush") as (tls, _):
            for path in ("/hls/s/b/720p30.m3u8", "/hls/t/good/s/b/720p30.m3u8", "/api/v1/streams"):
                behind.connections, behind.heads = 0, []
                url = f"https://127.0.0.1:{tls}{path}"
                process = await asyncio.create_subprocess_exec(
                    curl, "-sk", "-H", "Host: live.example", url, url, url
                )
                await process.wait()
                heads = [head for head in behind.heads if "/hls/auth/" not in head]
                assert len(heads) == 3, path
                assert behind.connections <= 2, "one upstream, one connection"
                for head in heads:
                    assert "\r\nhost: live.example\r\n" in head
                    assert "\r\nx-forwarded-for: 127.0.0.1\r\n" in head
                    assert "\r\nx-forwarded-proto: https\r\n" in head
                    assert "\r\nconnection:" not in head
                    assert ("\r\nx-edge-key: hush\r\n" in head) == ("/hls/p/" in head)
        # nginx has gone, and its connections with it.
        await asyncio.gather(*(task for task in behind.tasks if task))
