"""What a page's players did, for the report of a test that failed."""

from __future__ import annotations

import json
import time
from collections import deque
from types import TracebackType
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Request, Response

__all__ = ["MediaReport"]

LAST_REQUESTS = 60
LAST_EVENTS = 60
LONGEST = 6000
"""Characters."""
WATCH = """() => {
  window.mediaEvents = [];
  const began = performance.now();
  const names = ['loadedmetadata', 'loadeddata', 'canplay', 'play', 'pause', 'playing', 'waiting', 'stalled',
    'seeking', 'seeked', 'ratechange', 'emptied', 'ended', 'error', 'resize', 'suspend', 'abort'];
  for (const video of document.querySelectorAll('video')) for (const name of names) {
    video.addEventListener(name, () => mediaEvents.push(
      `${((performance.now() - began) / 1000).toFixed(2)} s: ${video.id} ${name}` +
      ` at ${video.currentTime.toFixed(3)}, readyState ${video.readyState}, rate ${video.playbackRate}`));
  }
}"""
STATE = """() => {
  const ranges = (each) => Array.from({ length: each.length }, (_, i) =>
    [each.start(i).toFixed(3), each.end(i).toFixed(3)].join('-')).join(' ');
  return Array.from(document.querySelectorAll('video'), (video) => ({
    id: video.id,
    currentTime: video.currentTime,
    readyState: video.readyState,
    networkState: video.networkState,
    paused: video.paused,
    ended: video.ended,
    rate: video.playbackRate,
    error: video.error?.message,
    size: `${video.videoWidth}x${video.videoHeight}`,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
    buffered: ranges(video.buffered),
    played: ranges(video.played),
    seekable: ranges(video.seekable),
  }));
}"""


class MediaReport:
    """Within its block the page's ``<video>`` elements and requests are followed; an error that leaves the
    block gets a note with their state, their events, what Chromium's own player says of its errors (the
    Media domain of the DevTools protocol), and the requests: the last, and all that failed. ``more``: an
    expression of the page whose value the note has too."""

    def __init__(self, page: Page, more: str = "null") -> None:
        self._page = page
        self._more = more
        self._requests: deque[str] = deque(maxlen=LAST_REQUESTS)
        self._refused: list[str] = []
        self._errors: list[str] = []
        self._began_s: dict[Request, float] = {}
        self._zero_s = time.monotonic()

    async def __aenter__(self) -> MediaReport:
        self._zero_s = time.monotonic()
        self._page.on("request", self._asked)
        self._page.on("response", self._answered)
        self._page.on("requestfailed", self._failed)
        await self._page.evaluate(WATCH)
        devtools = await self._page.context.new_cdp_session(self._page)
        devtools.on("Media.playerErrorsRaised", self._raised)
        await devtools.send("Media.enable")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self._page.is_closed():
            error.add_note(await self._text())

    async def _text(self) -> str:
        try:
            states = await self._page.evaluate(STATE)
            events = await self._page.evaluate("mediaEvents")
            more = await self._page.evaluate(self._more)
        except PlaywrightError as gone:
            return f"the page says nothing any more: {gone}\n" + "\n".join(self._requests)
        waiting = [f"{at - self._zero_s:.2f} s: {each.url}" for each, at in self._began_s.items()]
        sections = {
            "players": [json.dumps(each) for each in states],
            "the page says": [json.dumps(more)[:LONGEST]],
            "events": events[-LAST_EVENTS:],
            "errors of Chromium's player": self._errors,
            "failed requests (asked, took)": self._refused,
            f"last {LAST_REQUESTS} requests (asked, took)": self._requests,
            "not answered": waiting,
        }
        return "\n".join(f"--- {title}\n" + "\n".join(lines) for title, lines in sections.items())

    def _raised(self, event: dict[str, Any]) -> None:
        self._errors.append(f"{time.monotonic() - self._zero_s:.2f} s: {json.dumps(event)}")

    def _asked(self, request: Request) -> None:
        self._began_s[request] = time.monotonic()

    def _answered(self, response: Response) -> None:
        self._note(response.request, str(response.status), refused=response.status >= 400)

    def _failed(self, request: Request) -> None:
        self._note(request, f"failed: {request.failure}", refused=True)

    def _note(self, request: Request, what: str, *, refused: bool) -> None:
        now_s = time.monotonic()
        asked_s = self._began_s.pop(request, now_s)
        line = f"{asked_s - self._zero_s:.2f} s, {now_s - asked_s:.2f} s: {what} {request.url}"
        self._requests.append(line)
        if refused:
            self._refused.append(line)
