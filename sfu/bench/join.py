"""What a join costs: viewers over WHEP with whole DTLS handshakes while a stream runs.

This process is the node: HTTP, negotiation, DTLS and engine, and nothing else, so that its CPU time is what
joins cost us. The viewers are other processes, which need more CPU than the node: on few cores they set the
times to the first packet. All CPU of the node is counted, what it forwards meanwhile too.

With ``--storm N --within S --watching W`` N viewers join within S seconds while W watch, and it is measured
what those notice.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from sfu.bench import storm
from sfu.bench.clients import join
from sfu.bench.join_node import node

__all__ = ["run"]

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
    parser.add_argument("--storm", type=int, help="so many join at once, while others watch")
    parser.add_argument("--within", type=float, default=5.0, help="seconds (default 5)")
    parser.add_argument("--watching", type=int, default=50, help="who are not to be disturbed (default 50)")
    options = parser.parse_args(argv)
    if options.storm is not None:
        if (
            min(options.storm, options.watching, options.processes, options.workers) < 1
            or options.within <= 0
        ):
            parser.error("--storm, --within, --watching, --processes and --workers are positive")
        return asyncio.run(
            storm.measure(options.storm, options.within, options.watching, options.processes, options.workers)
        )
    if min(options.viewers, options.processes, options.workers) < 1 or options.rate <= 0:
        parser.error("--viewers, --processes, --workers and --rate are positive")
    return asyncio.run(_measure(options.viewers, options.rate, options.processes, options.workers))


async def _measure(viewers: int, rate: float, processes: int, workers: int) -> dict[str, object]:
    async with node(workers, publish=True) as (_, base):
        url = f"{base}/whep/bench"
        await join(url, 8, rate, 1)  # imports, caches, the first page of every allocator
        before = _resident()
        cpu = time.process_time()
        joined = await join(url, viewers, rate, processes, stay=True)
        cpu = time.process_time() - cpu
        if joined.failed or joined.refused:
            await joined.leave()
            raise ConnectionError(f"{joined.failed + joined.refused} viewers did not get through")
        await asyncio.sleep(SETTLE_S)
        resident = _resident() - before
        # What of it is Python's, from viewers that join under its allocator's eyes.
        tracemalloc.start()
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0]
        few = max(viewers // 4, 8)
        joined_few = await join(url, few, rate / 2, 1, stay=True)
        await asyncio.sleep(SETTLE_S)
        gc.collect()
        python = (tracemalloc.get_traced_memory()[0] - traced) / few
        tracemalloc.stop()
        await joined.leave()
        await joined_few.leave()
    took = sorted(joined.took_ms)
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


def _resident() -> int:
    """Bytes that this process holds, freed ones given back first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
