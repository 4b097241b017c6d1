"""A PostgreSQL server of our own, from Debian's package, for the tests of the stores."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

__all__ = ["Unavailable", "postgres_server"]


class Unavailable(Exception):
    """No server can be started here; the text says why."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yields the URL of an empty server on 127.0.0.1, run as nobody when root. Raises Unavailable."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if not folders:
        raise Unavailable("no Debian package postgresql")
    binaries = folders[0].parent
    # initdb refuses to run as root.
    user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    home = Path(mkdtemp(prefix="spillway-pg-"))
    try:
        if user:
            shutil.chown(home, "nobody")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = home / "data"
        initdb = [*user, binaries / "initdb", "-D", data, "-U", "spillway", "-A", "trust", "--no-sync"]
        made = subprocess.run(initdb, capture_output=True, text=True, cwd=home, check=False)
        if made.returncode:
            raise Unavailable(f"initdb: {made.stderr.strip()}")
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={home} -c fsync=off"
        )
        control = [*user, binaries / "pg_ctl", "-D", data, "-l", home / "log", "-w"]
        # Output to nowhere: the server would keep a pipe of ours open.
        start = subprocess.run(
            [*control, "-o", options, "start"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
            check=False,
        )
        if start.returncode:
            raise Unavailable(f"pg_ctl: {(home / 'log').read_text()[-500:]}")
        try:
            yield f"postgresql://spillway@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, cwd=home, check=False)
    finally:
        shutil.rmtree(home, ignore_errors=True)
