"""A real ``spillway`` process for tests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Process", "run_to_end", "spillway"]

READY_S = 60.0


@dataclass
class Process:
    child: asyncio.subprocess.Process
    ready_line: str
    url: str
    lines: list[str] = field(default_factory=list)
    """Standard output after the ready line, complete once stopped."""
    errors: str = ""

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Returns the exit code."""
        if self.child.returncode is None:
            self.child.send_signal(number)
        async with asyncio.timeout(15):
            output, errors = await self.child.communicate()
        self.lines += output.decode().splitlines()
        self.errors += errors.decode()
        assert self.child.returncode is not None
        return self.child.returncode


@asynccontextmanager
async def spillway(
    data_dir: Path,
    *argv: str,
    command: str = "serve",
    host: str = "127.0.0.1",
    prefix: tuple[str, ...] = (),
) -> AsyncIterator[Process]:
    """Starts a node on a free port of ``host`` and waits until it is ready; ``prefix`` is a command that
    starts it in another place."""
    child = await _start(
        command,
        "--host",
        host,
        "--http-port",
        "0",
        "--rtc-port",
        "0",
        "--data-dir",
        str(data_dir),
        *argv,
        prefix=prefix,
    )
    try:
        assert child.stdout is not None
        async with asyncio.timeout(READY_S):
            line = (await child.stdout.readline()).decode().rstrip("\n")
        match = re.search(r"(https?://\S+)$", line)
        if match is None:
            _, errors = await child.communicate()
            raise AssertionError(f"no ready line but {line!r}: {errors.decode()}")
        process = Process(child, line, match.group(1))
        yield process
        await process.stop()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def run_to_end(*argv: str, settings: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; ``settings`` go into the environment."""
    child = await _start(*argv, settings=settings)
    async with asyncio.timeout(60):
        output, errors = await child.communicate()
    assert child.returncode is not None
    return child.returncode, output.decode(), errors.decode()


async def _start(
    *argv: str, prefix: tuple[str, ...] = (), settings: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPILLWAY_")}
    environment |= settings or {}
    return await asyncio.create_subprocess_exec(
        *prefix,
        sys.executable,
        "-m",
        "signaling.cli",
        *argv,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
