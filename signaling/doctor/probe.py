"""What the checks ask of the machine, in one place so that tests can bring another machine."""

from __future__ import annotations

import ctypes
import os
import resource
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Protocol

import ifaddr

from sfu.addresses import local_addresses

__all__ = ["Echo", "Probe", "SystemProbe"]

ECHO_S = 1.0
ENGINE_NICER = -5
"""What sfu/engine/crates/udp/src/priority.rs asks for."""
TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""
TIMEX_BYTES = 1024
"""More than struct timex has anywhere (208 bytes on 64-bit Linux)."""

Echo = Literal["arrived", "lost", "port taken"]


class Probe(Protocol):
    def addresses(self) -> list[str]:
        """Every address of this machine."""
        ...

    def bridges(self) -> list[str]:
        """Those of container bridges on this machine: only its containers reach them."""
        ...

    def in_container(self) -> bool: ...

    def resolve(self, host: str) -> list[str]:
        """Addresses of a name, none if there is no such name."""
        ...

    def echo(self, host: str, port: int, address: str) -> Echo:
        """Listen on ``host`` and UDP ``port`` and send ourselves a datagram by way of ``address``."""
        ...

    def socket_limit(self, name: Literal["rmem_max", "wmem_max"]) -> int:
        """Bytes that a socket buffer may have, 0 if unknown."""
        ...

    def open_files(self) -> tuple[int, int]:
        """Soft and hard limit of this process; resource.RLIM_INFINITY is none."""
        ...

    def may_rise(self) -> bool:
        """Whether a thread may have more weight than those of other programs."""
        ...

    def may_be_urgent(self) -> bool:
        """Whether a thread may be real-time."""
        ...

    def clock_synchronised(self) -> bool | None:
        """None where the kernel does not tell."""
        ...


class SystemProbe:
    """This machine."""

    def addresses(self) -> list[str]:
        return local_addresses()

    def bridges(self) -> list[str]:
        return [
            entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            for adapter in ifaddr.get_adapters()
            if adapter.name.startswith(("docker", "br-", "cni", "podman", "virbr"))
            for entry in adapter.ips
        ]

    def in_container(self) -> bool:
        return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()

    def resolve(self, host: str) -> list[str]:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def echo(self, host: str, port: int, address: str) -> Echo:
        token = secrets.token_bytes(16)
        family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        try:
            bind_family, _, _, _, bind = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            receiver = socket.socket(bind_family, socket.SOCK_DGRAM)
        except OSError:
            return "lost"
        with receiver:
            try:
                receiver.bind(bind)
            except OSError:
                return "port taken"
            receiver.settimeout(ECHO_S)
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as sender:
                    sender.sendto(token, (address, receiver.getsockname()[1]))
                return "arrived" if receiver.recv(64) == token else "lost"
            except OSError:
                return "lost"

    def socket_limit(self, name: Literal["rmem_max", "wmem_max"]) -> int:
        try:
            return int(Path(f"/proc/sys/net/core/{name}").read_text())
        except (OSError, ValueError):
            return 0

    def open_files(self) -> tuple[int, int]:
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    def may_rise(self) -> bool:
        # niceness is a thread's own on Linux (setpriority(2)): tried in one that ends with it
        with ThreadPoolExecutor(1) as thread:
            tried = thread.submit(os.nice, ENGINE_NICER)
            return tried.exception() is None

    def may_be_urgent(self) -> bool:
        # of the calling thread, as above (sched_setscheduler(2))
        with ThreadPoolExecutor(1) as thread:
            tried = thread.submit(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1))
            return tried.exception() is None

    def clock_synchronised(self) -> bool | None:
        # modes 0 only reads (adjtimex(2))
        libc = ctypes.CDLL(None, use_errno=True)
        if os.uname().sysname != "Linux" or not hasattr(libc, "adjtimex"):
            return None
        state = libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
        return None if state < 0 else state != TIME_ERROR
