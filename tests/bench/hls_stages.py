"""``python -m tests.bench.hls_stages [--seconds 20]``: the node's share of HLS latency, by stage.

Follows the demo's media playlists by blocking reloads, as players do. Milliseconds behind the end of a part
when the playlist that lists it is there: ``drawn_ms`` from the drawing of its last picture plus one frame,
``dated_ms`` from its EXT-X-PROGRAM-DATE-TIME (the bridge's time line, which begins where packets arrive).
``fetch_ms`` is what getting the part then takes. The rest of a player's latency is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import av
import numpy as np

from signaling.demo.pattern import read_pattern
from tests.bench.hls_latency import STEADY_S, demo_stream
from tests.bench.pattern_pages import percentiles, progress, until_live
from tests.interop.serve_process import spillway

FRAME_MS = 1000 / 30


@dataclass
class Follower:
    """One media playlist, reloaded part by part."""

    session: aiohttp.ClientSession
    url: str
    decoder: av.VideoCodecContext | None = None
    seen: set[str] = field(default_factory=set)
    figures: dict[str, list[float]] = field(
        default_factory=lambda: {"dated_ms": [], "drawn_ms": [], "fetch_ms": []}
    )

    async def run(self, seconds: float) -> dict[str, Any]:
        text, until = (await self._get(self.url)).decode(), time.monotonic() + seconds
        self.seen.update(uri for uri, _, _ in _parts(text))
        while time.monotonic() < until:
            msn, part = _next(text)
            text = (await self._get(f"{self.url}?_HLS_msn={msn}&_HLS_part={part}")).decode()
            now_ms = time.time_ns() / 1e6
            for uri, end_ms, init in _parts(text):
                if uri not in self.seen:
                    self.seen.add(uri)
                    await self._take(uri, init, end_ms, now_ms)
        return {name: percentiles(values, 5, 50, 95) for name, values in self.figures.items() if values}

    async def _take(self, uri: str, init: str, end_ms: float, now_ms: float) -> None:
        began = time.monotonic()
        data = await self._get(uri)
        self.figures["fetch_ms"].append((time.monotonic() - began) * 1000)
        self.figures["dated_ms"].append(now_ms - end_ms)
        if "/sound/" in urljoin(self.url, uri):
            return
        # A key frame begins a segment: until the first of them nothing can be decoded.
        if self.decoder is None and ".0.m4s" not in uri:
            return
        luma = self._last_picture(await self._get(init) + data)
        pattern = read_pattern(luma) if luma is not None else None
        if pattern is not None:
            self.figures["drawn_ms"].append(pattern.latency_ms(int(now_ms)) - FRAME_MS)

    def _last_picture(self, fragment: bytes) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        luma = None
        with av.open(io.BytesIO(fragment)) as container:
            stream = container.streams.video[0]
            if self.decoder is None:
                self.decoder = av.CodecContext.create("h264", "r")
                self.decoder.extradata = stream.codec_context.extradata
                self.decoder.thread_count = 1
            for packet in container.demux(stream):
                if packet.size:
                    for frame in self.decoder.decode(packet):
                        luma = frame.to_ndarray()[: frame.height]
        return luma

    async def _get(self, url: str) -> bytes:
        async with self.session.get(urljoin(self.url, url)) as answer:
            answer.raise_for_status()
            return await answer.read()


def _parts(text: str) -> list[tuple[str, float, str]]:
    """(URI, end in ms of the Unix epoch, URI of the init segment) of each part listed."""
    out, at_ms, init = [], 0.0, ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        uri = re.search(r'URI="([^"]+)"', value)
        if name == "#EXT-X-PROGRAM-DATE-TIME":
            at_ms = datetime.fromisoformat(value).timestamp() * 1000
        elif name == "#EXT-X-MAP" and uri:
            init = uri[1]
        elif name == "#EXT-X-PART" and uri:
            duration = re.search(r"DURATION=([\d.]+)", value)
            at_ms += float(duration[1] if duration else 0) * 1000
            out.append((uri[1], at_ms, init))
    return out


def _next(text: str) -> tuple[int, int]:
    """(msn, part) that comes next."""
    hint = re.search(r'#EXT-X-PRELOAD-HINT:.*URI="[^"]*?(\d+)\.(\d+)\.m4s"', text)
    assert hint is not None, text
    return int(hint[1]), int(hint[2])


async def measure(seconds: float) -> dict[str, Any]:
    """Figures of each rendition."""
    with tempfile.TemporaryDirectory() as folder:
        async with spillway(Path(folder), command="demo") as node, aiohttp.ClientSession() as session:
            stream_id = await demo_stream(node.url)
            await until_live(node.url, stream_id)
            await asyncio.sleep(STEADY_S)
            url = f"{node.url}/api/v1/streams/{stream_id}/manifest.m3u8"
            async with session.get(url) as answer:
                master = await answer.text()
            found = re.findall(r'^(?!#)\S+\.m3u8|(?<=URI=")[^"]+\.m3u8', master, re.M)
            progress(f"follows {', '.join(found)}")
            followers = [Follower(session, urljoin(url, name)) for name in found]
            figures = await asyncio.gather(*(follower.run(seconds) for follower in followers))
    return {Path(name).stem: each for name, each in zip(found, figures, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description="How late HLS parts are published.")
    parser.add_argument("--seconds", type=float, default=20.0)
    print(json.dumps(asyncio.run(measure(parser.parse_args().seconds))))


if __name__ == "__main__":
    main()
