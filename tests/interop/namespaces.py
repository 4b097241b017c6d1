"""Two hosts on one machine: network namespaces joined by a cable (veth). Linux, root."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

__all__ = ["WHY_NOT", "inside", "ip", "namespace", "run_in"]

T = TypeVar("T")
CLONE_NEWNET = 0x4000_0000


def _why_not() -> str | None:
    if os.name != "posix" or os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip (Debian: iproute2) is not installed"
    name = f"probe{os.getpid()}"
    try:
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return "ip netns hangs"
    if made.returncode:
        return f"ip netns: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True, timeout=10)
    return None


WHY_NOT = _why_not()
"""None where namespaces work."""


def ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, timeout=10, capture_output=True)


@contextmanager
def namespace(name: str) -> Iterator[str]:
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "del", name)


def inside(name: str) -> tuple[str, ...]:
    """The prefix that starts a command there."""
    return ("ip", "netns", "exec", name)


def run_in(name: str, function: Callable[[], T]) -> T:
    """On a thread of its own that has moved there (setns(2)): its sockets are of that namespace."""
    result: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(Path("/run/netns") / name, os.O_RDONLY)
        try:
            if libc.setns(descriptor, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            result.append(function())
        except BaseException as error:  # carried over to the caller's thread, which raises it
            failure.append(error)
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
