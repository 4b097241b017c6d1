"""The worker process: ``python -m sfu.relay.worker MODULE:FUNCTION FD``.

FUNCTION is ``async def function(participant: RelayParticipant) -> None``; when it returns the worker
exits with 0, when it raises with 1. SIGTERM cancels it. The worker never outlives its parent: the
control channel ends with it, and the kernel sends SIGTERM (PR_SET_PDEATHSIG) in case nobody reads.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import cast

from sfu.relay.channel import Channel
from sfu.relay.participant import RelayParticipant

__all__ = ["WorkerFunction", "main"]

WorkerFunction = Callable[[RelayParticipant], Awaitable[None]]

PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""
CANCEL_S = 3.0
"""Time for the function to clean up; the supervisor kills after five seconds."""
LAST_S = 8
"""From the end of the work to the end of the process."""


def load(entry: str) -> WorkerFunction:
    module, _, name = entry.partition(":")
    return cast(WorkerFunction, getattr(importlib.import_module(module), name))


async def run(function: WorkerFunction, end: socket.socket) -> int:
    from sfu._engine import Engine

    channel = await Channel.over(end)
    hello = await channel.receive()
    engine = Engine(bind=[hello["relay"]["address"]], port=0, workers=1)
    participant = RelayParticipant(engine, channel, hello)
    work = asyncio.ensure_future(function(participant))
    serving = asyncio.create_task(participant.serve(), name="relay")

    def stop() -> None:
        # once: a second cancellation would cut the clean-up short
        if not work.cancelling():
            work.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        # whichever ends first: the work is done, or the node is gone
        await asyncio.wait([work, serving], return_when=asyncio.FIRST_COMPLETED)
        # whatever its threads are at: nobody is left to kill it where the node is gone (SIGALRM ends it)
        signal.alarm(LAST_S)
        if not work.done():
            stop()
            await asyncio.wait([work], timeout=CANCEL_S)
    finally:
        await participant.close()
        serving.cancel()
        await asyncio.wait([serving])
        await channel.close()
        engine.close()
        # the loop is about to close, and a handler of a closed loop writes to a closed descriptor
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    error = work.exception() if work.done() and not work.cancelled() else None
    # A task group whose tasks lose their source while it is cancelled raises that instead.
    if error is None or (work.cancelling() and isinstance(error, ConnectionError)):
        return 0
    logging.getLogger(__name__).error("worker failed", exc_info=error)
    return 1


def main(arguments: list[str]) -> int:
    entry, descriptor = arguments
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent or parent == 1:
        return 0  # it died before it could be watched
    # Ctrl-C reaches the whole group; the parent decides when its workers end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    return asyncio.run(run(load(entry), socket.socket(fileno=int(descriptor))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
