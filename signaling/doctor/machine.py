"""Processor, memory, disk, GPU and the kernel's network features."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from signaling.doctor.finding import Finding
from signaling.doctor.probe import Probe
from signaling.settings import Settings

__all__ = ["check"]

OLDEST = (3, 11)
UDP_SEGMENT = 103
UDP_GRO = 104
"""linux/udp.h; the socket module has no names for them."""
SOCKET_BUFFER = 4 * 1024 * 1024
"""13 ms of 2.5 Gb/s: what waits in the kernel while a worker thread is scheduled away."""
OPEN_FILES = 4096
"""1,000 viewers hold a WebSocket each, players of the HLS origin one or two more."""


def check(settings: Settings, probe: Probe) -> list[Finding]:
    return [
        _python(),
        _processor(),
        _memory(),
        _disk(settings.data_dir),
        *_offload(),
        *_buffers(probe),
        _files(probe),
        _priority(probe),
        _clock(probe),
        _gpu(),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    # As a tuple of its own: to linters the comparison with version_info is always false.
    if tuple(sys.version_info) < OLDEST:
        return Finding("fix", "Python", version, "install Python 3.11 or newer")
    return Finding("ok", "Python", version)


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0))
    flags = _read("/proc/cpuinfo")
    if "aes" not in flags.split():
        return Finding(
            "warn", "processor", f"{cores} cores, no AES instructions: encryption takes ten times longer"
        )
    if cores < 2:
        return Finding("warn", "processor", "1 core", "two or more keep packets apart from the control plane")
    return Finding("ok", "processor", f"{cores} cores, AES instructions")


def _memory() -> Finding:
    mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    if mib < 1000:
        return Finding("warn", "memory", f"{mib} MiB", "1 GiB carries a thousand viewers")
    return Finding("ok", "memory", f"{mib} MiB")


def _disk(data_dir: Path) -> Finding:
    folder = data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        # Not os.access: what that says of a mount that is read-only, or of a file, root can't rely on.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(4096))
    except OSError as error:
        full = error.errno == errno.ENOSPC
        remedy = "make room" if full else "let the node's user write there, or set data_dir"
        return Finding("fix", "data_dir", f"can't write to {data_dir}: {error.strerror}", remedy)
    mib = shutil.disk_usage(folder).free // 2**20
    if mib < 1024:
        return Finding("warn", "data_dir", f"{mib} MiB free", "an hour of recording takes 1 to 3 GiB")
    return Finding("ok", "data_dir", f"{mib} MiB free")


def _offload() -> Iterator[Finding]:
    """UDP segmentation and receive offload: many packets per system call (Linux 4.18 and 5.0)."""
    for name, option, value in (("GSO", UDP_SEGMENT, 1200), ("GRO", UDP_GRO, 1)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.setsockopt(socket.IPPROTO_UDP, option, value)
            except OSError as error:
                detail = f"the kernel refuses it ({error.strerror}): forwarding costs up to twice as much"
                yield Finding("warn", f"UDP {name}", detail, "Linux 5.0 or newer, outside gVisor")
            else:
                yield Finding("ok", f"UDP {name}", "works")


def _buffers(probe: Probe) -> Iterator[Finding]:
    names: tuple[Literal["rmem_max", "wmem_max"], ...] = ("rmem_max", "wmem_max")
    for name in names:
        size = probe.socket_limit(name)
        if size < SOCKET_BUFFER:
            yield Finding(
                "warn",
                f"net.core.{name}",
                f"{size} bytes: bursts may be lost at high rates",
                f"sysctl -w net.core.{name}={SOCKET_BUFFER} (and in /etc/sysctl.d)",
            )
        else:
            yield Finding("ok", f"net.core.{name}", f"{size} bytes")


def _files(probe: Probe) -> Finding:
    soft, hard = probe.open_files()
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        return Finding(
            "warn", "open files", f"limit {soft} (hard {hard})", f"ulimit -n {OPEN_FILES} or LimitNOFILE="
        )
    return Finding("ok", "open files", "no limit" if soft == resource.RLIM_INFINITY else f"limit {soft}")


def _priority(probe: Probe) -> Finding:
    missing = []
    if not probe.may_be_urgent():
        missing.append(("LimitRTPRIO=1", "rtprio: 1", "ulimit -r 1"))
    if not probe.may_rise():
        missing.append(("LimitNICE=-5", "nice: 25", "ulimit -e 25"))
    if not missing:
        return Finding("ok", "priority", "the engine's threads come before others")
    detail = "not allowed: encoders and other programs on this machine delay packets"
    unit, container, shell = zip(*missing, strict=True)
    remedy = (
        f"{' '.join(unit)} in a unit, ulimits: {{{', '.join(container)}}} in a container,"
        f" {'; '.join(shell)} elsewhere"
    )
    return Finding("warn", "priority", detail, remedy)


def _clock(probe: Probe) -> Finding:
    """Tokens expire by it, and players of the HLS playlists reckon latency with it."""
    synchronised = probe.clock_synchronised()
    if synchronised is None:
        return Finding("ok", "clock", "the kernel doesn't tell whether it is synchronised")
    if not synchronised:
        detail = "not synchronised: tokens end early or late, HLS latency is shown wrong"
        return Finding("warn", "clock", detail, "timedatectl set-ntp true, or run chrony")
    return Finding("ok", "clock", "synchronised")


def _gpu() -> Finding:
    """A GPU is a bonus: without one the processor mixes and encodes."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("ok", "GPU", "none; mixing and transcoding run on the processor")
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return Finding("warn", "GPU", "nvidia-smi fails", "mend the driver, or mixing runs on the processor")
    return Finding("ok", "GPU", "; ".join(answer.stdout.strip().splitlines()))


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
