"""Viewers for `spillway bench origin`: as many as a core can play, without Python's event loop.

A viewer has two renditions, picture and sound, and for each a connection that reloads the playlist (blocking,
delta updates) and one that fetches each part as soon as the playlist names it: what hls.js does at the live
edge. Part bodies are dropped in the kernel (MSG_TRUNC, tcp(7); not over TLS), their lengths checked; of the
playlists every hundredth is read.
"""

from __future__ import annotations

import contextlib
import gzip
import resource
import select
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass, field

__all__ = [
    "HEADERS",
    "PARTS_PER_SEGMENT",
    "PART_BYTES",
    "Load",
    "Played",
    "part_path",
    "raise_open_files",
    "reload_path",
]

PART_BYTES = {"720p30": 104_000, "sound": 5_400}
PARTS_PER_SEGMENT = 6
HEADERS = (
    "Host: 127.0.0.1\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nAccept: */*\r\n"
    "Origin: http://127.0.0.1\r\nReferer: http://127.0.0.1/watch/s\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n\r\n"
)
"""As Chromium sends."""
READ_EVERY = 100


def reload_path(track: str, number: int) -> str:
    """The blocking reload that waits for a part, counted from the first."""
    msn, part = divmod(number, PARTS_PER_SEGMENT)
    return f"/hls/s/b/{track}.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES"


def part_path(track: str, number: int) -> str:
    """A part, counted from the first."""
    msn, part = divmod(number, PARTS_PER_SEGMENT)
    return f"/hls/s/b/{track}/{msn}.{part}.m4s"


def raise_open_files() -> None:
    """As many files as the system lets this process open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass(slots=True)
class Played:
    """What viewers saw; times of CLOCK_MONOTONIC."""

    requests: int = 0
    began_s: float = 0.0
    seconds: float = 0.0
    cpu_s: float = 0.0
    """Of the viewers themselves."""
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    """(part, when its playlist was here)."""


class _Connection:
    __slots__ = ("left", "number", "parts", "peer", "queue", "socket", "tls", "track", "want")

    def __init__(self, port: int, track: str, tls: ssl.SSLContext | None, *, parts: bool) -> None:
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain if tls is None else tls.wrap_socket(plain)
        self.tls = tls is not None
        self.socket.setblocking(False)
        self.track, self.parts = track, parts
        self.number = -1
        """The part asked for; -1: nothing."""
        self.left = 0
        """Bytes of a body that are still to come."""
        self.want = False
        """This playlist will be read."""
        self.queue: deque[int] = deque()
        self.peer: _Connection | None = None
        """Of a reloading connection the one that fetches parts."""


class Load:
    """``viewers`` that play from ``port`` until `play` is over. Raises ConnectionError on a wrong answer."""

    def __init__(
        self,
        port: int,
        viewers: int,
        *,
        media: bool = True,
        tls: bool = False,
        pace_s: float | None = None,
    ) -> None:
        """``pace_s``: the server doesn't block, so all reload together, this often."""
        self._pace_s = pace_s
        context = ssl.create_default_context() if tls else None
        if context is not None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._reloading: list[_Connection] = []
        self._requests: dict[tuple[str, bool, int], bytes] = {}
        self._buffer = bytearray(1 << 20)
        self._until_s = 0.0
        self._open = 0
        self._played = Played()
        for _ in range(viewers):
            for track in PART_BYTES:
                reloading = self._add(_Connection(port, track, context, parts=False))
                self._reloading.append(reloading)
                if media:
                    reloading.peer = self._add(_Connection(port, track, context, parts=True))

    def close(self) -> None:
        for connection in self._connections.values():
            connection.socket.close()
        self._epoll.close()

    def play(self, first: int, seconds: float) -> Played:
        """Play from part ``first`` on."""
        played = self._played
        cpu_s = time.process_time()
        played.began_s = time.monotonic()
        self._until_s = played.began_s + seconds
        for connection in self._reloading:
            self._ask(connection, first)
        number, due_s = first, played.began_s + (self._pace_s or 0.0)
        while True:
            now_s = time.monotonic()
            paced = self._pace_s is not None and now_s < self._until_s
            if paced and now_s >= due_s:
                number, due_s = number + 1, due_s + (self._pace_s or 0.0)
                for connection in self._reloading:
                    if connection.number == -1:
                        self._ask(connection, number)
            if not self._open and not paced:
                break
            events = self._epoll.poll(max(0.0, due_s - now_s) if paced else 10)
            if not events and not paced:
                raise ConnectionError("nothing came for ten seconds")
            for file, _ in events:
                self._read(self._connections[file])
        played.seconds = time.monotonic() - played.began_s
        played.cpu_s = time.process_time() - cpu_s
        return played

    def _add(self, connection: _Connection) -> _Connection:
        file = connection.socket.fileno()
        self._connections[file] = connection
        self._epoll.register(file, select.EPOLLIN)
        return connection

    def _ask(self, connection: _Connection, number: int) -> None:
        key = (connection.track, connection.parts, number)
        request = self._requests.get(key)
        if request is None:
            path = (part_path if connection.parts else reload_path)(connection.track, number)
            request = self._requests[key] = f"GET {path} HTTP/1.1\r\n{HEADERS}".encode()
        connection.number = number
        connection.socket.send(request)
        self._open += 1
        self._played.requests += 1
        read = self._pace_s is None and self._played.requests % READ_EVERY == 0
        connection.want = read and not connection.parts

    def _read(self, connection: _Connection) -> None:
        if not connection.tls:
            self._step(connection)
            return
        # What TLS has read and not given out doesn't wake epoll.
        with contextlib.suppress(ssl.SSLWantReadError):
            while connection.number != -1:
                self._step(connection)

    def _step(self, connection: _Connection) -> None:
        if connection.left == 0:
            data = connection.socket.recv(1024 if connection.parts else 16_384)
            end = data.find(b"\r\n\r\n") + 4
            if not data.startswith(b"HTTP/1.1 200") or end == 3:
                raise ConnectionError(repr(data[:60]))
            head = data[:end].lower()
            at = head.find(b"\r\ncontent-length: ") + 18
            length = int(head[at : head.find(b"\r\n", at)])
            if connection.parts and length != PART_BYTES[connection.track]:
                raise ConnectionError(f"a part of {length} bytes")
            if connection.want:
                self._check(connection, head, data[end:], length)
            connection.left = length - (len(data) - end)
        if connection.left:
            with contextlib.suppress(BlockingIOError):
                size = min(connection.left, len(self._buffer))
                flags = 0 if connection.tls else socket.MSG_TRUNC
                got = connection.socket.recv_into(self._buffer, size, flags)
                if got == 0:
                    raise ConnectionError("closed within a body")
                connection.left -= got
        if connection.left == 0:
            self._whole(connection)

    def _whole(self, connection: _Connection) -> None:
        number, connection.number = connection.number, -1
        self._open -= 1
        if connection.parts:
            if connection.queue:
                self._ask(connection, connection.queue.popleft())
            return
        now_s = time.monotonic()
        self._played.arrivals.append((number, now_s))
        if now_s < self._until_s and self._pace_s is None:
            self._ask(connection, number + 1)
        if (peer := connection.peer) is not None:
            if peer.number == -1:
                self._ask(peer, number)
            else:
                peer.queue.append(number)

    def _check(self, connection: _Connection, head: bytes, body: bytes, length: int) -> None:
        if len(body) < length:
            return
        text = gzip.decompress(body) if b"content-encoding: gzip" in head else body
        msn, part = divmod(connection.number, PARTS_PER_SEGMENT)
        if f'URI="{connection.track}/{msn}.{part}.m4s"'.encode() not in text:
            raise ConnectionError("a reload came back without the part it waited for")
