"""What the threads of this process took of the processors, as the kernel's scheduler counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Spent", "spent"]

TASKS = Path("/proc/self/task")


@dataclass(frozen=True, slots=True)
class Spent:
    """Since the threads began, in seconds."""

    ran_s: float
    waited_s: float
    """Ready to run while a processor was busy with others."""

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.ran_s - other.ran_s, self.waited_s - other.waited_s)


def spent(name: str) -> Spent:
    """Of the threads whose names begin with ``name`` (Documentation/scheduler/sched-stats.rst)."""
    ran_ns = waited_ns = 0
    for task in TASKS.iterdir():
        if (task / "comm").read_text().startswith(name):
            ran, waited, _ = map(int, (task / "schedstat").read_text().split())
            ran_ns, waited_ns = ran_ns + ran, waited_ns + waited
    return Spent(ran_ns / 1e9, waited_ns / 1e9)
