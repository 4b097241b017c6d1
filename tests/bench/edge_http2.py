"""``python -m tests.bench.edge_http2 [--viewers 200] [--seconds 8] [--h2load PROGRAM]``

What HTTP/2 costs the edge beside HTTP/1.1: nginx with TLS and Varnish as they are shipped, in front of the
origin of `spillway bench origin`, and h2load (Debian: nghttp2-client) as the viewers. Each asks for what a
player does, a reload of picture and sound and a part of both, three times a second. Reloads are for parts
that are there: h2load can't follow a stream. ``paced``: at a player's rate; ``full``: as fast as they can.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hls_bridge import bench_edge
from hls_bridge.bench_origin import cpu_of, origin_server
from hls_bridge.bench_origin_load import part_path, reload_path

__all__ = ["measure"]

RATE = 12
"""Requests of a viewer in a second."""
PARTS = range(60, 84)
"""Of the stream: four segments, which Varnish has when the measuring begins."""
PATHS = (reload_path, part_path)


def measure(viewers: int, seconds: int, h2load: str) -> dict[str, Any]:
    """Per protocol and pace; CPU of nginx and Varnish, user and kernel, in microseconds a request."""
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        origin_server("hot") as (origin_port, _),
        bench_edge.varnish(origin_port) as (edge_port, varnish_pid),
        bench_edge.nginx(origin_port, edge_port) as (port, nginx_pid),
    ):
        urls = Path(folder) / "urls"
        paths = [path(track, part) for part in PARTS for track in ("720p30", "sound") for path in PATHS]
        urls.write_text("".join(f"https://127.0.0.1:{port}{path}\n" for path in paths))
        command = [h2load, "-i", str(urls), "-c", str(viewers), "-t", "1"]
        protocols = {"http1": ["--h1"], "http2": ["-m", "4"]}
        for name, protocol in protocols.items():
            _run([*command, *protocol, "-n", str(viewers * RATE)])
            for pace, more in {"paced": ["--rps", str(RATE)], "full": []}.items():
                pids = {"nginx": nginx_pid, "varnish": varnish_pid}
                before = {process: sum(cpu_of(pid)) for process, pid in pids.items()}
                count = viewers * RATE * seconds
                took_s = _run([*command, *protocol, "-n", str(count), *more])
                us = {
                    process: round((sum(cpu_of(pid)) - before[process]) / count * 1e6, 1)
                    for process, pid in pids.items()
                }
                found[f"{name}_{pace}"] = {
                    "requests_per_s": round(count / took_s),
                    "us_per_request": us,
                    "viewers_per_core": round(1e6 / sum(us.values()) / RATE),
                }
    return {"viewers": viewers, "load": round(os.getloadavg()[0], 1), **found}


def _run(command: list[str]) -> float:
    """Seconds that it took; every request has to succeed."""
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    done = re.search(r"finished in ([\d.]+)(ms|s),", out)
    asked = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded", out)
    if done is None or asked is None or asked[1] != asked[2]:
        raise RuntimeError(out)
    return float(done[1]) / (1000 if done[2] == "ms" else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU of the edge over HTTP/2 beside HTTP/1.1.")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--h2load", default="h2load")
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
