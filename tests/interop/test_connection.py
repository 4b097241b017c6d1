"""One port, two ways to an answer: whoever answers, requests and responses stay in order and whole."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from hls_bridge.connection import AHEAD, HEAD_S, IDLE_S, STALLED_S, HttpServer
from hls_bridge.hot_path import HotPath
from hls_bridge.http1 import HEAD_LIMIT
from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup
from hls_bridge.routes import routes
from hls_bridge.serving import Runner
from tests.interop.test_origin import A, Site, V, fill, part

HOST = b"Host: a\r\n"
PLAYLIST = b"GET /hls/s/b1/720p30.m3u8%s HTTP/1.1\r\n" + HOST + b"\r\n"
PART = b"GET /hls/s/b1/720p30/%d.%d.m4s HTTP/1.1\r\n" + HOST + b"\r\n"


class Door:
    """An origin behind connections that a test can look at."""

    def __init__(self) -> None:
        self.origin = Origin(block_s=20)
        self.counts: dict[int, int] = {}
        self.url = ""
        self.port = 0
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        async def echo(request: web.Request) -> web.Response:
            return web.Response(body=b"echo:" + await request.read())

        async def refuse(request: web.Request) -> web.Response:
            return web.Response(status=401)

        async def talk(request: web.Request) -> web.WebSocketResponse:
            response = web.WebSocketResponse()
            await response.prepare(request)
            async for message in response:
                await response.send_bytes(message.data * 2)
            return response

        app = web.Application()
        app.add_routes([*routes(self.origin), web.post("/echo", echo), web.post("/refuse", refuse)])
        app.add_routes([web.get("/talk", talk)])
        runner = Runner(app, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        self.server = HttpServer(HotPath(self.origin), runner.make_connection, count=self._count)
        self._stack.callback(self.server.close)
        listening = await asyncio.get_running_loop().create_server(self.server, "127.0.0.1", 0)
        self._stack.callback(listening.close)
        self.port = listening.sockets[0].getsockname()[1]
        fill(self)  # type: ignore[arg-type]

    def _count(self, status: int, number: int) -> None:
        self.counts[status] = self.counts.get(status, 0) + number

    async def close(self) -> None:
        await self._stack.aclose()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._stack.callback(writer.close)
        return reader, writer

    async def until_waiting(self, number: int) -> None:
        broadcast = self.origin.broadcast("s")
        assert broadcast is not None
        async with asyncio.timeout(20):
            while len(broadcast.playlists) + len(broadcast.parts) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.start()
    yield door
    await door.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
    return int(head[0].split()[1]), headers, body


async def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write(
        PART % (2, 0)
        + b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /"
        + PLAYLIST % b"?_HLS_msn=3&_HLS_part=2"
        + PART % (2, 1)
        + b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
        + PART % (2, 2)
    )
    assert (await answer(reader))[2] == b"720p30-2.0;"
    assert (await answer(reader))[2] == b"echo:GET /"
    await door.until_waiting(1)
    door.origin.handle_event("s", part(V, 3, 2))
    assert b'"720p30/3.2.m4s"' in (await answer(reader))[2]
    assert (await answer(reader))[2] == b"720p30-2.1;"
    assert (await answer(reader))[0] == 404
    assert (await answer(reader))[2] == b"720p30-2.2;"


async def test_requests_may_come_in_any_pieces(door: Door) -> None:
    reader, writer = await door.connect()
    stream = (
        PART % (2, 0)
        + b"POST /echo HTTP/1.1\r\nHost: a\r\ncontent-length: 3\r\n\r\nabc"
        + PART % (2, 1)
        + b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        + PART % (2, 2)
    )
    for i in range(len(stream)):
        writer.write(stream[i : i + 1])
        await asyncio.sleep(0)
    bodies = [(await answer(reader))[2] for _ in range(5)]
    assert bodies == [b"720p30-2.0;", b"echo:abc", b"720p30-2.1;", b"echo:hi", b"720p30-2.2;"]


async def test_a_refused_body_does_not_become_a_request(door: Door) -> None:
    reader, writer = await door.connect()
    body = PART % (2, 0)
    head = b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    writer.write(head)
    assert (await answer(reader))[0] == 401
    writer.write(body + PART % (2, 1))
    assert (await answer(reader))[2] == b"720p30-2.1;"


@pytest.mark.parametrize(
    "request_", [PART % (2, 0), PLAYLIST % b"", PLAYLIST % b"?_HLS_msn=3&_HLS_part=1&_HLS_skip=YES"]
)
async def test_both_ways_say_the_same(door: Door, request_: bytes) -> None:
    reader, writer = await door.connect()
    found = []
    for more in (b"", b"Authorization: Bearer none\r\n"):
        writer.write(request_.replace(HOST, HOST + more + b"Accept-Encoding: gzip\r\n"))
        status, headers, body = await answer(reader)
        assert status == 200
        assert headers.pop("Date").endswith(" GMT")
        found.append((body, headers))
    assert found[1][1].pop("Server").startswith("Python")
    assert found[0] == found[1]
    door.server.close()
    assert door.counts == {200: 1}


async def test_a_reload_that_fails_after_all(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write(PART % (3, 2))
    await door.until_waiting(1)
    door.origin.handle_event("s", EpochStart((V, A), 9_000_000))
    door.origin.handle_event("s", part(V, 0, 0))
    status, headers, body = await answer(reader)
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert b"/problems/not-found" in body


async def test_who_leaves_is_not_waited_for(door: Door) -> None:
    _, writer = await door.connect()
    writer.write(PLAYLIST % b"?_HLS_msn=3&_HLS_part=2")
    await door.until_waiting(1)
    writer.transport.abort()
    reader, writer = await door.connect()
    writer.write(PLAYLIST % b"?_HLS_msn=3&_HLS_part=2")
    async with asyncio.timeout(20):
        while len(door.server.connections) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    door.origin.handle_event("s", part(V, 3, 2))
    assert (await answer(reader))[0] == 200
    door.server.close()
    assert door.counts == {200: 1}


async def test_connection_close(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write((PART % (2, 0)).replace(HOST, HOST + b"Connection: close\r\n") + PART % (2, 1))
    assert (await answer(reader))[2] == b"720p30-2.0;"
    assert await reader.read() == b""


async def test_upgrades_go_through(door: Door) -> None:
    url = f"http://127.0.0.1:{door.port}/talk"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as talk:
        await talk.send_bytes(PART % (2, 0))
        message = await talk.receive(20)
        assert (message.type, message.data) == (WSMsgType.BINARY, PART % (2, 0) * 2)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /hls/" + b"a" * HEAD_LIMIT, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * HEAD_LIMIT + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /hls/s/b1/720p30.m3u8 HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n", 400),
        (b"GET /hls/s/b1/720p30.m3u8 HTTP/1.1\r\nHo st: a\r\n\r\n", 400),
        (b"GET /hls/s/b1/720p30.m3u8 HTTP/1.1\r\nHost: a\x00\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"GET /hls/s/b1/720p30.m3u8 HTTP/1.1\r\n\r\n", 400),
        (PLAYLIST % b"?_HLS_msn=99", 400),
        (b"GET /hls/s/b1/../b1/720p30.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /hls/s/b1/720p30.m3u8 HTTP/1.0\r\n\r\n", 200),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_odd(door: Door, sent: bytes, status: int) -> None:
    reader, writer = await door.connect()
    writer.write(sent)
    assert (await answer(reader))[0] == status


async def test_noise_harms_nobody(door: Door) -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    rng = random.Random(1)
    for _ in range(150):
        data = bytearray(PART % (2, 0) + PLAYLIST % b"?_HLS_msn=2&_HLS_part=1" + PART % (2, 1))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        _, writer = await door.connect()
        writer.write(data)
        writer.close()
    reader, writer = await door.connect()
    writer.write(PART % (2, 0))
    assert (await answer(reader))[2] == b"720p30-2.0;"
    assert errors == []


async def test_silence_ends_a_connection(door: Door) -> None:
    (idle, _), (half, half_writer), (waiting, writer) = [await door.connect() for _ in range(3)]
    half_writer.write(b"GET /hls/s")
    writer.write(PLAYLIST % b"?_HLS_msn=3&_HLS_part=2")
    await door.until_waiting(1)
    async with asyncio.timeout(20):
        while len(door.server.connections) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    second = door.server.second
    for connection in list(door.server.connections):
        connection.handle_second(second + HEAD_S)
    assert not half.at_eof()
    for connection in list(door.server.connections):
        connection.handle_second(second + HEAD_S + 5)
    assert (await answer(half))[0] == 408
    for connection in list(door.server.connections):
        connection.handle_second(second + IDLE_S + 5)
    assert await idle.read() == b""
    door.origin.handle_event("s", part(V, 3, 2))
    assert (await answer(waiting))[0] == 200


async def test_who_does_not_read_is_not_written_to(door: Door) -> None:
    data = bytes(4_000_000)
    door.origin.handle_event("s", PartGroup((Part("720p30", 3, 2, 0, 333_333, False, False, data),)))
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", door.port))
        client.setblocking(False)
        client.send((PART % (3, 2)) * 50)
        async with asyncio.timeout(20):
            while not door.server.counts:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for _ in range(3):
            await asyncio.sleep(0.05)
        assert door.server.counts == {200: 1}, "one answer is under way, 49 wait"
        (connection,) = door.server.connections
        connection.handle_second(door.server.second + STALLED_S + 5)
        async with asyncio.timeout(20):
            while door.server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_who_asks_ahead_is_not_read_without_end(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write(PLAYLIST % b"?_HLS_msn=3&_HLS_part=2")
    await door.until_waiting(1)
    count = 4 * AHEAD // len(PART % (2, 0))
    writer.write((PART % (2, 0)) * count)
    await asyncio.sleep(0.1)
    door.origin.handle_event("s", part(V, 3, 2))
    assert (await answer(reader))[0] == 200
    for _ in range(count):
        assert (await answer(reader))[2] == b"720p30-2.0;"


async def test_reading_goes_on_when_the_connection_changes_hands(door: Door) -> None:
    reader, writer = await door.connect()
    writer.write(PLAYLIST % b"?_HLS_msn=3&_HLS_part=2")
    await door.until_waiting(1)
    # A WebSocket message (RFC 6455 section 5.2), more of it behind the reload than is read ahead.
    text = bytes(AHEAD + 10_000)
    writer.write(
        b"GET /talk HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b64encode(bytes(16)) + b"\r\n\r\n"
        b"\x82\xff" + struct.pack(">Q", 2 * len(text)) + bytes(4) + text
    )
    await asyncio.sleep(0.2)
    writer.write(text)
    door.origin.handle_event("s", part(V, 3, 2))
    assert (await answer(reader))[0] == 200
    assert (await answer(reader))[0] == 101
    async with asyncio.timeout(20):
        assert await reader.readexactly(10) == b"\x82\x7f" + struct.pack(">Q", 4 * len(text))


async def test_a_site_serves_both(door: Door) -> None:
    site = Site(door.origin)
    await site.start()
    assert (await site.get("/hls/s/b1/720p30/2.0.m4s"))[1] == b"720p30-2.0;"
    assert (await site.get("/hls/s/b1/720p30/init-0.mp4"))[1] == b"init-v"
    await site.close()
