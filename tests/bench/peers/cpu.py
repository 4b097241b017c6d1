"""Where a process spends its CPU time: by thread, and in the kernel's receiving half of loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

__all__ = ["ReceivingShare", "process_s", "threads_ns"]

RECEIVING = "net_rx_action"
"""The softirq in which the kernel takes packets in. Over loopback it runs in the time of whoever sends."""
SAMPLES_PER_S = 1_000


def process_s(pid: int) -> float:
    """User and system time of it and of its children (proc_pid_stat(5), fields 14 and 15)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")
    return own + sum(process_s(int(child)) for child in children)


def threads_ns(pid: int) -> Counter[str]:
    """Nanoseconds on a core by thread name, of threads that live: the first field of schedstat."""
    times: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            times[name] += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return times


class ReceivingShare:
    """Samples a process with perf(1) until ``stop()``, which gives the share of its time, 0 to 1, that the
    receiving half took. Sampling costs time itself: don't measure it meanwhile."""

    def __init__(self, pid: int) -> None:
        self._data = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed by stop)
        command = ["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES_PER_S), "-g"]
        command += ["-o", self._data.name, "-p", str(pid)]
        self._perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> float:
        """Raises RuntimeError where perf took no samples."""
        with self._data:
            self._perf.send_signal(signal.SIGINT)
            self._perf.wait()
            command = ["perf", "report", "-i", self._data.name, "--stdio", "--children"]
            command += ["-g", "none", "-s", "sym"]
            report = subprocess.run(command, capture_output=True, text=True).stdout
        if "%" not in report:
            raise RuntimeError("perf took no samples")
        found = re.search(rf"^\s*([\d.]+)%.*\b{RECEIVING}\b", report, re.MULTILINE)
        return float(found[1]) / 100 if found else 0.0
