"""Follows the best rung of a live HLS playlist and says whether it was one continuous programme."""

from __future__ import annotations

import asyncio
import io
import re
import time
from dataclasses import dataclass
from itertools import groupby, pairwise
from urllib.parse import urljoin

import aiohttp
import av

__all__ = ["PlaylistWatch"]

POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Segment:
    uri: str
    init: str
    duration_s: float
    discontinuity: bool
    seen_s: float
    """Monotonic time at which it was whole."""


class PlaylistWatch:
    """Watches from ``start`` to ``close``; then ``figures``."""

    def __init__(self, http: aiohttp.ClientSession, stream_path: str) -> None:
        self._http = http
        self._master = f"{stream_path}/manifest.m3u8"
        self._segments: dict[int, Segment] = {}
        self._changed = 0
        self._bodies: dict[str, bytes] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        rung = await self.best_rung()
        while True:
            async with self._http.get(rung) as answer:
                await self._read(rung, await answer.text())
            await asyncio.sleep(POLL_S)

    async def until_segments(self, more: int) -> None:
        """Until so many more segments are whole. Raises what ended the watch."""
        assert self._task is not None
        wanted = len(self._segments) + more
        async with asyncio.timeout(60):
            while len(self._segments) < wanted:
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(POLL_S)

    async def figures(self) -> dict[str, object]:
        numbers = sorted(self._segments)
        ordered = [self._segments[number] for number in numbers]
        longest_gap_s = 0.0
        frames = 0
        for init, epoch in groupby(ordered, key=lambda each: each.init):
            data = self._bodies[init] + b"".join(self._bodies[each.uri] for each in epoch)
            times = frame_times(data)
            frames += len(times)
            longest_gap_s = max(longest_gap_s, max((b - a for a, b in pairwise(times)), default=0.0))
        return {
            "segments": len(ordered),
            "contiguous": numbers == list(range(numbers[0], numbers[-1] + 1)) and not self._changed,
            "discontinuities": sum(each.discontinuity for each in ordered[1:]),
            "init_segments": len({each.init for each in ordered}),
            "frames": frames,
            "longest_gap_in_media_ms": round(1000 * longest_gap_s),
            "longest_wait_for_a_segment_s": round(max(b.seen_s - a.seen_s for a, b in pairwise(ordered)), 2),
        }

    async def best_rung(self) -> str:
        async with asyncio.timeout(60):
            while True:
                async with self._http.get(self._master, raise_for_status=False) as answer:
                    text = await answer.text()
                    if answer.status == 200:
                        break
                await asyncio.sleep(POLL_S)
        rungs = re.findall(r"#EXT-X-STREAM-INF:(?:.*,)?BANDWIDTH=(\d+).*\n(.+)", text)
        _, uri = max(rungs, key=lambda each: int(each[0]))
        return urljoin(str(answer.url), uri)

    async def _read(self, base: str, text: str) -> None:
        number = int(re.findall(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[0])
        init, duration_s, discontinuity = "", 0.0, False
        for line in text.splitlines():
            if line.startswith("#EXT-X-MAP:"):
                init = urljoin(base, re.findall(r'URI="([^"]+)"', line)[0])
            elif line == "#EXT-X-DISCONTINUITY":
                discontinuity = True
            elif line.startswith("#EXTINF:"):
                duration_s = float(line[8:].split(",")[0])
            elif line and not line.startswith("#"):
                await self._take(number, Segment(urljoin(base, line), init, duration_s, discontinuity,
                                                 time.monotonic()))  # fmt: skip
                number, discontinuity = number + 1, False

    async def _take(self, number: int, segment: Segment) -> None:
        known = self._segments.get(number)
        if known is not None:
            self._changed += known.uri != segment.uri
            return
        self._segments[number] = segment
        for uri in (segment.init, segment.uri):
            if uri not in self._bodies:
                async with self._http.get(uri) as answer:
                    self._bodies[uri] = await answer.read()


def frame_times(data: bytes) -> list[float]:
    """Presentation times of the pictures in fragmented MP4, in seconds; every picture is decoded."""
    with av.open(io.BytesIO(data)) as container:
        return [frame.time for frame in container.decode(video=0) if frame.time is not None]
