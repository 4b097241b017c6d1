"""``spillway bench origin``: LL-HLS viewers per core, straight from the origin and through one Varnish.

The origin runs in a process of its own and is fed a 720p30 stream in real time. Each viewer reloads the
picture's and the sound's playlist with blocking requests and fetches every part: twelve requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from hls_bridge.routes import routes

__all__ = ["add_arguments", "run"]

VIDEO = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init", 1280, 720, 30)
SOUND = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init", channels=2)
PART_BYTES = {"720p30": 104_000, "sound": 5_400}
PART_US = 333_333
VCL = Path(__file__).parent.parent / "docs" / "deploy" / "varnish.vcl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--viewers", type=int, default=100, help="viewers that play at a time")
    parser.add_argument("--herd", type=int, default=2000, help="reloads that wait and are released at once")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the contract's keys; edge figures are null where no varnishd is installed."""
    with _origin_process() as (port, pid):
        print("straight from the origin", file=sys.stderr)
        direct = asyncio.run(_play(port, args.viewers, args.seconds, pid, port))
        reloads = asyncio.run(_play(port, args.viewers, args.seconds, pid, port, media=False))
        varnishd = shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        edge: dict[str, Any] | None = None
        edge_reloads: dict[str, Any] | None = None
        if varnishd is not None:
            with _varnish(varnishd, port) as (edge_port, edge_pid):
                print("through the edge", file=sys.stderr)
                edge = asyncio.run(_play(edge_port, args.viewers, args.seconds, edge_pid, port))
                edge_reloads = asyncio.run(
                    _play(edge_port, args.viewers, args.seconds, edge_pid, port, media=False)
                )
                herd = asyncio.run(_herd(edge_port, args.herd, port))
        else:
            print("varnishd is missing (apt-get install varnish): no edge figures", file=sys.stderr)
            herd = asyncio.run(_herd(port, args.herd, port))
    return {
        "viewers_per_core": direct["viewers_per_core"],
        "edge_viewers_per_core": edge["viewers_per_core"] if edge else None,
        "herd_ms": herd["herd_ms"],
        "origin_requests_per_reload": herd["origin_requests_per_reload"],
        "reload_viewers_per_core": reloads["viewers_per_core"],
        "edge_reload_viewers_per_core": edge_reloads["viewers_per_core"] if edge_reloads else None,
        "hit_rate": edge["hit_rate"] if edge else None,
        "late_ms": {"origin": direct["late_ms"], "edge": edge["late_ms"] if edge else None},
    }


class _Client(asyncio.Protocol):
    """One keep-alive connection, one request at a time; as cheap as can be, for it shares the machine."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = -1
        self._future: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def get(self, path: str) -> bytes:
        assert self._transport is not None
        self._future = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode())
        return await self._future

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._left < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                self._fail(head.split(b"\r\n")[0].decode())
                return
            self._left = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) >= self._left and self._future is not None:
            body, self._buffer, self._left = bytes(self._buffer), bytearray(), -1
            future, self._future = self._future, None
            if not future.done():
                future.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("connection lost")

    def _fail(self, text: str) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_exception(ConnectionError(text))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _connect(port: int) -> _Client:
    _, client = await asyncio.get_running_loop().create_connection(_Client, "127.0.0.1", port)
    return client


async def _state(port: int) -> dict[str, Any]:
    client = await _connect(port)
    body = await client.get("/state")
    client.close()
    state: dict[str, Any] = json.loads(body.split(b"\r\n\r\n", 1)[1])
    return state


async def _play(
    port: int, viewers: int, seconds: float, pid: int, origin_port: int, *, media: bool = True
) -> dict[str, Any]:
    """Viewers per core of the process ``pid`` and its children; without ``media`` they only reload."""
    late: list[float] = []
    served = 0

    async def follow(track: str, until: float) -> None:
        nonlocal served
        reloads, parts = await _connect(port), await _connect(port)
        number = int((await _state(origin_port))["part"]) + 1
        while time.monotonic() < until:
            msn, part = divmod(number, 6)
            await reloads.get(f"/hls/s/b/{track}.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES")
            late.append(time.monotonic())
            if media:
                await parts.get(f"/hls/s/b/{track}/{msn}.{part}.m4s")
            served += 1 + media
            number += 1
        reloads.close()
        parts.close()

    before_state = await _state(origin_port)
    before, began = _cpu_of(pid), time.monotonic()
    until = began + seconds
    await asyncio.gather(*(follow(t, until) for _ in range(viewers) for t in PART_BYTES))
    wall = time.monotonic() - began
    cpu = _cpu_of(pid) - before
    state = await _state(origin_port)
    requests = state["requests"] - before_state["requests"]
    return {
        "viewers_per_core": round(viewers * wall / cpu),
        "hit_rate": round(1 - requests / served, 4),
        "late_ms": _lateness(late, state["published"]),
    }


def _lateness(seen: list[float], published: list[float]) -> dict[str, float]:
    """From a part's publication to its playlist's arrival."""
    import bisect

    delays = []
    for at in seen:
        index = bisect.bisect_right(published, at) - 1
        if index >= 0:
            delays.append((at - published[index]) * 1000)
    cuts = statistics.quantiles(delays, n=100)
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1)}


async def _herd(port: int, count: int, origin_port: int) -> dict[str, Any]:
    """``count`` reloads wait for one part; the time from its publication to the last answer."""
    clients: list[_Client] = []
    for _ in range(count):
        clients.append(await _connect(port))
    state = await _state(origin_port)
    msn, part = divmod(int(state["part"]) + 4, 6)
    path = f"/hls/s/b/720p30.m3u8?_HLS_msn={msn}&_HLS_part={part}"
    arrivals: list[float] = []

    async def reload(client: _Client) -> None:
        await client.get(path)
        arrivals.append(time.monotonic())

    await asyncio.gather(*(reload(client) for client in clients))
    after = await _state(origin_port)
    released = after["published"][msn * 6 + part]
    for client in clients:
        client.close()
    return {
        "herd_ms": {
            "p50": round((statistics.median(arrivals) - released) * 1000, 1),
            "last": round((max(arrivals) - released) * 1000, 1),
        },
        "origin_requests_per_reload": after["reloads"] - state["reloads"],
    }


def _cpu_of(pid: int) -> float:
    """User and system time of a process and its children, in seconds (proc(5))."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, rest = stat.read_text().split(" ", 1)
            fields = rest.rsplit(")", 1)[1].split()
            if int(number) == pid or int(fields[1]) == pid:
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


@contextlib.contextmanager
def _origin_process() -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "hls_bridge.bench_origin", "--serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def _varnish(varnishd: str, origin_port: int) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        vcl = Path(folder) / "edge.vcl"
        vcl.write_text(VCL.read_text().replace('.port = "8080";', f'.port = "{origin_port}";'))
        command = [
            varnishd,
            "-F",
            "-f",
            str(vcl),
            "-a",
            f"127.0.0.1:{port}",
            "-j",
            "none",
            "-n",
            f"{folder}/work",
        ]
        with open(Path(folder) / "log", "wb") as log:
            process = subprocess.Popen([*command, "-s", "malloc,256m"], stdout=log, stderr=log)
            try:
                for _ in range(200):
                    with socket.socket() as probe:
                        if probe.connect_ex(("127.0.0.1", port)) == 0:
                            break
                    time.sleep(0.05)
                yield port, process.pid
            finally:
                process.terminate()
                process.wait()


async def _serve() -> None:
    origin = Origin()
    published: list[float] = []
    requests = 0

    @web.middleware
    async def count(request: web.Request, handler: Any) -> web.StreamResponse:
        nonlocal requests
        if request.path.startswith("/hls/"):
            requests += 1
        response: web.StreamResponse = await handler(request)
        return response

    async def state(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "part": len(published) - 1,
                "published": published,
                "reloads": origin.reloads,
                "requests": requests,
            }
        )

    app = web.Application(middlewares=[count])
    app.add_routes([*routes(origin), web.get("/state", state)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    origin.begin("s", "b")
    origin.handle_event("s", EpochStart((VIDEO, SOUND), 0))
    print(runner.addresses[0][1], flush=True)
    began, number = time.monotonic(), 0
    data = {name: os.urandom(size) for name, size in PART_BYTES.items()}
    while True:
        segment, part = divmod(number, 6)
        for track in (VIDEO, SOUND):
            start = number * PART_US
            event = Part(track.name, segment, part, start, PART_US, part == 0, part == 5, data[track.name])
            origin.handle_event("s", PartGroup((event,)))
        published.append(time.monotonic())
        number += 1
        await asyncio.sleep(max(0.0, began + number * PART_US / 1e6 - time.monotonic()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.serve:
        import uvloop

        uvloop.run(_serve())
    else:
        print(json.dumps(run(arguments)))
