"""All checks, in the order of their sections, against a WHIP and a WHEP endpoint of one stream."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
from dataclasses import dataclass

import aiohttp

from tests.conformance import ice_checks, setup_checks
from tests.conformance.check import Check, Failed, Protocol, Result, Skipped, requirement, run
from tests.conformance.endpoint import Endpoint
from tests.conformance.peer import Peer
from tests.conformance.publisher import publishing

__all__ = ["Target", "checks", "run_suite", "wait_until_live"]

OFFLINE: list[Check] = []
"""Before anything is published."""


@requirement(OFFLINE, "MUST", "a stream that is not live is answered 409 with Retry-After", whep="4.2")
async def not_live_is_409(endpoint: Endpoint) -> None:
    reply = await endpoint.post(endpoint.offer(Peer()))
    if reply.status == 201:
        raise Skipped("the server lets viewers in before the stream is live")
    if reply.status != 409:
        raise Failed(f"POST: {reply}")
    if not reply.headers.get("Retry-After", "").isdigit():
        raise Failed(f"Retry-After: {reply.headers.get('Retry-After')}")


@dataclass(frozen=True, slots=True)
class Target:
    """At least one URL. With both, the WHIP one publishes what the WHEP one shows; with WHEP alone the
    stream has to be live already."""

    whip: str | None = None
    whip_token: str | None = None
    whep: str | None = None
    whep_token: str | None = None


def checks(protocol: Protocol, slow: bool = False) -> list[Check]:
    """Those that need a live stream, or none at all."""
    every = [*setup_checks.CHECKS, *ice_checks.CHECKS, *(ice_checks.SLOW if slow else [])]
    return sorted((each for each in every if each.protocol == protocol), key=lambda each: each.section)


async def run_suite(target: Target, *, slow: bool = False, only: str = "*") -> list[Result]:
    """``only``: a shell pattern of the names of checks."""
    results: list[Result] = []

    def wanted(checks: list[Check]) -> list[Check]:
        return [each for each in checks if fnmatch.fnmatch(each.name, only)]

    async with aiohttp.ClientSession() as http, contextlib.AsyncExitStack() as stack:
        whip = Endpoint(http, target.whip, target.whip_token, "whip") if target.whip else None
        whep = Endpoint(http, target.whep, target.whep_token, "whep") if target.whep else None
        if whip and whep:
            results += await run(wanted(OFFLINE), whep)
        if whip:
            results += await run(wanted(checks("whip", slow)), whip)
        if whep:
            if whip:
                await stack.enter_async_context(publishing(whip))
                await wait_until_live(whep)
            results += await run(wanted(checks("whep", slow)), whep)
    return results


async def wait_until_live(whep: Endpoint) -> None:
    """The publisher's media takes a moment to arrive; a server may want it before it lets viewers in."""
    for _ in range(50):
        reply = await whep.post(whep.offer(Peer()))
        await whep.end_sessions()
        if reply.status == 201:
            return
        await asyncio.sleep(0.2)
