"""``spillway bench origin``: LL-HLS viewers per core, straight from the origin and through one edge.

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
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hls_bridge import bench_edge
from hls_bridge.bench_origin_load import HEADERS, Load, Played, raise_open_files, reload_path

__all__ = ["add_arguments", "cpu_of", "origin_server", "run"]

STEPS = ("floor", "routes", "origin", "herd", "edge", "static", "tls")
"""A bare asyncio server, the origin's routes alone, the origin, 2,000 waiting reloads, Varnish; files from
nginx over TLS, and nginx over TLS with Varnish behind it. Over TLS with HTTP/1.1."""
PART_S = 1 / 3
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
        with origin_server(name) as (port, pid):
            found[name] = bench.play(f"{name}: ", port, {name: pid}, port)
    for program, needed_by in (("varnishd", ("edge", "tls")), ("nginx", ("static", "tls"))):
        if steps.intersection(needed_by) and not bench_edge.installed(program):
            print(f"{program} is missing (apt-get install): nothing of the edge with it", file=sys.stderr)
            steps.difference_update(needed_by)
    if "static" in steps:
        with bench_edge.static_nginx() as (port, pid):
            found["static"] = bench.play("files over TLS: ", port, {"nginx": pid}, None)
    with origin_server("hot") as (port, pid):
        if "origin" in steps:
            origin = {"origin": pid}
            found["origin"] = bench.play("origin: ", port, origin, port)
            found["origin_reloads"] = bench.play("origin, reloads: ", port, origin, port, media=False)
        if "herd" in steps:
            found["herd"] = _herd("herd: ", port, args.herd, port)
        if "edge" in steps:
            with bench_edge.varnish(port) as (edge_port, edge_pid):
                # An edge's threads come with its first viewers.
                edge = {"varnish": edge_pid}
                bench.play("edge, first: ", edge_port, edge, port, seconds=3)
                found["edge"] = bench.play("edge: ", edge_port, edge, port)
                found["edge_reloads"] = bench.play("edge, reloads: ", edge_port, edge, port, media=False)
                if "herd" in steps:
                    found["edge_herd"] = _herd("herd at the edge: ", edge_port, args.herd, port)
        if "tls" in steps:
            with (
                bench_edge.varnish(port) as (edge_port, edge_pid),
                bench_edge.nginx(port, edge_port) as (tls_port, tls_pid),
            ):
                edge = {"varnish": edge_pid, "nginx": tls_pid}
                bench.play("over TLS, first: ", tls_port, edge, port, seconds=3, tls=True)
                found["tls"] = bench.play("over TLS: ", tls_port, edge, port, tls=True)
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
        pids: Mapping[str, int],
        origin_port: int | None,
        *,
        media: bool = True,
        seconds: float | None = None,
        tls: bool = False,
    ) -> dict[str, Any]:
        """Viewers per core of the processes ``pids`` and their children; without ``media`` they only reload,
        without ``origin_port`` there are only files, over TLS, that nobody has to wait for."""
        shares = [len(range(i, self._viewers, self._clients)) for i in range(self._clients)]
        context = multiprocessing.get_context("spawn")
        with context.Pool(self._clients) as pool:
            plays = [(port, share, media, seconds or self._seconds, origin_port, tls) for share in shares]
            asked = _state(origin_port)["requests"] if origin_port is not None else 0
            before = {name: cpu_of(pid) for name, pid in pids.items()}
            played = pool.map_async(_played, plays, chunksize=1).get(timeout=240)
        cpu = {}
        for name, pid in pids.items():
            user, system = (now - then for now, then in zip(cpu_of(pid), before[name], strict=True))
            cpu[name] = (user, system)
        figures = _figures(played, cpu, self._viewers)
        if origin_port is not None:
            time.sleep(SETTLE_S)
            figures |= _times(played, _state(origin_port), asked)
        print(label, json.dumps(figures), file=sys.stderr)
        return figures


def _played(what: tuple[int, int, bool, float, int | None, bool]) -> Played:
    port, viewers, media, seconds, origin_port, tls = what
    raise_open_files()
    if origin_port is None:
        load = Load(port, viewers, media=media, tls=True, pace_s=PART_S)
        first = 0
    else:
        load = Load(port, viewers, media=media, tls=tls)
        first = len(_state(origin_port)["published"])
    played = load.play(first, seconds)
    load.close()
    return played


def _figures(played: list[Played], cpu: Mapping[str, tuple[float, float]], viewers: int) -> dict[str, Any]:
    """Per second of playing; the CPU of connecting is counted in."""
    requests = sum(each.requests for each in played)
    seconds = max(each.seconds for each in played)
    total = sum(user + system for user, system in cpu.values())
    return {
        "viewers_per_core": round(viewers * seconds / total),
        "cores": round(total / seconds, 3),
        "us_per_request": round(total / requests * 1e6, 1),
        "kernel_us_per_request": round(sum(system for _, system in cpu.values()) / requests * 1e6, 1),
        "us_by_process": {name: round(sum(each) / requests * 1e6, 1) for name, each in cpu.items()},
        "client_us_per_request": round(sum(each.cpu_s for each in played) / requests * 1e6, 1),
        "requests_per_s": round(requests / seconds),
        "requests_per_viewer_s": round(requests / seconds / viewers, 2),
    }


def _times(played: list[Played], state: dict[str, Any], asked: int) -> dict[str, Any]:
    requests = sum(each.requests for each in played)
    late = [(at - state["published"][part]) * 1000 for each in played for part, at in each.arrivals]
    cuts = statistics.quantiles(late, n=100)
    return {
        "hit_rate": round(1 - (state["requests"] - asked) / requests, 4),
        "late_ms": {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1)},
    }


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


def cpu_of(pid: int) -> tuple[float, float]:
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
def origin_server(what: str) -> Iterator[tuple[int, int]]:
    """`bench_origin_server` in a process of its own: (port, process id)."""
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    print(json.dumps(run(parser.parse_args())))
