"""Many joins at once while others watch: what the watchers notice (``join --storm``)."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from asyncio.subprocess import PIPE, Process

from sfu.bench.clients import Leave, join
from sfu.bench.join_node import node
from sfu.bench.threads import spent

__all__ = ["measure"]

NICE = 10
"""Viewers who join are other machines in life: here they take the CPU that node and watchers leave."""
ENGINE = "sfu-"
"""The engine's threads."""
CALM_S = 3.0
SETTLE_S = 2.0


async def measure(
    storm: int, within_s: float, watching: int, processes: int, workers: int
) -> dict[str, object]:
    """``storm`` viewers join within ``within_s`` seconds while ``watching`` watch a publisher of 2.5 Mb/s.

    Raises ConnectionError where a watcher doesn't get through.
    """
    async with node(workers, publish=False) as (sfu, url):
        watchers = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sfu.bench.watch_client",
            f"{url}/whip/bench",
            f"{url}/whep/bench",
            str(watching),
            stdin=PIPE,
            stdout=PIPE,
        )
        leave = Leave([watchers])
        try:
            if await _line(watchers) != "ready\n":
                raise ConnectionError("the watchers did not get through; their process says why above")
            print(f"join: {watching} watch", file=sys.stderr)
            await asyncio.sleep(SETTLE_S)
            await _report(watchers)  # their own joins: replayed packets are old
            await asyncio.sleep(CALM_S)
            before = await _report(watchers)
            begin, cpu, viewers = time.perf_counter(), time.process_time(), _ended_cpu_s()
            engine = spent(ENGINE)
            joined = await join(f"{url}/whep/bench", storm, storm / within_s, processes, nice=NICE)
            took, cpu = time.perf_counter() - begin, time.process_time() - cpu
            engine, viewers = spent(ENGINE) - engine, _ended_cpu_s() - viewers
            during = await _report(watchers)
            await asyncio.sleep(SETTLE_S)
            after = await _report(watchers)
            stage = sfu.load.stage
        finally:
            await leave()
    first = sorted(joined.took_ms)
    return {
        "storm": storm,
        "within_s": within_s,
        "watching": watching,
        "joined": len(first),
        "refused": joined.refused,
        "failed": joined.failed,
        "took_s": round(took, 2),
        "first_packet_ms": {
            "p50": first[len(first) // 2] if first else None,
            "p99": first[len(first) * 99 // 100] if first else None,
        },
        "cpu_s": {
            "engine": round(engine.ran_s, 2),
            "python": round(cpu - engine.ran_s, 2),
            "viewers": round(viewers, 2),
        },
        "engine_waited_s": round(engine.waited_s, 2),
        "added_latency_ms": {"before": before, "during": during, "after": after},
        "load_stage": stage,
        "processes": processes,
        "workers": workers,
        "cores": os.cpu_count(),
    }


def _ended_cpu_s() -> float:
    """CPU time of processes that we started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def _line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


async def _report(process: Process) -> dict[str, float]:
    """What the watchers saw since the last call."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    report: dict[str, float] = json.loads(await _line(process))
    return report
