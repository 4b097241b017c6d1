"""An OBS Studio under a virtual screen, driven by the script that it runs itself (``studio.lua``)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.child import parted

__all__ = ["Studio", "studio"]

ARGUMENTS = ("--startstreaming", "--disable-shutdown-check", "--multi", "--verbose")
STARTING_S = 10
POLL_S = 0.02


@dataclass
class Studio:
    home: Path
    process: Process
    display: str
    log: list[str] = field(default_factory=list)
    """What OBS logs, line by line."""

    def events(self) -> list[dict[str, Any]]:
        """What studio.lua told so far, in order; ``at_ms`` is Unix time."""
        path = self.home / "events"
        if not path.exists():
            return []
        whole = path.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def command(self, word: str) -> None:
        """``start`` or ``stop``; taken within 0.1 s."""
        (self.home / "command.new").write_text(word)
        (self.home / "command.new").rename(self.home / "command")

    async def told(self, within_s: float, since_ms: int = 0, **fields: object) -> dict[str, Any]:
        """The first event since ``since_ms`` with these fields; TimeoutError after ``within_s``."""
        async with asyncio.timeout(within_s):
            while True:
                for event in self.events():
                    if event["at_ms"] >= since_ms and fields.items() <= event.items():
                        return event
                await asyncio.sleep(POLL_S)

    async def logged(self, text: str, within_s: float, since: int = 0) -> str:
        """The first line from the ``since``-th on that contains ``text``."""
        async with asyncio.timeout(within_s):
            while True:
                for line in self.log[since:]:
                    if text in line:
                        return line
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def studio(root: Path, home: Path) -> AsyncIterator[Studio]:
    """OBS from the file system at ``root`` with the configuration in ``home``, a folder inside of it."""
    prefix = () if root == Path("/") else ("chroot", str(root))
    seen = str(Path("/") / home.relative_to(root))
    environment = {
        "PATH": os.defpath + ":/usr/sbin",
        "LANG": "C.UTF-8",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "HOME": seen,
        "XDG_CONFIG_HOME": seen,
        "XDG_RUNTIME_DIR": seen,
    }
    (home / "events").unlink(missing_ok=True)
    screen = await asyncio.create_subprocess_exec(
        *(*prefix, "Xvfb", "-displayfd", "1", "-screen", "0", "1280x720x24", "-nolisten", "tcp"),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment,
    )
    try:
        assert screen.stdout is not None
        async with asyncio.timeout(STARTING_S):
            display = ":" + (await screen.stdout.readline()).decode().strip()
        process = await asyncio.create_subprocess_exec(
            *(*prefix, "obs", *ARGUMENTS),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=environment | {"DISPLAY": display},
        )
        running = Studio(home, process, display)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_read(process, running.log))
            try:
                yield running
            finally:
                await _end(process, signal.SIGINT)
    finally:
        await _end(screen, signal.SIGTERM)


async def _read(process: Process, lines: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        lines.append(line.decode(errors="replace").rstrip())


async def _end(process: Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
    await parted(process)
