"""What a check is, and how a list of them becomes a report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import aiohttp

from tests.conformance.endpoint import Endpoint

__all__ = ["Check", "Failed", "Protocol", "Result", "Skipped", "report", "requirement", "run"]

Protocol = Literal["whip", "whep"]
Level = Literal["MUST", "SHOULD"]
LIMIT_S = 90.0
DOCUMENTS = {"whip": "RFC 9725", "whep": "draft-ietf-wish-whep-02"}


class Failed(Exception):
    """The server does not do what is required; the message says what it did."""


class Skipped(Exception):
    """It can't be told here; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    protocol: Protocol
    level: Level
    section: str
    requirement: str
    run: Callable[[Endpoint], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Result:
    check: Check
    outcome: Literal["PASS", "FAIL", "SKIP"]
    detail: str = ""


Registered = Callable[[Endpoint], Awaitable[None]]


def requirement(
    checks: list[Check], level: Level, text: str, *, whip: str | None = None, whep: str | None = None
) -> Callable[[Registered], Registered]:
    """Adds the decorated function to ``checks``, for each protocol whose section is given."""

    def register(function: Registered) -> Registered:
        name = function.__name__.replace("_", "-")
        sections: tuple[tuple[Protocol, str | None], ...] = (("whip", whip), ("whep", whep))
        for protocol, section in sections:
            if section is not None:
                checks.append(Check(f"{protocol}/{name}", protocol, level, section, text, function))
        return function

    return register


async def run(checks: Sequence[Check], endpoint: Endpoint) -> list[Result]:
    """One after the other; sessions that a check has left open are ended."""
    results = []
    for check in checks:
        results.append(await _run(check, endpoint))
        with contextlib.suppress(aiohttp.ClientError):
            await endpoint.end_sessions()
    return results


async def _run(check: Check, endpoint: Endpoint) -> Result:
    try:
        async with asyncio.timeout(LIMIT_S):
            await check.run(endpoint)
    except Failed as failure:
        return Result(check, "FAIL", str(failure))
    except Skipped as skip:
        return Result(check, "SKIP", str(skip))
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        # the server's fault as far as a client can tell: it hung up, hung, or answered nonsense
        return Result(check, "FAIL", f"{type(error).__name__}: {error}")
    return Result(check, "PASS")


def report(results: Sequence[Result]) -> str:
    """For people: a line per check, under it what went wrong, sums at the end."""
    lines = []
    for protocol, document in DOCUMENTS.items():
        of_protocol = [each for each in results if each.check.protocol == protocol]
        if of_protocol:
            lines.append(f"{protocol.upper()} ({document})")
        for each in of_protocol:
            check = each.check
            lines.append(
                f"  {each.outcome}  {check.name}  [{check.section} {check.level}] {check.requirement}"
            )
            if each.detail:
                lines.append(f"        {each.detail}")
    sums = {outcome: sum(each.outcome == outcome for each in results) for outcome in ("PASS", "FAIL", "SKIP")}
    lines.append(f"{sums['PASS']} passed, {sums['FAIL']} failed, {sums['SKIP']} skipped")
    return "\n".join(lines)
