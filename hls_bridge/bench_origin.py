"""``spillway bench origin``: LL-HLS viewers per core, straight from the origin and through one Varnish.

Origin, edge and viewers are processes of their own; CPU is counted for each alone, the kernel's too.
The origin is fed a 720p30 stream of 2.6 Mb/s in real time. A viewer makes twelve requests a second: it
reloads the picture's and the sound's playlist, which block, and fetches every part of both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hls_bridge.bench_origin_load import HEADERS, Load, Played, raise_open_files, reload_path

__all__ = ["add_arguments", "run"]

DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"
STEPS = ("floor", "routes", "origin", "herd", "edge")
"""A bare asyncio server, the origin's routes alone, the origin, 2,000 waiting reloads, Varnish."""
SETTLE_S = 1.3
"""The origin reports what it counted once a second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--viewers", type=int, default=400, help="viewers that play at a time")
    parser.add_argument("--herd", type=int, default=2000, help="reloads that wait and are released at once")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=1, help="processes that play the viewers")
    parser.add_argument("--only", choices=STEPS, action="append", help="measure this (may be repeated)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the contract's keys, and more; edge figures are null where no varnishd is installed."""
    raise_open_files()
    bench = _Bench(args.viewers, args.seconds, args.clients)
    steps = set(args.only or STEPS)
    found: dict[str, Any] = {}
    for name in steps.intersection(("floor", "routes")):
        with _server(name) as (port, pid):
            found[name] = bench.play(f"{name}: ", port, pid, port)
    if shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        print("varnishd is missing (apt-get install varnish): no edge figures", file=sys.stderr)
        steps.discard("edge")
    with _server("hot") as (port, pid):
        if "origin" in steps:
            found["origin"] = bench.play("origin: ", port, pid, port)
            found["origin_reloads"] = bench.play("origin, reloads: ", port, pid, port, media=False)
        if "herd" in steps:
            found["herd"] = _herd("herd: ", port, args.herd, port)
        if "edge" in steps:
            with _varnish(port) as (edge_port, edge_pid):
                # An edge's threads come with its first viewers.
                bench.play("edge, first: ", edge_port, edge_pid, port, seconds=3)
                found["edge"] = bench.play("edge: ", edge_port, edge_pid, port)
                found["edge_reloads"] = bench.play("edge, reloads: ", edge_port, edge_pid, port, media=False)
                if "herd" in steps:
                    found["edge_herd"] = _herd("herd at the edge: ", edge_port, args.herd, port)
    herd = found.get("edge_herd") or found.get("herd") or {}
    return {
        "viewers_per_core": found.get("origin", {}).get("viewers_per_core"),
        "edge_viewers_per_core": found.get("edge", {}).get("viewers_per_core"),
        "herd_ms": herd.get("herd_ms"),
        "origin_requests_per_reload": herd.get("origin_requests_per_reload"),
        "hit_rate": found.get("edge", {}).get("hit_rate"),
        **found,
    }


class _Bench:
    def __init__(self, viewers: int, seconds: float, clients: int) -> None:
        self._viewers = viewers
        self._seconds = seconds
        self._clients = clients

    def play(
        self,
        label: str,
        port: int,
        pid: int,
        origin_port: int,
        *,
        media: bool = True,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Viewers per core of the process ``pid`` and its children; without ``media`` they only reload."""
        shares = [len(range(i, self._viewers, self._clients)) for i in range(self._clients)]
        context = multiprocessing.get_context("spawn")
        with context.Pool(self._clients) as pool:
            barrier = [(port, share, media, seconds or self._seconds, origin_port) for share in shares]
            before, asked = _cpu_of(pid), _state(origin_port)["requests"]
            playing = pool.map_async(_played, barrier, chunksize=1)
            played = playing.get(timeout=240)
        cpu = [now - then for now, then in zip(_cpu_of(pid), before, strict=True)]
        time.sleep(SETTLE_S)
        state = _state(origin_port)
        return _figures(label, played, cpu, self._viewers, state, state["requests"] - asked)


def _played(what: tuple[int, int, bool, float, int]) -> Played:
    port, viewers, media, seconds, origin_port = what
    raise_open_files()
    load = Load(port, viewers, media=media)
    played = load.play(len(_state(origin_port)["published"]), seconds)
    load.close()
    return played


def _figures(
    label: str, played: list[Played], cpu: list[float], viewers: int, state: dict[str, Any], asked: int
) -> dict[str, Any]:
    """Per second of playing; the CPU of connecting is counted in."""
    requests = sum(each.requests for each in played)
    seconds = max(each.seconds for each in played)
    late = [(at - state["published"][part]) * 1000 for each in played for part, at in each.arrivals]
    cuts = statistics.quantiles(late, n=100)
    figures = {
        "viewers_per_core": round(viewers * seconds / sum(cpu)),
        "cores": round(sum(cpu) / seconds, 3),
        "us_per_request": round(sum(cpu) / requests * 1e6, 1),
        "kernel_us_per_request": round(cpu[1] / requests * 1e6, 1),
        "client_us_per_request": round(sum(each.cpu_s for each in played) / requests * 1e6, 1),
        "requests_per_s": round(requests / seconds),
        "requests_per_viewer_s": round(requests / seconds / viewers, 2),
        "hit_rate": round(1 - asked / requests, 4),
        "late_ms": {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1)},
    }
    print(label, json.dumps(figures), file=sys.stderr)
    return figures


def _herd(label: str, port: int, count: int, origin_port: int) -> dict[str, Any]:
    """``count`` reloads wait for one part; the time from its publication to the last answer."""
    epoll, sockets = select.epoll(), {}
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        sockets[connection.fileno()] = connection
        epoll.register(connection, select.EPOLLIN)
    before = _state(origin_port)
    number = len(before["published"]) + 3
    request = f"GET {reload_path('720p30', number)} HTTP/1.1\r\n{HEADERS}".encode()
    for connection in sockets.values():
        connection.send(request)
    arrivals: list[float] = []
    while len(arrivals) < count:
        events = epoll.poll(10)
        if not events:
            raise ConnectionError(f"{count - len(arrivals)} reloads were not answered")
        for file, _ in events:
            if not sockets[file].recv(16_384).startswith(b"HTTP/1.1 200"):
                raise ConnectionError("a reload was refused")
            arrivals.append(time.monotonic())
            epoll.unregister(file)
    after = _state(origin_port)
    released = after["published"][number]
    for connection in sockets.values():
        connection.close()
    figures = {
        "herd_ms": {
            "p50": round((statistics.median(arrivals) - released) * 1000, 1),
            "last": round((max(arrivals) - released) * 1000, 1),
        },
        "origin_requests_per_reload": after["reloads"] - before["reloads"],
    }
    print(label, json.dumps(figures), file=sys.stderr)
    return figures


def _state(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=10) as answer:
        state: dict[str, Any] = json.loads(answer.read())
    return state


def _cpu_of(pid: int) -> tuple[float, float]:
    """User and system time of a process and its children, in seconds (proc(5))."""
    user = system = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, rest = stat.read_text().split(" ", 1)
            fields = rest.rsplit(")", 1)[1].split()
            if int(number) == pid or int(fields[1]) == pid:
                user += int(fields[11]) / os.sysconf("SC_CLK_TCK")
                system += int(fields[12]) / os.sysconf("SC_CLK_TCK")
    return user, system


@contextlib.contextmanager
def _server(what: str) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "hls_bridge.bench_origin_server", what]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        time.sleep(SETTLE_S)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def _varnish(origin_port: int) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        vcl = Path(folder) / "edge.vcl"
        text = (DEPLOY / "varnish.vcl").read_text()
        vcl.write_text(text.replace('.port = "8080";', f'.port = "{origin_port}";'))
        command = [str(DEPLOY / "varnish.sh"), "-F", "-f", str(vcl), "-a", f"127.0.0.1:{port}"]
        command += ["-j", "none", "-n", f"{folder}/work", "-s", "malloc,256m"]
        with open(Path(folder) / "log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    print(json.dumps(run(parser.parse_args())))
