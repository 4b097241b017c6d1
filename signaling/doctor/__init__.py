"""``spillway doctor``: looks at the machine and the configuration, and says what to fix and how."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from signaling.doctor import candidates, machine, network, software, stores
from signaling.doctor.finding import Finding
from signaling.doctor.probe import Probe, SystemProbe
from signaling.settings import Settings

__all__ = ["examine", "report", "run"]


def run(settings: Settings) -> int:
    """Prints a line per finding; returns 1 if something must be fixed."""
    findings = examine(settings)
    print(report(findings))
    return 1 if any(each.level == "fix" for each in findings) else 0


def examine(settings: Settings, probe: Probe | None = None) -> list[Finding]:
    probe = probe or SystemProbe()
    return [
        *machine.check(settings, probe),
        *software.check(settings),
        *network.check(settings),
        *candidates.check(settings, probe),
        *asyncio.run(stores.check(settings)),
    ]


def report(findings: Iterable[Finding]) -> str:
    lines = []
    for each in findings:
        lines.append(f"{each.level.upper():<4}  {each.what}: {each.detail}")
        if each.remedy:
            lines.append(f"      -> {each.remedy}")
    return "\n".join(lines)
