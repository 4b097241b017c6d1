"""What `spillway bench origin` measures, in processes of their own: the origin, and the floor under it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import time
from typing import cast

import uvloop
from aiohttp import web

from hls_bridge.bench_origin_load import (
    HEADERS,
    PART_BYTES,
    PARTS_PER_SEGMENT,
    part_path,
    raise_open_files,
    reload_path,
)
from hls_bridge.hot_path import Answer, HotPath, hot_request
from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from hls_bridge.routes import routes
from hls_bridge.serving import Runner, serve_http

VIDEO = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init", 1280, 720, 30)
SOUND = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init", channels=2)
PART_US = 333_333
BACKLOG = 4096
HISTORY_S = 32
"""So old a broadcast has playlists of full length."""


class Feed:
    """A 720p30 stream in real time, behind an origin."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self.published: list[float] = []
        """When each part was, on CLOCK_MONOTONIC."""
        self._data = {name: os.urandom(size) for name, size in PART_BYTES.items()}
        origin.begin("s", "b")
        origin.handle_event("s", EpochStart((VIDEO, SOUND), 0))
        while len(self.published) * PART_US < HISTORY_S * 1_000_000:
            self.publish()

    def publish(self) -> None:
        segment, part = divmod(len(self.published), PARTS_PER_SEGMENT)
        start, last = len(self.published) * PART_US, part == PARTS_PER_SEGMENT - 1
        self.published.append(time.monotonic())
        for track in (VIDEO, SOUND):
            event = Part(track.name, segment, part, start, PART_US, part == 0, last, self._data[track.name])
            self._origin.handle_event("s", PartGroup((event,)))

    async def run(self) -> None:
        began, first = time.monotonic(), len(self.published)
        while True:
            due = began + (len(self.published) - first) * PART_US / 1e6
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.publish()


async def serve_origin(listener: socket.socket, *, hot: bool) -> None:
    """The origin as a node mounts it; without ``hot`` its routes alone."""
    origin = Origin(admitted=lambda *_: hot)
    feed = Feed(origin)
    requests = 0

    def count(status: int, number: int) -> None:
        nonlocal requests
        requests += number

    async def state(_: web.Request) -> web.Response:
        return web.json_response(
            {"published": feed.published, "reloads": origin.reloads, "requests": requests}
        )

    app = web.Application()
    app.add_routes([*routes(origin), web.get("/state", state)])
    runner = Runner(app, access_log=None)
    await runner.setup()
    async with serve_http(runner, HotPath(origin), listener, count=count):
        await feed.run()


class _Bare(asyncio.Protocol):
    """The least that can answer: no checks, no headers read; the same bytes at the same moments."""

    def __init__(self, answers: dict[bytes, bytes], waiting: dict[bytes, list[asyncio.Transport]]) -> None:
        self._answers = answers
        self._waiting = waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        line = data[: data.find(b" ", 4)]
        answer = self._answers.get(line)
        if answer is None:
            self._waiting.setdefault(line, []).append(self._transport)
        else:
            self._transport.write(answer)


async def serve_floor(listener: socket.socket) -> None:
    """A bare asyncio server that answers reloads and parts of the same stream with the same bytes."""
    origin = Origin()
    feed, hot = Feed(origin), HotPath(origin)
    answers: dict[bytes, bytes] = {}
    waiting: dict[bytes, list[asyncio.Transport]] = {}

    def publish() -> None:
        feed.publish()
        hot.handle_second()
        number = len(feed.published) - 1
        for track in PART_BYTES:
            for path in (part_path(track, number), reload_path(track, number)):
                request = hot_request(f"GET {path} HTTP/1.1\r\n{HEADERS}".encode())
                assert request is not None
                answer = hot.answer(request, None)
                assert isinstance(answer, Answer)
                line = f"GET {path}".encode()
                message = answers[line] = b"".join(answer.pieces)
                for transport in waiting.pop(line, []):
                    transport.write(message)
                answers.pop(line if number < 24 else f"GET {part_path(track, number - 24)}".encode(), None)

    def state() -> bytes:
        body = json.dumps({"published": feed.published, "reloads": 0, "requests": 0})
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    server = await asyncio.get_running_loop().create_server(
        lambda: _Bare(answers, waiting), sock=listener, backlog=BACKLOG
    )
    async with server:
        began, first = time.monotonic(), len(feed.published)
        while True:
            due = began + (len(feed.published) - first) * PART_US / 1e6
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            publish()
            answers[b"GET /state"] = state()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("hot", "routes", "floor"))
    what = parser.parse_args().what
    raise_open_files()
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    print(listening.getsockname()[1], flush=True)
    uvloop.run(serve_floor(listening) if what == "floor" else serve_origin(listening, hot=what == "hot"))
