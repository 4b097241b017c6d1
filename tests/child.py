"""Programs that run until they are asked to end: publishers in a process of their own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["demo_publisher", "module", "parted"]

PARTING_S = 10


@asynccontextmanager
async def module(name: str, *argv: str, quiet: bool = False) -> AsyncIterator[Process]:
    """``python -m name argv...``; at the end of the block its input is closed, and it is killed if that is
    not enough. ``quiet``: what it says on standard error is dropped."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", name, *argv), stdin=PIPE, stderr=DEVNULL if quiet else None
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        await parted(process)


async def parted(process: Process) -> None:
    """Until a process that was asked to end has done so; it is killed if it takes too long."""
    try:
        async with asyncio.timeout(PARTING_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def demo_publisher(url: str, key: str, *, quiet: bool = False) -> AsyncIterator[None]:
    """The demo's publisher, until the end of the block."""
    async with module("signaling.demo.publisher", "--whip-url", url, quiet=quiet) as process:
        assert process.stdin is not None
        process.stdin.write(f"{key}\n".encode())
        await process.stdin.drain()
        yield
