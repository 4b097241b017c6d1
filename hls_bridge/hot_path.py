"""What players ask for again and again, answered from memory without a task or a request object.

Reloads of live media playlists, parts and segments: twelve a second and viewer. Anything else, anything that
is not in memory and whatever is refused at once is left to the routes, which say it in their own words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache, partial
from typing import NamedTuple
from urllib.parse import parse_qsl

from hls_bridge.http1 import Fields, response_head
from hls_bridge.live import Track
from hls_bridge.origin import Broadcast, NotFound, Origin, TooFarAhead, clocks
from hls_bridge.responses import media_headers, playlist_parts, refusal
from hls_bridge.routes import BLOCKED, PLAIN, SKIPS
from hls_bridge.waiting import Overdue

__all__ = ["Answer", "HotPath", "Wait"]

# No percent sign: what is encoded is taken apart by the routes.
_HOT = re.compile(
    rb"GET /hls/(?:t/([^/%?#\s]+)/|(p)/|(?!t/|p/|auth/))([^/%?#\s]+)/([^/%?#\s]+)/"
    rb"(?:([\w-]+)\.m3u8(?:\?([^#\s]*))?|([\w-]+)/([0-9]{1,12})(?:\.([0-9]{1,4}))?\.m4s) HTTP/1\.1\r\n"
)


class Answer(NamedTuple):
    """A whole response, in pieces that many connections share."""

    status: int
    pieces: tuple[bytes, ...]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The answer comes when ``future`` is done; then `finish` gives it."""

    future: asyncio.Future[None]
    answer: Callable[[], Answer]
    failed: Callable[[NotFound | Overdue], Answer]

    def finish(self) -> Answer:
        try:
            self.future.result()
            return self.answer()
        except (NotFound, Overdue) as error:
            return self.failed(error)


class HotPath:
    """Composed by the control process; gives whole responses to a `Connection`."""

    def __init__(self, origin: Origin, headers: Mapping[str, str] | None = None) -> None:
        """``headers``: what every response has besides, and instead."""
        self._origin = origin
        self._headers = dict(headers or {})
        self._date = b""
        self._media_head = lru_cache(256)(self._make_media_head)
        self.handle_second()

    def handle_second(self) -> None:
        """To be called once a second: for Date (RFC 9110 section 6.6.1)."""
        date = f"Date: {formatdate(clocks()[1] / 1e6, usegmt=True)}\r\n".encode()
        if date != self._date:
            self._date = date
            self._media_head.cache_clear()

    def client(self, address: str, fields: Fields) -> str | None:
        """How a client is counted; None behind a cache, whose log is counted instead."""
        return None if fields.proxied else self._origin.client_key(address, fields.agent)

    def target(self, head: bytes) -> re.Match[bytes] | None:
        """A request that may be answered here; the match ends where the header lines begin."""
        return _HOT.match(head)

    def answer(self, target: re.Match[bytes], fields: Fields, client: str | None) -> Answer | Wait | None:
        """None: the routes have to answer this one."""
        token, edge, stream, session, playlist, query, track, msn, part = target.groups()
        stream_id = stream.decode("latin-1")
        if edge is not None:
            if not self._origin.is_edge(fields.edge_key):
                return None
        elif not self._origin.admitted(stream_id, token.decode("latin-1") if token is not None else None):
            return None
        try:
            broadcast = self._origin.live(stream_id, session.decode("latin-1"))
            if playlist is not None:
                return self._playlist(broadcast, playlist.decode(), query, fields.gzip, client)
            name = track.decode()
            if part is None:
                data = broadcast.live.segment(name, int(msn))
                return None if data is None else self._media(name, data)
            return self._part(broadcast, name, int(msn), int(part))
        except (NotFound, TooFarAhead):
            return None

    def _playlist(
        self, broadcast: Broadcast, name: str, query: bytes | None, gzip: bool, client: str | None
    ) -> Answer | Wait | None:
        directives = _directives(query)
        if directives is None:
            return None
        msn, part, skip = directives
        track, pending = self._origin.reload(broadcast, name, msn, part)
        answer = partial(self._reloaded, broadcast, track, skip, gzip, msn is not None, client)
        return answer() if pending is None else Wait(pending, answer, self._failed)

    def _reloaded(
        self, broadcast: Broadcast, track: Track, skip: bool, gzip: bool, blocked: bool, client: str | None
    ) -> Answer:
        rendered = self._origin.reloaded(track, skip=skip)
        if client is not None:
            broadcast.viewers.request(client, clocks()[0])
        key = (gzip, blocked, self._date)
        answer = rendered.answers.get(key)
        if answer is None:
            headers, body = playlist_parts(rendered, BLOCKED if blocked else PLAIN, gzip=gzip)
            message = self._head(200, headers, len(body)) + body
            answer = rendered.answers[key] = Answer(200, (message,), len(body))
        return answer

    def _part(self, broadcast: Broadcast, track: str, msn: int, index: int) -> Answer | Wait:
        data = self._origin.part_now(broadcast, track, msn, index)
        if isinstance(data, bytes):
            return self._media(track, data)
        return Wait(data, partial(self._came, broadcast, track, msn, index), self._failed)

    def _came(self, broadcast: Broadcast, track: str, msn: int, index: int) -> Answer:
        data = broadcast.live.part(track, msn, index)
        if data is None:
            raise NotFound("the segment has ended before this part")
        return self._media(track, data)

    def _media(self, track: str, data: bytes) -> Answer:
        # In two pieces: the transport writes them with one call, and nothing is copied for it.
        return Answer(200, (self._media_head(track == "sound", len(data)), data), len(data))

    def _make_media_head(self, sound: bool, length: int) -> bytes:
        return self._head(200, media_headers("audio/mp4" if sound else "video/mp4"), length)

    def _failed(self, error: NotFound | Overdue) -> Answer:
        response = refusal(error)
        body = response.body
        assert isinstance(body, bytes)
        head = self._head(response.status, response.headers, len(body))
        return Answer(response.status, (head + body,), len(body))

    def _head(self, status: int, headers: Mapping[str, str], length: int) -> bytes:
        every = {**headers, **self._headers, "Content-Length": str(length)}
        return response_head(status, every) + self._date + b"\r\n"


@lru_cache(4096)
def _directives(query: bytes | None) -> tuple[int | None, int | None, bool] | None:
    """(msn, part, skip) of a query; None for numbers that the routes will refuse."""
    values: dict[str, str] = {}
    for name, value in parse_qsl((query or b"").decode("latin-1"), keep_blank_values=True):
        values.setdefault(name, value)
    numbers: list[int | None] = []
    for name in ("_HLS_msn", "_HLS_part"):
        text = values.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) <= 12):
            return None
        numbers.append(None if text is None else int(text))
    msn, part = numbers
    if part is not None and msn is None:
        return None
    return msn, part, values.get("_HLS_skip") in SKIPS
