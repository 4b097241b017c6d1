"""Supervision of worker processes: heavy work happens outside the process that carries packets, and
its crash harms one stream for as long as a restart takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sfu.participant import Participant, Role
from sfu.relay.channel import Channel, ChannelClosed
from sfu.relay.relay import Relay

if TYPE_CHECKING:
    from sfu.node import Sfu

__all__ = ["Worker"]

log = logging.getLogger(__name__)

STOP_S = 5.0
"""After SIGTERM; then SIGKILL."""
BACKOFF_S = (0.2, 10.0)
"""First and longest pause before a restart; doubled each time."""
HEALTHY_S = 30.0
"""Who ran this long begins at the first pause again."""


class _BadRequest(Exception):
    """The worker asks for what the relay can't do."""


class Worker:
    """An async context manager: a process that takes part in one stream, started again when it fails.

    ``entry`` is ``MODULE:FUNCTION`` (see sfu.relay.worker). Each start joins the stream as a new
    Participant with ``role``; ``on_started(worker)`` is called then, to send what the function needs
    to know. The worker isn't started again once its function has returned.
    """

    def __init__(
        self,
        sfu: Sfu,
        stream_id: str,
        entry: str,
        *,
        role: Role,
        arguments: Mapping[str, Any] | None = None,
        on_started: Callable[[Worker], None] | None = None,
    ) -> None:
        self._sfu = sfu
        self._stream_id = stream_id
        self._entry = entry
        self._role: Role = role
        self._arguments = dict(arguments or {})
        self._on_started = on_started
        self._messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.participant: Participant | None = None
        self.starts = 0
        """How often the process was started; above 1 it has failed."""

    async def __aenter__(self) -> Worker:
        self._task = asyncio.create_task(self._supervise(), name=f"worker {self._entry} {self._stream_id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    def send(self, message: Mapping[str, Any]) -> None:
        """A message to the function; lost while no process runs (send again from ``on_started``)."""
        if self._channel is not None:
            self._channel.send({"type": "message", "data": dict(message)})

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Messages from the function, over restarts; ends with the worker."""
        while (message := await self._messages.get()) is not None:
            yield message
        self._messages.put_nowait(None)

    async def close(self) -> None:
        """Stop the process within STOP_S. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._messages.put_nowait(None)

    async def _supervise(self) -> None:
        first, longest = BACKOFF_S
        pause = first
        while True:
            healthy = asyncio.Event()
            timer = asyncio.get_running_loop().call_later(HEALTHY_S, healthy.set)
            try:
                code = await self._run()
            except (OSError, _BadRequest) as error:
                # no process or descriptor to be had for now, or a worker that is out of step
                log.warning("worker %s of stream %s: %s", self._entry, self._stream_id, error)
                code = 1
            finally:
                timer.cancel()
            if code == 0:
                self._messages.put_nowait(None)
                return
            if healthy.is_set():
                pause = first
            log.warning("worker %s of stream %s ended with %d", self._entry, self._stream_id, code)
            await asyncio.sleep(pause)
            pause = min(longest, pause * 2)

    async def _run(self) -> int:
        """One life of the process; returns its exit code."""
        ours, theirs = socket.socketpair()
        channel = await Channel.over(ours)
        with theirs:
            command = [sys.executable, "-m", "sfu.relay.worker", self._entry, str(theirs.fileno())]
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            except OSError:
                await channel.close()
                raise
        self._process = process
        self.starts += 1
        participant = self._sfu.router.open(self._stream_id).join(self._role)
        relay = Relay(self._sfu, participant, channel)
        try:
            self._channel, self.participant = channel, participant
            channel.send(relay.greeting(self._arguments))
            if self._on_started is not None:
                self._on_started(self)
            await self._serve(channel, relay)
        finally:
            self._channel = self.participant = None
            # shielded: a cancelled supervisor still has to end what it started
            await asyncio.shield(self._end(process, relay))
            self._process = None
        return await process.wait()

    async def _serve(self, channel: Channel, relay: Relay) -> None:
        with contextlib.suppress(ChannelClosed):
            while True:
                message = await channel.receive()
                try:
                    if relay.handle_request(message):
                        continue
                except (LookupError, TypeError, ValueError) as error:
                    # what the engine refuses or what isn't whole: the worker starts anew, as after a crash
                    raise _BadRequest(str(error)) from error
                if message.get("type") == "message" and isinstance(message.get("data"), dict):
                    self._messages.put_nowait(message["data"])

    async def _end(self, process: asyncio.subprocess.Process, relay: Relay) -> None:
        await relay.close()
        try:
            # its channel is closed: a worker that has done its work is on its way out
            async with asyncio.timeout(STOP_S):
                if process.returncode is None and self._task is None:
                    process.send_signal(signal.SIGTERM)
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
