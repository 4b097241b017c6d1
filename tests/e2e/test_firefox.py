"""Firefox, which has no H.264 without a plugin, publishes and watches VP8."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

# Firefox sends no ICE checks to 127.0.0.1, and a test has no business to listen on any other address of this
# machine: it gets a network of its own, and, where it is not root, its own user ids for the right to do so.
NAMESPACE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]

# Firefox takes the address that has the default route (RFC 5737 for this one).
NETWORK = """set -e
ip link set lo up
ip link add lan type veth peer name far
ip address add 192.0.2.1/24 dev lan
ip link set lan up
ip link set far up
ip route add default dev lan
exec "$@"
"""


async def run(*argv: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *NAMESPACE,
        "sh",
        "-c",
        NETWORK,
        "sh",
        *argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_firefox_publishes_and_watches(tmp_path: Path) -> None:
    code, _, errors = await run("true")
    if code != 0:
        pytest.skip(f"no network namespaces here: {errors.strip()}")
    code, output, errors = await run(sys.executable, "-m", "tests.e2e.firefox_session", str(tmp_path))
    assert code == 0, errors
    received = json.loads(output.splitlines()[-1])
    for browser in ("firefox", "chromium"):
        assert received[browser]["codec"] == "video/VP8"
        assert received[browser]["frames"] >= 60
        assert received[browser]["height"] > 0
        assert received[browser]["lost"] == 0
    assert received["firefox"]["sound"] > 0
