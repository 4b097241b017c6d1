"""The processes of viewers that join, as ``join`` starts and ends them."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Joined", "Leave", "join"]


class Leave:
    """Ends client processes; returns when they are gone."""

    def __init__(self, clients: Sequence[Process]) -> None:
        self._clients = clients

    async def __call__(self) -> None:
        for client in self._clients:
            if client.stdin is not None:
                client.stdin.close()
        await asyncio.gather(*(client.wait() for client in self._clients))


@dataclass(frozen=True, slots=True)
class Joined:
    """Viewers that are through."""

    took_ms: list[float]
    """From the POST to the first packet, of each."""
    refused: int
    """How many were sent to HLS instead."""
    failed: int
    """How many did not get through."""
    leave: Leave


async def join(
    url: str, viewers: int, rate: float, processes: int, *, stay: bool = False, nice: int = 0
) -> Joined:
    """Have viewers join at ``rate`` a second, all processes together; they stay until ``leave()`` if they
    ``stay``. Raises ConnectionError where a process ends before that."""
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
            str(nice),
            stdin=PIPE,
            stdout=PIPE,
        )
        for count in counts
    ]
    leave = Leave(clients)
    took: list[float] = []
    refused = failed = 0
    for client in clients:
        assert client.stdout is not None
        line = await client.stdout.readline()
        if not line:
            await leave()
            raise ConnectionError("a viewer did not get through; its process says why above")
        told = json.loads(line)
        took += told["ms"]
        refused += told["refused"]
        failed += told["failed"]
    print(f"join: {len(took)} viewers", file=sys.stderr)
    if not stay:
        await leave()
    return Joined(took, refused, failed, leave)
