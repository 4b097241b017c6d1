"""Both ends of the connection between a bridge worker and the origin."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Callable, Collection

from hls_bridge.origin import Origin
from hls_bridge.part import Event
from hls_bridge.wire import BadFrame, decode_event, encode_event, read_frame, write_frame

__all__ = ["DirectSink", "LinkServer", "SocketSink"]

HELLO_S = 10.0
"""A worker says who it is at once; this one waits for a machine that is very busy."""


class DirectSink:
    """For a bridge in the origin's own process and loop."""

    def __init__(self, origin: Origin, stream_id: str) -> None:
        self._origin = origin
        self._stream_id = stream_id
        self._wants: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def send(self, event: Event) -> None:
        self._origin.handle_event(self._stream_id, event)

    def want(self, names: Collection[str]) -> None:
        """Rungs that shall run; ``*`` is all of them."""
        self._wants.put_nowait(frozenset(names))

    async def next_want(self) -> frozenset[str]:
        return await self._wants.get()

    async def close(self) -> None:
        pass


class SocketSink:
    """The worker's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: str, stream_id: str, secret: str) -> SocketSink:
        """Connect to a `LinkServer`; ``secret`` is what the supervisor gave this worker."""
        reader, writer = await asyncio.open_unix_connection(path)
        write_frame(writer, {"type": "hello", "stream_id": stream_id, "secret": secret})
        await writer.drain()
        return cls(reader, writer)

    async def send(self, event: Event) -> None:
        """Raises ConnectionError when the control process is gone."""
        if self._writer.is_closing():  # uvloop raises RuntimeError
            raise ConnectionError("the origin closed the link")
        write_frame(self._writer, *encode_event(event))
        await self._writer.drain()

    async def next_want(self) -> frozenset[str]:
        """Raises ConnectionError when the control process is gone."""
        frame = await read_frame(self._reader)
        if frame is None:
            raise ConnectionError("the origin closed the link")
        return frozenset(str(name) for name in frame[0].get("names", ()))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):  # the other end was faster
            await self._writer.wait_closed()


class LinkServer:
    """The origin's end: a Unix-domain socket that workers connect to."""

    def __init__(self, origin: Origin, path: str) -> None:
        self._origin = origin
        self._path = path
        self._secrets: dict[str, str] = {}
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self.on_lost: Callable[[str], None] = lambda stream_id: None
        """A worker's link has ended (it crashed, or it is done): the supervisor may start it anew."""

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers.values()):
            writer.close()
        if self._server is not None:
            await self._server.wait_closed()

    def expect(self, stream_id: str, secret: str) -> None:
        """Let one worker bring events of this stream; begin the broadcast at the origin before."""
        self._secrets[stream_id] = secret

    def dismiss(self, stream_id: str) -> None:
        """Take nothing from the stream's worker any more."""
        self._secrets.pop(stream_id, None)
        writer = self._writers.pop(stream_id, None)
        if writer is not None:
            writer.close()

    def want(self, stream_id: str, names: Collection[str]) -> None:
        """Rungs that shall run; ``*`` is all of them. Nothing happens without a worker."""
        writer = self._writers.get(stream_id)
        if writer is not None:
            write_frame(writer, {"type": "want", "names": sorted(names)})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream_id: str | None = None
        try:
            async with asyncio.timeout(HELLO_S):
                hello = await read_frame(reader)
            if hello is None or hello[0].get("type") != "hello":
                return
            name, secret = hello[0].get("stream_id"), hello[0].get("secret")
            if not isinstance(name, str) or not isinstance(secret, str):
                return
            expected = self._secrets.get(name)
            if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
                return
            stream_id = name
            if (old := self._writers.get(stream_id)) is not None:
                old.close()
            self._writers[stream_id] = writer
            while (frame := await read_frame(reader)) is not None:
                if self._writers.get(stream_id) is not writer:
                    return
                self._origin.handle_event(stream_id, decode_event(*frame))
        except (BadFrame, LookupError, TimeoutError):
            return
        finally:
            writer.close()
            if stream_id is not None and self._writers.get(stream_id) is writer:
                del self._writers[stream_id]
                self.on_lost(stream_id)
