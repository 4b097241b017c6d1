"""A disk that is soon full: a small tmpfs, and ballast to fill it with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hls_bridge.spool import free_bytes

__all__ = ["disk_emptied", "disk_full", "fill_up", "small_disk"]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mounted below ``folder`` until the context ends. Only root can mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def disk_full(disk: Path) -> None:
    """Into the reserve that recording leaves to the rest of the node."""
    (disk / "ballast").write_bytes(bytes(free_bytes(disk) + 4096))


def fill_up(disk: Path) -> None:
    """To the last byte."""
    with open(disk / "ballast", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def disk_emptied(disk: Path) -> None:
    (disk / "ballast").unlink()
