"""Follows the best rung and the sound of a live HLS programme and says whether it was one continuous one."""

from __future__ import annotations

import asyncio
import datetime
import io
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from urllib.parse import urljoin

import aiohttp
import av

from signaling.demo.pattern import read_pattern
from tests.beeps import beeps

__all__ = ["PlaylistWatch"]

POLL_S = 0.25

Region = Sequence[float]
"""x, y, width, height in fractions of the picture."""


@dataclass(frozen=True, slots=True)
class Segment:
    uri: str
    init: str
    duration_s: float
    at_s: float
    """EXT-X-PROGRAM-DATE-TIME, Unix time."""
    discontinuity: bool
    seen_s: float
    """Monotonic time at which it was whole."""


class Rendition:
    """What one media playlist listed, and its files."""

    def __init__(self, http: aiohttp.ClientSession, uri: str) -> None:
        self._http = http
        self.uri = uri
        self.segments: dict[int, Segment] = {}
        self.changed = 0
        """Segments that were another file later."""
        self._bodies: dict[str, bytes] = {}

    async def poll(self) -> None:
        async with self._http.get(self.uri) as answer:
            text = await answer.text()
        number = int(re.findall(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[0])
        init, duration_s, at_s, discontinuity = "", 0.0, 0.0, False
        for line in text.splitlines():
            tag, _, value = line.partition(":")
            if tag == "#EXT-X-MAP":
                init = urljoin(self.uri, re.findall(r'URI="([^"]+)"', value)[0])
            elif tag == "#EXT-X-DISCONTINUITY":
                discontinuity = True
            elif tag == "#EXT-X-PROGRAM-DATE-TIME":
                at_s = datetime.datetime.fromisoformat(value).timestamp()
            elif tag == "#EXTINF":
                duration_s = float(value.split(",")[0])
            elif line and not line.startswith("#"):
                uri = urljoin(self.uri, line)
                seen_s = time.monotonic()
                await self._take(number, Segment(uri, init, duration_s, at_s, discontinuity, seen_s))
                number, discontinuity = number + 1, False

    async def _take(self, number: int, segment: Segment) -> None:
        known = self.segments.get(number)
        if known is not None:
            self.changed += known.uri != segment.uri
            return
        self.segments[number] = segment
        for uri in (segment.init, segment.uri):
            if uri not in self._bodies:
                async with self._http.get(uri) as answer:
                    self._bodies[uri] = await answer.read()

    @property
    def ordered(self) -> list[Segment]:
        return [self.segments[number] for number in sorted(self.segments)]

    @property
    def contiguous(self) -> bool:
        numbers = sorted(self.segments)
        return numbers == list(range(numbers[0], numbers[-1] + 1)) and not self.changed

    def epochs(self) -> Iterator[bytes]:
        """All of the media between two discontinuities, as one file."""
        for init, segments in groupby(self.ordered, key=lambda each: each.init):
            yield self._bodies[init] + b"".join(self._bodies[each.uri] for each in segments)


class PlaylistWatch:
    """Watches from ``start`` to ``close``; then ``figures`` and ``lip_sync_ms``."""

    def __init__(self, http: aiohttp.ClientSession, stream_path: str) -> None:
        self._http = http
        self._master = f"{stream_path}/manifest.m3u8"
        self.picture = Rendition(http, "")
        self.sound = Rendition(http, "")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        self.picture.uri, self.sound.uri = await self._renditions()
        while True:
            await self.picture.poll()
            await self.sound.poll()
            await asyncio.sleep(POLL_S)

    async def until_segments(self, more: int) -> None:
        """Until so many more segments are whole. Raises what ended the watch."""
        assert self._task is not None
        wanted = len(self.picture.segments) + more
        async with asyncio.timeout(60):
            while len(self.picture.segments) < wanted:
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(POLL_S)

    def figures(self) -> dict[str, object]:
        ordered = self.picture.ordered
        longest_gap_s, frames, rising = 0.0, 0, True
        for rendition, kind in ((self.picture, "video"), (self.sound, "audio")):
            for data in rendition.epochs():
                times = packet_times(data)
                rising = rising and all(b > a for a, b in pairwise(times))
                if kind == "video":
                    frames += len(times)
                    longest_gap_s = max([longest_gap_s, *(b - a for a, b in pairwise(times))])
        joints = [b.at_s - a.at_s - a.duration_s for a, b in pairwise(ordered)]
        return {
            "segments": len(ordered),
            "contiguous": self.picture.contiguous and self.sound.contiguous,
            "discontinuities": sum(each.discontinuity for each in ordered[1:]),
            "init_segments": len({each.init for each in ordered}),
            "frames": frames,
            "monotonic": rising,
            "longest_gap_in_media_ms": round(1000 * longest_gap_s),
            "longest_gap_between_segments_ms": round(1000 * max(joints, key=abs)),
            "longest_wait_for_a_segment_s": round(max(b.seen_s - a.seen_s for a, b in pairwise(ordered)), 2),
        }

    def lip_sync_ms(self, region: Region) -> list[float]:
        """How much later each of the demo's beeps is than the pictures of its second, on the programme's own
        time line; of the pictures that have the demo's pattern in ``region``."""
        found: list[float] = []
        for picture, sound in zip(self.picture.epochs(), self.sound.epochs(), strict=True):
            shown = picture_delays(picture, region)
            for beep_s in beeps(sound):
                near = [delay for at, delay in shown if abs(at - beep_s) < 0.3]
                if len(near) < 6:
                    continue
                delay = statistics.median(near)
                # Beeps are made on the whole second (signaling.demo.sound).
                found.append(1000 * ((beep_s - delay) - round(beep_s - delay)))
        return found

    async def _renditions(self) -> tuple[str, str]:
        async with asyncio.timeout(60):
            while True:
                async with self._http.get(self._master, raise_for_status=False) as answer:
                    text = await answer.text()
                    if answer.status == 200:
                        break
                await asyncio.sleep(POLL_S)
        rungs = re.findall(r"#EXT-X-STREAM-INF:(?:.*,)?BANDWIDTH=(\d+).*\n(.+)", text)
        _, best = max(rungs, key=lambda each: int(each[0]))
        [sound] = re.findall(r'#EXT-X-MEDIA:TYPE=AUDIO.*URI="([^"]+)"', text)
        return urljoin(str(answer.url), best), urljoin(str(answer.url), sound)


def packet_times(data: bytes) -> list[float]:
    """Decoding times of the packets in fragmented MP4, in seconds."""
    with av.open(io.BytesIO(data)) as container:
        [stream] = container.streams
        return [float(each.dts * stream.time_base) for each in container.demux() if each.dts is not None]


def picture_delays(data: bytes, region: Region) -> list[tuple[float, float]]:
    """(presentation time, that less the Unix time at which it was drawn) of readable pictures, in seconds."""
    x, y, w, h = region
    wraps_ms = time.time_ns() // 1_000_000 & ~0xFFFF_FFFF
    out: list[tuple[float, float]] = []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            height, width = luma.shape
            tile = luma[
                round(y * height) : round((y + h) * height), round(x * width) : round((x + w) * width)
            ]
            pattern = read_pattern(tile)
            if pattern is not None and frame.time is not None:
                out.append((frame.time, frame.time - (wraps_ms + pattern.sent_ms) / 1000))
    return out
