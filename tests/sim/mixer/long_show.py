"""``python -m tests.sim.mixer.long_show [--hours 2] [--guests 2] [--seed 1]``

A show in simulated time, with the mixer's own stage, sound mix and decoders: two hosts who stay, their clocks
200 ppm fast and slow, and guests who join and leave every few seconds. Everybody flashes and clicks once a
second. Prints as one JSON object how far click and flash are apart at the mixer's output, and what memory
does. Two hours take ten minutes; SIGTERM ends the show earlier. ``test_long_show.py`` simulates less of
the same.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import random
import signal
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import NamedTuple

import numpy as np

from mixer.composite.scene import Paint
from mixer.layout import Subject
from mixer.messages import SetHost, VideoSource
from mixer.sound.input import SoundInput
from mixer.sound.mix import SoundMix
from mixer.sound.opus import Samples
from mixer.stage import Stage
from mixer.video import VideoInput
from sfu.media import Source, TapBatch
from tests.sim.mixer.flashes import Measured, offsets_ms, unheard
from tests.sim.mixer.participant import Path
from tests.sim.mixer.simulated_host import H264, SimulatedHost

__all__ = ["GUESTS", "STAYING", "Result", "simulate"]

BEGIN_US = 5_000_000
STAYING = (
    Path(jitter_ms=8, delay_ms=20, drift_ppm=200),
    Path(jitter_ms=15, delay_ms=60, drift_ppm=-200, loss=0.01),
)
GUESTS = 2
JOIN_OR_LEAVE_S = (2.0, 6.0)
SETTLED_S = 10.0
"""From then on a host has had reports of both tracks (RFC 3550 section 6.2: 5 s apart), and a delay."""
MEMORY_EVERY_S = 60.0
WORST = 12


class Outlier(NamedTuple):
    """One flash, so that its second can be looked at again under the same seed."""

    host: str
    simulated_s: float
    on_stage_s: float
    click_after_ms: float


@dataclass(frozen=True, slots=True)
class Result:
    seconds: float
    """Simulated."""
    hosts: int
    offsets_ms: Sequence[float]
    """Click after flash at the output, of hosts longer than SETTLED_S on stage."""
    first_offsets_ms: Sequence[float]
    """The same before that."""
    staying_ms: list[list[float]]
    """Of the hosts who stayed, from beginning to end."""
    silent: int
    """Flashes, of hosts longer than a second on stage, without their click."""
    measured: list[Measured]
    """Of the hosts who stayed."""
    memory_mb: list[float]
    """Resident, every minute."""
    inputs_alive: int
    """Decoders of hosts who are on stage at the end, or should long be gone."""
    worst: list[Outlier]
    """The flashes whose clicks are farthest from them, farthest first."""


class LongShow:
    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._stage, self._mix = Stage(640, 360), SoundMix()
        self._arrivals: list[tuple[int, int, SimulatedHost, Iterator[tuple[int, TapBatch]], TapBatch]] = []
        self._count = 0
        self._present: dict[str, tuple[SimulatedHost, SoundInput]] = {}
        self._seeds = 0

    def join(self, path: Path, now_us: int) -> SimulatedHost:
        self._seeds += 1
        name = f"p{self._seeds}"
        host = SimulatedHost(name, path, now_us, self._seeds)
        camera = VideoSource(Source(1, "video"))
        state = self._stage.set_host(SetHost(name, name, Source(2, "audio"), camera), now_us)
        state.video(Subject(name))
        sound = SoundInput(state.sync)
        self._mix.add(name, lambda at_us: self._heard(host, sound.read(at_us), at_us))
        self._present[name] = host, sound
        for source in (host.pictures(), host.sound()):
            self._next(host, source)
        return host

    def leave(self, name: str, now_us: int) -> None:
        host, _ = self._present.pop(name)
        host.left = True
        self._stage.hosts[name].drop_video(Subject(name))
        self._mix.remove(name)
        self._stage.remove_host(name, now_us)

    def deliver(self, now_us: int) -> None:
        """What has arrived by now goes where `mixer.inputs` would bring it."""
        while self._arrivals and self._arrivals[0][0] <= now_us:
            at_us, _, host, source, batch = heapq.heappop(self._arrivals)
            if host.left:
                continue
            if batch.codec is H264:
                video = self._stage.hosts[host.name].video(Subject(host.name))
                units = video.units(batch, at_us)
                video.add(units, video.decode(units, at_us), at_us + 5_000)
            else:
                self._present[host.name][1].push(batch.packets, batch.report)
            self._next(host, source)

    def draw(self, now_us: int) -> None:
        drawn = {id(op.picture): op.picture for op in self._stage.scene(now_us).ops if isinstance(op, Paint)}
        for host, _ in self._present.values():
            shown = self._stage.hosts[host.name].video(Subject(host.name)).at(now_us).picture
            bright = shown is not None and id(shown) in drawn and bool(shown.y[32, 32] > 150)
            if bright and not host.measured.bright:
                host.measured.flashes.append(now_us, now_us)
            elif host.measured.bright and not bright:
                host.measured.flashes.ends[-1] = now_us
            host.measured.bright = bright

    def render(self, now_us: int) -> None:
        self._mix.render(now_us)

    def _heard(self, host: SimulatedHost, block: Samples | None, at_us: int) -> Samples | None:
        if block is not None:
            loud = np.flatnonzero(np.abs(block[:, 0]) > 0.1)
            if len(loud):
                clicks = host.measured.clicks
                begin_us, end_us = at_us + loud[0] / 0.048, at_us + loud[-1] / 0.048
                if len(clicks) and begin_us - clicks.ends[-1] < 400_000:
                    clicks.ends[-1] = end_us
                else:
                    clicks.append(begin_us, end_us)
        return block

    def _next(self, host: SimulatedHost, source: Iterator[tuple[int, TapBatch]]) -> None:
        at_us, batch = next(source)
        self._count += 1
        heapq.heappush(self._arrivals, (at_us, self._count, host, source, batch))


class Summary:
    """Of hosts who have left, so that they can be forgotten."""

    def __init__(self) -> None:
        self.late_ms, self.early_ms = array("d"), array("d")
        self.worst: list[Outlier] = []
        self.silent = 0

    def take(self, host: SimulatedHost) -> None:
        found = list(self.worst)
        for at_us, offset in offsets_ms(host.measured):
            since_s = (at_us - host.born_us) / 1e6
            (self.late_ms if since_s > SETTLED_S else self.early_ms).append(offset)
            found.append(Outlier(host.name, (at_us - BEGIN_US) / 1e6, round(since_s, 2), round(offset, 1)))
        self.worst = heapq.nlargest(WORST, found, key=lambda each: abs(each.click_after_ms))
        self.silent += unheard(host.measured, host.born_us + 1_000_000)


def simulate(
    seconds: float,
    seed: int = 1,
    staying: tuple[Path, ...] = STAYING,
    most_guests: int = GUESTS,
    over: Callable[[float], bool] = lambda seconds: False,
) -> Result:
    """Run the show; every simulated minute ``over`` is asked whether to end it."""
    show, rng = LongShow(seed), random.Random(seed)
    summary = Summary()
    stayed = [show.join(path, BEGIN_US) for path in staying]
    joined = len(stayed)
    guests: list[SimulatedHost] = []
    turn_us = BEGIN_US
    pictures = 0
    memory: list[float] = []
    for tick in range(int(seconds * 100)):
        now_us = BEGIN_US + tick * 10_000
        if now_us >= turn_us and most_guests:
            turn_us = now_us + int(rng.uniform(*JOIN_OR_LEAVE_S) * 1e6)
            if guests and (len(guests) == most_guests or rng.random() < 0.5):
                gone = guests.pop(rng.randrange(len(guests)))
                show.leave(gone.name, now_us)
                summary.take(gone)
            else:
                path = Path(
                    loss=rng.choice((0, 0, 0.02)),
                    jitter_ms=rng.uniform(1, 20),
                    delay_ms=rng.uniform(5, 120),
                    drift_ppm=rng.uniform(-200, 200),
                )
                guests.append(show.join(path, now_us))
                joined += 1
        show.deliver(now_us)
        if now_us >= BEGIN_US + pictures * 1_000_000 // 30:
            show.draw(now_us)
            pictures += 1
        show.render(now_us)
        if tick % int(MEMORY_EVERY_S * 100) == 0:
            gc.collect()
            memory.append(resident_mb())
            if over(tick / 100):
                break
    for host in (*stayed, *guests):
        summary.take(host)
    measured = [host.measured for host in stayed]
    steady = [[offset for _, offset in offsets_ms(each)] for each in measured]
    gc.collect()
    alive = sum(isinstance(each, SoundInput | VideoInput) for each in gc.get_objects())
    late, early, silent, worst = summary.late_ms, summary.early_ms, summary.silent, summary.worst
    return Result((tick + 1) / 100, joined, late, early, steady, silent, measured, memory, alive, worst)


def resident_mb() -> float:
    pages = int(File("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _spread(offsets: Sequence[float]) -> dict[str, float]:
    low, middle, high = np.percentile(offsets, [0, 50, 100])
    return {"lowest": round(low, 1), "median": round(middle, 1), "highest": round(high, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description="A long show in simulated time.")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guests", type=int, default=GUESTS, help="at most so many beside those who stay")
    options = parser.parse_args()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))

    def over(seconds: float) -> bool:
        if seconds % 600 == 0:
            print(f"{seconds / 60:.0f} minutes, {resident_mb():.1f} MB", file=sys.stderr, flush=True)
        return bool(stopped)

    result = simulate(options.hours * 3600, options.seed, most_guests=options.guests, over=over)
    figures = {
        "simulated_s": result.seconds,
        "hosts": result.hosts,
        "flashes": len(result.offsets_ms) + len(result.first_offsets_ms),
        "click_after_flash_ms": _spread(result.offsets_ms),
        "of_new_hosts_ms": _spread(result.first_offsets_ms),
        "of_staying_hosts_ms": [_spread(each) for each in result.staying_ms],
        "flashes_without_click": result.silent,
        "worst": [each._asdict() for each in result.worst],
        "memory_mb": {"after_10_min": result.memory_mb[min(10, len(result.memory_mb) - 1)],
                      "at_the_end": result.memory_mb[-1]},
    }  # fmt: skip
    print(json.dumps(figures))
    if max(map(abs, [*result.offsets_ms, *result.first_offsets_ms])) > 40:
        sys.exit("lip sync is off by more than 40 ms")


if __name__ == "__main__":
    main()
