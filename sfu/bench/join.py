"""What a join costs: viewers over WHEP with whole DTLS handshakes while a stream runs.

This process is the node: HTTP, negotiation, DTLS and engine, and nothing else, so that its CPU time is what
joins cost us. The viewers are other processes, which need more CPU than the node: on few cores they set the
times to the first packet. All CPU of the node is counted, what it forwards meanwhile too.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import os
import sys
import time
import tracemalloc
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from sfu.config import SfuConfig
from sfu.media import Codec, RtpPacket
from sfu.node import Sfu
from sfu.whep import WatchGrant, whep_routes

__all__ = ["run"]

STREAM = "bench"
FRAME_S = 1 / 30
KEYFRAME = bytes.fromhex("100000009d012a80026801")
"""VP8 descriptor (RFC 7741 section 4.2) and the header of a 640x360 keyframe (RFC 6386 section 9.1)."""
INTERFRAME = bytes.fromhex("1001000000000000000000")
SETTLE_S = 2.0


def run(argv: Sequence[str]) -> dict[str, object]:
    """Parse ``argv`` (without program name), run, and return the figures (CONTRACT "Benchmarks").

    Raises ConnectionError where a viewer doesn't get through; argparse exits on bad options.
    """
    parser = argparse.ArgumentParser(prog="spillway bench join", description=__doc__)
    parser.add_argument("--viewers", type=int, default=300)
    parser.add_argument("--rate", type=float, default=50.0, help="joins a second, all processes together")
    parser.add_argument("--processes", type=int, default=2, help="that the viewers are spread over")
    parser.add_argument("--workers", type=int, default=1, help="engine threads")
    options = parser.parse_args(argv)
    if min(options.viewers, options.processes, options.workers) < 1 or options.rate <= 0:
        parser.error("--viewers, --processes, --workers and --rate are positive")
    return asyncio.run(_measure(options.viewers, options.rate, options.processes, options.workers))


async def _measure(viewers: int, rate: float, processes: int, workers: int) -> dict[str, object]:
    config = SfuConfig(
        host=("127.0.0.1",),
        rtc_port=0,
        advertise_ip=("127.0.0.1",),
        workers=workers,
        seats_per_stream=100_000,
        pending_per_address=None,
    )
    async with Sfu(config) as sfu, _published(sfu), _served(sfu) as url:
        await _join(url, 8, rate, 1)  # imports, caches, the first page of every allocator
        before = _resident()
        cpu = time.process_time()
        took, leave = await _join(url, viewers, rate, processes, stay=True)
        cpu = time.process_time() - cpu
        await asyncio.sleep(SETTLE_S)
        resident = _resident() - before
        # What of it is Python's, from viewers that join under its allocator's eyes.
        tracemalloc.start()
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0]
        few = max(viewers // 4, 8)
        _, leave_few = await _join(url, few, rate / 2, 1, stay=True)
        await asyncio.sleep(SETTLE_S)
        gc.collect()
        python = (tracemalloc.get_traced_memory()[0] - traced) / few
        tracemalloc.stop()
        await leave()
        await leave_few()
    took.sort()
    return {
        "joins_per_s_per_core": round(viewers / cpu, 1),
        "first_packet_ms": {"p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]},
        "engine_bytes_per_viewer": round(max(resident / viewers - python, 0)),
        "python_bytes_per_viewer": round(python),
        "cpu_ms_per_join": round(cpu * 1e3 / viewers, 3),
        "viewers": viewers,
        "rate": rate,
        "processes": processes,
        "workers": workers,
        "cores": os.cpu_count(),
    }


@asynccontextmanager
async def _published(sfu: Sfu) -> AsyncIterator[None]:
    """A stream of 30 frames a second, a keyframe each second."""
    stream = sfu.router.open(STREAM)
    participant = stream.join("ingest")
    injector = await participant.publish("video", Codec("VP8", 90_000))
    stream.point_program(None, participant.track_of("video"))

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        begin, number = loop.time(), 0
        while True:
            payload = (INTERFRAME if number % 30 else KEYFRAME) + bytes(200)
            injector.send([RtpPacket(number & 0xFFFF, number * 3_000 & 0xFFFFFFFF, True, payload)])
            number += 1
            await asyncio.sleep(begin + number * FRAME_S - loop.time())

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await stream.end("bench")


@asynccontextmanager
async def _served(sfu: Sfu) -> AsyncIterator[str]:
    """WHEP on loopback; its URL."""

    async def admit(stream_id: str, token: str | None) -> WatchGrant:
        return WatchGrant(stream_id)

    app = web.Application()
    app.add_routes(whep_routes(sfu, admit))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/whep/{STREAM}"
    finally:
        await runner.cleanup()


class _Leave:
    """Ends client processes; returns when they are gone."""

    def __init__(self, clients: Sequence[asyncio.subprocess.Process]) -> None:
        self._clients = clients

    async def __call__(self) -> None:
        for client in self._clients:
            if client.stdin is not None:
                client.stdin.close()
        await asyncio.gather(*(client.wait() for client in self._clients))


async def _join(
    url: str, viewers: int, rate: float, processes: int, *, stay: bool = False
) -> tuple[list[float], _Leave]:
    """Milliseconds to the first packet of each viewer, and what makes those leave who ``stay``."""
    processes = min(processes, viewers)
    counts = [viewers // processes + (i < viewers % processes) for i in range(processes)]
    clients = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sfu.bench.join_client",
            url,
            str(count),
            str(rate / processes),
            stdin=PIPE,
            stdout=PIPE,
        )
        for count in counts
    ]
    leave = _Leave(clients)
    took: list[float] = []
    for client in clients:
        assert client.stdout is not None
        line = await client.stdout.readline()
        if not line:
            await leave()
            raise ConnectionError("a viewer did not get through; its process says why above")
        took += json.loads(line)
    print(f"join: {len(took)} viewers", file=sys.stderr)
    if not stay:
        await leave()
    return took, leave


def _resident() -> int:
    """Bytes that this process holds, freed ones given back first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
