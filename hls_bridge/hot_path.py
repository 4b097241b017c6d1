"""What players ask for again and again, answered from memory without a task or a request object.

Reloads of live media playlists, parts and segments: twelve a second and viewer. Anything else, anything that
is not in memory and whatever is refused at once is left to the routes, which say it in their own words.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache, partial
from typing import NamedTuple, cast
from urllib.parse import parse_qsl

from hls_bridge.broadcast import Broadcast
from hls_bridge.errors import NotFound, TooFarAhead
from hls_bridge.http1 import Fields, fields_of, response_head
from hls_bridge.origin import Origin, clocks
from hls_bridge.responses import media_headers, playlist_parts, refusal
from hls_bridge.routes import BLOCKED, PLAIN, SKIPS
from hls_bridge.track import Track
from hls_bridge.waiting import Overdue

__all__ = ["Answer", "HotPath", "HotRequest", "hot_request"]

# No percent sign: what is encoded is taken apart by the routes.
_HOT = re.compile(
    rb"GET /hls/(?:t/([^/%?#\s]+)/|(p)/|(?!t/|p/|auth/))([^/%?#\s]+)/([^/%?#\s]+)/"
    rb"(?:([\w-]+)\.m3u8(?:\?([^#\s]*))?|([\w-]+)/([0-9]{1,12})(?:\.([0-9]{1,4}))?\.m4s) HTTP/1\.1\r\n"
)


class Answer(NamedTuple):
    """A whole response, in pieces that many connections share."""

    status: int
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HotRequest:
    """A request that may be answered here. Players with equal headers share one."""

    fields: Fields
    stream_id: str
    session: str
    token: str | None
    edge: bool
    track: str
    playlist: bool
    msn: int | None
    part: int | None
    """Of a playlist the delivery directives; a segment has no part."""
    skip: bool

    @property
    def path(self) -> str:
        """For a log."""
        token = f"t/{self.token}/" if self.token is not None else "p/" if self.edge else ""
        number = self.msn if self.part is None else f"{self.msn}.{self.part}"
        name = f"{self.track}.m3u8" if self.playlist else f"{self.track}/{number}.m4s"
        return f"/hls/{token}{self.stream_id}/{self.session}/{name}"


@lru_cache(4096)
def hot_request(head: bytes) -> HotRequest | None:
    """Reads a request's head; None: it is one for the routes."""
    target = _HOT.match(head)
    fields = fields_of(head[target.end() : -4]) if target is not None else None
    if target is None or fields is None:
        return None
    token, edge, stream, session, playlist, query, track, msn, part = (
        None if group is None else group.decode("latin-1") for group in target.groups()
    )
    # No alternative lacks these.
    assert stream is not None
    assert session is not None
    base = partial(HotRequest, fields, stream, session, token, edge is not None)
    if playlist is not None:
        directives = _directives(query or "")
        return None if directives is None else base(playlist, True, *directives)
    assert track is not None
    assert msn is not None
    return base(track, False, int(msn), None if part is None else int(part), False)


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

    def answer(self, request: HotRequest, client: str | None) -> Answer | asyncio.Future[None] | None:
        """The answer, or what to wait for before `finish` gives it. None: the routes have to answer."""
        if request.edge:
            if not self._origin.is_edge(request.fields.edge_key):
                return None
        elif not self._origin.admitted(request.stream_id, request.token):
            return None
        try:
            broadcast = self._origin.live(request.stream_id, request.session)
            if request.playlist:
                track, pending = self._origin.reload(broadcast, request.track, request.msn, request.part)
                return self._playlist(request, broadcast, track, client) if pending is None else pending
            assert request.msn is not None
            if request.part is None:
                segment = broadcast.live.segment(request.track, request.msn)
                return None if segment is None else self._media(request, segment)
            data = self._origin.part_now(broadcast, request.track, request.msn, request.part)
            return self._media(request, data) if isinstance(data, bytes) else data
        except (NotFound, TooFarAhead):
            return None

    def finish(self, request: HotRequest, client: str | None, waited: asyncio.Future[None]) -> Answer:
        """The answer to a request that has waited."""
        try:
            waited.result()
            broadcast = self._origin.live(request.stream_id, request.session)
            if request.playlist:
                track = broadcast.live.tracks.get(request.track)
                if track is None:
                    raise NotFound("no such rendition")
                return self._playlist(request, broadcast, track, client)
            # Neither init segments nor whole ones wait.
            assert request.msn is not None
            assert request.part is not None
            data = self._origin.part_come(broadcast, request.track, request.msn, request.part)
            return self._media(request, data)
        except (NotFound, Overdue) as error:
            response = refusal(error)
            body = response.body
            assert isinstance(body, bytes)
            head = self._head(response.status, response.headers, len(body))
            return Answer(response.status, (head + body,))

    def _playlist(
        self, request: HotRequest, broadcast: Broadcast, track: Track, client: str | None
    ) -> Answer:
        rendered = self._origin.reloaded(track, skip=request.skip)
        if client is not None:
            broadcast.viewers.request(client, clocks()[0])
        gzip, blocked = request.fields.gzip, request.msn is not None
        date, answer = cast("tuple[bytes, Answer | None]", rendered.answers.get((gzip, blocked), (b"", None)))
        if answer is None or date != self._date:
            headers, body = playlist_parts(rendered, BLOCKED if blocked else PLAIN, gzip=gzip)
            message = self._head(200, headers, len(body)) + body
            answer = Answer(200, (message,))
            # The one of another second goes: a playlist may stay the newest for hours.
            rendered.answers[gzip, blocked] = self._date, answer
        return answer

    def _media(self, request: HotRequest, data: bytes) -> Answer:
        # In two pieces: the transport writes them with one call, and nothing is copied for it.
        return Answer(200, (self._media_head(request.track == "sound", len(data)), data))

    def _make_media_head(self, sound: bool, length: int) -> bytes:
        return self._head(200, media_headers("audio/mp4" if sound else "video/mp4"), length)

    def _head(self, status: int, headers: Mapping[str, str], length: int) -> bytes:
        every = {**headers, **self._headers, "Content-Length": str(length)}
        return response_head(status, every) + self._date + b"\r\n"


def _directives(query: str) -> tuple[int | None, int | None, bool] | None:
    """(msn, part, skip) of a query; None for numbers that the routes will refuse."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
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
