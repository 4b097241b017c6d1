"""``python -m tests.bench.soak [--minutes 60] [--viewers 50]``

A node for an hour while viewers come and go: one publisher over WHIP, so many places over WHEP, each taken
by one viewer after another who stays 20 to 120 s. Most end with DELETE; some say only close_notify, some
fall silent, some never go on from the answer. How memory grows is the slope of a straight line through the
samples after the warm-up: of anonymous memory, since pages of files come and go with what else the machine
does. What is left is counted when all have gone, against what was there before they came (a first round has
filled the caches of everything by then).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import numpy as np
from pylibsrtp import Session

from tests.bench.peers.swarm import FPS, Source
from tests.conformance.endpoint import Endpoint, connected, opened
from tests.conformance.peer import Peer
from tests.interop.serve_process import Process, spillway

ENDS = {"delete": 60, "close-notify": 10, "silence": 25, "never": 5}
"""Ways to go, with their weights: ``never`` posts an offer and goes on to nothing."""
FIRST_ROUND = 8
GONE_S = 90.0
"""Consent (30 s), the stream's grace (10 s) and connections kept alive end within it."""
LIVE_S = 10.0
PACE_S = 0.01


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    anonymous_mb: float
    threads: int
    descriptors: int
    tasks: int
    transports: int
    subscriptions: int
    seats: int


def left(sample: Sample) -> dict[str, int]:
    """What must be as before when all have gone."""
    counted = ("threads", "descriptors", "tasks", "transports", "subscriptions", "seats")
    return {name: int(getattr(sample, name)) for name in counted}


class Soak:
    def __init__(self, node: Process, http: aiohttp.ClientSession, seed: int, stay_s: list[float]) -> None:
        self._node = node
        self._http = http
        self._random = random.Random(seed)
        self._stay_s = stay_s
        self._begin = time.monotonic()
        self.ends: Counter[str] = Counter()
        self.failures: list[str] = []
        self.packets = 0
        self._stream_id = ""
        self._whip = self._whep = Endpoint(http, "", None, "whep")

    async def open_stream(self) -> None:
        token = (await self._call("POST", "accounts", {"name": "soak", "password": "a long password"}))[
            "token"
        ]
        stream = {"title": "soak", "category": "bench", "record": False}
        made = await self._call("POST", "streams", stream, {"Authorization": f"Bearer {token}"})
        self._stream_id = made["stream_id"]
        self._whip = Endpoint(self._http, f"{self._node.url}/whip", made["stream_key"], "whip")
        self._whep = Endpoint(self._http, f"{self._node.url}/whep/{self._stream_id}", None, "whep")

    async def _call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> dict[str, str]:
        url = f"{self._node.url}/api/v1/{path}"
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    @contextlib.asynccontextmanager
    async def publishing(self, source: Source) -> AsyncIterator[None]:
        peer = Peer()
        async with connected(self._whip, peer, kinds=("video",)) as created:
            assert peer.keys is not None
            task = asyncio.create_task(_publish(peer, source, peer.keys.sender()))
            try:
                await self._live()
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])
                await self._whip.request("DELETE", created.url)

    async def _live(self) -> None:
        async with asyncio.timeout(LIVE_S):
            while (await self._stream())["status"] != "live":  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.1)

    async def _stream(self) -> dict[str, str]:
        return await self._call("GET", f"streams/{self._stream_id}")

    async def sit(self, stop: asyncio.Event, places: int) -> None:
        """So many places, taken until ``stop``; returns when the last viewer has gone."""
        async with asyncio.TaskGroup() as group:
            for _ in range(places):
                group.create_task(self._place(stop))

    async def _place(self, stop: asyncio.Event) -> None:
        await _either(stop, self._random.uniform(0, self._stay_s[0]))
        while not stop.is_set():
            end = self._random.choices(list(ENDS), list(ENDS.values()))[0]
            try:
                await self.watch(stop, self._random.uniform(*self._stay_s), end)
            except (OSError, ValueError, aiohttp.ClientError, TimeoutError) as error:
                self.failures.append(f"{time.monotonic() - self._begin:.0f} s: {error!r}")
                await _either(stop, 1.0)
            self.ends[end] += 1

    async def watch(self, stop: asyncio.Event, seconds: float, end: str) -> None:
        """Raises ValueError where no media comes."""
        peer = Peer()
        if end == "never":
            await self._whep.open(peer, kinds=("video",))
            self._whep.sessions.clear()
            return
        async with opened(self._whep, peer, kinds=("video",)) as created:
            await _either(stop, seconds)
            self.packets += sum(peer.rtp.values())
            if not peer.rtp and not stop.is_set():
                self.failures.append(f"{time.monotonic() - self._begin:.0f} s: no media, {end}")
            if end == "close-notify" and peer.keys is not None:
                peer.close_dtls()
                await asyncio.sleep(0.1)
            elif end == "delete":
                await self._whep.request("DELETE", created.url)
        self._whep.sessions.clear()

    async def sample(self) -> Sample:
        async with self._http.get(f"{self._node.url}/metrics") as answer:
            lines = [line.split() for line in (await answer.text()).splitlines() if line[:1] != "#"]
        metrics = {line[0]: float(line[1]) for line in lines}
        process = Path(f"/proc/{self._node.child.pid}")
        status = dict(
            line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
        )
        return Sample(
            at_s=round(time.monotonic() - self._begin, 1),
            anonymous_mb=round(int(status["RssAnon"].split()[0]) / 1024, 2),
            threads=int(status["Threads"]),
            descriptors=sum(1 for _ in (process / "fd").iterdir()),
            tasks=int(metrics["spillway_tasks"]),
            transports=int(metrics["spillway_transports"]),
            subscriptions=int(metrics["spillway_subscriptions"]),
            seats=int(metrics["spillway_seats"]),
        )

    async def settled(self, before: Sample | None = None) -> Sample:
        """A sample when all have gone: once it is as before, or when everything had its time."""
        end = time.monotonic() + GONE_S
        while True:
            sample = await self.sample()
            gone = sample.transports == 0 and (before is None or left(sample) == left(before))
            if time.monotonic() > end or (gone and before is not None):
                return sample
            await asyncio.sleep(1.0)


async def _publish(peer: Peer, source: Source, srtp: Session) -> None:
    loop = asyncio.get_running_loop()
    begin, frame, sequence = loop.time(), 0, 0
    while True:
        while frame <= (loop.time() - begin) * FPS:
            for packet in source.packets(srtp, frame, sequence):
                peer.send(packet)
                sequence += 1
            frame += 1
        await asyncio.sleep(PACE_S)


@contextlib.asynccontextmanager
async def _log_shown(node: Process) -> AsyncIterator[None]:
    """A full pipe would stop the node."""
    assert node.child.stderr is not None
    log = node.child.stderr

    async def show() -> None:
        while line := await log.readline():
            sys.stderr.write(line.decode(errors="replace"))

    showing = asyncio.create_task(show())
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait([showing])


async def _either(stop: asyncio.Event, seconds: float) -> None:
    """Until ``stop``, at most so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def slope(samples: list[Sample]) -> tuple[float, float]:
    """MB an hour by least squares, and its standard error."""
    hours = np.array([each.at_s for each in samples]) / 3600
    memory = np.array([each.anonymous_mb for each in samples])
    if len(samples) < 3:
        return float("nan"), float("nan")
    hours -= hours.mean()
    rate = float(hours @ memory / (hours @ hours))
    rest = memory - memory.mean() - rate * hours
    return rate, float(np.sqrt(rest @ rest / (len(samples) - 2) / (hours @ hours)))


async def run(arguments: argparse.Namespace) -> dict[str, object]:
    source = Source(arguments.mbps)
    connector = aiohttp.TCPConnector(force_close=True)
    argv = ("--roles", "api,engine", "--rate-limits", "off")
    with tempfile.TemporaryDirectory() as data:
        async with (
            spillway(Path(data), *argv) as node,
            aiohttp.ClientSession(connector=connector) as http,
            _log_shown(node),
        ):
            soak = Soak(node, http, arguments.seed, arguments.stay_s)
            await soak.open_stream()
            async with soak.publishing(source):
                # every way to go once or twice, before anything is counted
                await asyncio.gather(
                    *(
                        soak.watch(asyncio.Event(), 5.0, list(ENDS)[number % len(ENDS)])
                        for number in range(FIRST_ROUND)
                    )
                )
            before = await soak.settled()
            samples: list[Sample] = []
            stop = asyncio.Event()
            begin = time.monotonic()
            async with soak.publishing(source):
                sitting = asyncio.create_task(soak.sit(stop, arguments.viewers))
                while (elapsed := time.monotonic() - begin) < arguments.minutes * 60:
                    await asyncio.sleep(min(arguments.sample_s, arguments.minutes * 60 - elapsed))
                    samples.append(await soak.sample())
                    print(json.dumps(asdict(samples[-1])), file=sys.stderr, flush=True)
                stop.set()
                await sitting
            after = await soak.settled(before)
    warm = [each for each in samples if each.at_s - samples[0].at_s >= arguments.warm_up_minutes * 60]
    rate, error = slope(warm)
    return {
        "minutes": arguments.minutes,
        "viewers": arguments.viewers,
        "joins": sum(soak.ends.values()),
        "ends": dict(soak.ends),
        "packets": soak.packets,
        "failures": soak.failures[:20],
        "anonymous_mb": {
            "before": before.anonymous_mb,
            "warm": warm[0].anonymous_mb if warm else None,
            "last": samples[-1].anonymous_mb,
            "after": after.anonymous_mb,
        },
        "mb_per_hour": round(rate, 3),
        "standard_error": round(error, 3),
        "before": left(before),
        "after": left(after),
        "left": {name: count - left(before)[name] for name, count in left(after).items()},
        "seed": arguments.seed,
        "cores": os.cpu_count(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory and leftovers while viewers come and go.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--mbps", type=float, default=1.0)
    parser.add_argument("--stay-s", type=float, nargs=2, default=[20.0, 120.0], metavar=("LEAST", "MOST"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample-s", type=float, default=30.0)
    parser.add_argument("--warm-up-minutes", type=float, default=10.0)
    result = asyncio.run(run(parser.parse_args()))
    print(json.dumps(result))
    return int(any(result["left"].values()))  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
