"""Every playlist that a node gives of a stream while it is live, and what must hold for all of them."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

__all__ = ["Entry", "History", "entries", "strict_errors"]

ROOT = Path(__file__).parent.parent.parent
HLS_PARSER = ROOT / "web" / "node_modules"
DVR_EVERY_S = 2.0
URI = re.compile(r'^(?!#)(\S+\.m3u8)$|URI="([^"]+\.m3u8)"', re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """A segment as a playlist shows it."""

    msn: int
    uri: str
    duration_s: float
    at_s: float
    """EXT-X-PROGRAM-DATE-TIME, Unix time."""
    discontinuity: bool
    gap: bool


def number(tag: str, text: str) -> int:
    found = re.search(rf"^#{tag}:(\d+)$", text, re.MULTILINE)
    assert found, (tag, text)
    return int(found[1])


def entries(text: str) -> list[Entry]:
    """The finished segments of a full playlist."""
    out: list[Entry] = []
    msn, at_s, duration_s, discontinuity, gap = number("EXT-X-MEDIA-SEQUENCE", text), 0.0, 0.0, False, False
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        match tag:
            case "#EXT-X-DISCONTINUITY":
                discontinuity = True
            case "#EXT-X-GAP":
                gap = True
            case "#EXT-X-PROGRAM-DATE-TIME":
                at_s = datetime.datetime.fromisoformat(value).timestamp()
            case "#EXTINF":
                duration_s = float(value.rstrip(","))
            case _ if line and not line.startswith("#"):
                out.append(Entry(msn, line, duration_s, at_s, discontinuity, gap))
                msn, discontinuity, gap = msn + 1, False, False
    return out


@dataclass
class History:
    """`run` it beside a stream; ``texts`` are the playlists of each rendition in order."""

    http: aiohttp.ClientSession
    base: str
    stream_id: str
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    masters: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Until it is cancelled, or the stream ends."""
        followed: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for name in ("manifest", "dvr"):
                    master = await self._get(f"/api/v1/streams/{self.stream_id}/{name}.m3u8")
                    if master is None:
                        continue
                    self.masters.append(master)
                    for uri in [first or second for first, second in URI.findall(master)]:
                        if uri not in followed:
                            followed.add(uri)
                            group.create_task(self._follow(uri))
                await asyncio.sleep(DVR_EVERY_S)

    async def _follow(self, uri: str) -> None:
        query = ""
        while True:
            text = await self._get(uri + query)
            if text is None:
                query = ""
                await asyncio.sleep(0.5)
                continue
            self.texts[uri].append(text)
            if "#EXT-X-ENDLIST" in text:
                return
            if "/dvr/" in uri:
                await asyncio.sleep(DVR_EVERY_S)
                continue
            # The next part, as a low-latency player asks for it (RFC 8216bis 6.3.7).
            hint = re.search(r'#EXT-X-PRELOAD-HINT:.*/(\d+)\.(\d+)\.m4s"', text)
            query = f"?_HLS_msn={hint[1]}&_HLS_part={hint[2]}" if hint else ""
            if not hint:
                await asyncio.sleep(0.5)

    async def _get(self, uri: str) -> str | None:
        async with self.http.get(self.base + uri) as answer:
            assert answer.status in (200, 400, 404, 503), (uri, answer.status)
            return await answer.text() if answer.status == 200 else None

    def check(self) -> None:
        """What RFC 8216bis 6.2.1 demands of a playlist that grows, and our own word on clocks."""
        assert self.texts
        for uri, texts in self.texts.items():
            seen: dict[int, Entry] = {}
            sequence = discontinuities = 0
            for text in texts:
                for entry in entries(text):
                    assert seen.setdefault(entry.msn, entry) == entry, uri
                    assert round(entry.duration_s) <= 2, uri
                if "#EXT-X-PLAYLIST-TYPE:VOD" in text:
                    continue
                assert number("EXT-X-TARGETDURATION", text) == 2, uri
                assert number("EXT-X-MEDIA-SEQUENCE", text) >= sequence, uri
                assert number("EXT-X-DISCONTINUITY-SEQUENCE", text) >= discontinuities, uri
                sequence = number("EXT-X-MEDIA-SEQUENCE", text)
                discontinuities = number("EXT-X-DISCONTINUITY-SEQUENCE", text)
                if "PART-INF" in text:
                    target = float(text.split("PART-TARGET=")[1].split("\n")[0])
                    assert float(text.split("PART-HOLD-BACK=")[1].split(",")[0]) >= 3 * target
                    assert all(
                        float(d.split(",")[0]) <= target for d in text.split("EXT-X-PART:DURATION=")[1:]
                    )
        starts = {uri: self.discontinuities(uri) for uri in self.texts if "/dvr/" not in uri}
        latest = max(starts.values(), key=lambda each: each[-1:])
        for uri, found in starts.items():
            # A rung that joined later, or left earlier, has a part of them.
            assert set(found) <= set(latest), (uri, starts)

    def segments(self, uri: str) -> list[Entry]:
        """All finished segments that were ever listed."""
        seen = {entry.msn: entry for text in self.texts[uri] for entry in entries(text)}
        return [seen[msn] for msn in sorted(seen)]

    def discontinuities(self, uri: str) -> list[int]:
        return [entry.msn for entry in self.segments(uri) if entry.discontinuity]

    def save(self, folder: Path) -> list[Path]:
        """One file for each playlist."""
        paths = []
        for text in [*self.masters, *(text for texts in self.texts.values() for text in texts)]:
            paths.append(folder / f"{len(paths)}.m3u8")
            paths[-1].write_text(text)
        return paths


def strict_errors(paths: list[Path]) -> list[tuple[Path, str]]:
    """What hls-parser in strict mode finds."""
    assert (HLS_PARSER / "hls-parser").is_dir(), "hls-parser is missing: npm --prefix web ci"
    command = ["node", str(Path(__file__).parent / "strict_playlists.mjs"), str(HLS_PARSER)]
    listing = "\n".join(str(path) for path in paths)
    done = subprocess.run(command, input=listing, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(paths)
    return [(Path(each["path"]), each["error"]) for each in results if each["error"]]
