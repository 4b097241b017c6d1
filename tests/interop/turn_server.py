"""coturn on loopback for tests."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TurnServer", "installed", "turn_server"]

READY_S = 15.0


@dataclass(frozen=True, slots=True)
class TurnServer:
    url: str
    username: str
    credential: str
    log: Path

    def allocations(self) -> int:
        """Relays that it has given out so far."""
        return self.log.read_text().count("ALLOCATE processed, success")


def installed() -> bool:
    return shutil.which("turnserver") is not None


@asynccontextmanager
async def turn_server(folder: Path) -> AsyncIterator[TurnServer]:
    """With one user, relaying to loopback, which it refuses by default."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "turn.log"
    child = await asyncio.create_subprocess_exec(
        "turnserver",
        *("-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--verbose"),
        *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", str(port)),
        *("--lt-cred-mech", "--user", "viewer:secret", "--realm", "spillway.test"),
        *("--log-file", str(log), "--simple-log", "--pidfile", str(folder / "turn.pid")),
        *("--db", str(folder / "turn.sqlite")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(READY_S):
            while not (log.exists() and "listener opened on : 127.0.0.1" in log.read_text()):
                assert child.returncode is None, "turnserver ended"
                await asyncio.sleep(0.05)
        yield TurnServer(f"turn:127.0.0.1:{port}?transport=udp", "viewer", "secret", log)
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
