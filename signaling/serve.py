"""``spillway serve``: runs a node until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvloop

from signaling import logs
from signaling.clock import SystemClock
from signaling.errors import StartError
from signaling.node import Node, open_node
from signaling.settings import Settings

__all__ = ["Companion", "run"]

log = logging.getLogger("spillway")

SHUTDOWN_S = 8.0
"""The contract gives ten seconds; what has not ended by then is left to the kernel."""

SAME_S = 1.0
"""Signals that come so close together are one: who ends `make run` signals `make` and the node, and `make`
passes its own on."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)

Companion = Callable[[Node, asyncio.Event], AbstractAsyncContextManager[None]]
"""What runs beside the node: entered when the node is ready, left before it stops."""


def run(settings: Settings, companion: Companion | None = None) -> int:
    """Returns the exit code: 0 after a signal, 2 if the node can't start, 1 if it broke."""
    logs.configure(settings.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_serve(settings, companion))
            for number in SIGNALS:
                # It has ended: what comes now must not make it look killed.
                runner.get_loop().remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
            return code
    except StartError as error:
        print(f"spillway: {error}", file=sys.stderr)
        return 2


async def _serve(settings: Settings, companion: Companion | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    patient = asyncio.Event()

    def end() -> None:
        if patient.is_set():
            # Asked again: somebody is in a hurry.
            os._exit(1)
        if not stop.is_set():
            stop.set()
            loop.call_later(SAME_S, patient.set)
            loop.call_later(SHUTDOWN_S, _give_up)

    for number in SIGNALS:
        loop.add_signal_handler(number, end)
    async with contextlib.AsyncExitStack() as stack:
        opening = asyncio.create_task(stack.enter_async_context(open_node(settings, SystemClock())))
        # A signal while it starts: enter_async_context is cancelled and undoes what it did.
        await _first(opening, stop)
        if not opening.done():
            opening.cancel()
            await asyncio.wait([opening])
            return 0
        node = opening.result()
        print(f"Spillway is ready: {node.url}", flush=True)
        if companion is not None:
            await stack.enter_async_context(companion(node, stop))
        await stop.wait()
        log.info("draining")
    return 0


async def _first(future: asyncio.Task[Node], stop: asyncio.Event) -> None:
    stopping = asyncio.create_task(stop.wait())
    waiting: list[asyncio.Task[Any]] = [future, stopping]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


def _give_up() -> None:
    log.error("not everything ended in time")
    os._exit(0)
