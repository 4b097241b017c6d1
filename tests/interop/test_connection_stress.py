"""Many clients of all habits on one port, from a seed: nobody waits for an answer that will not come.

``python -m tests.interop.test_connection_stress SEED...`` runs other seeds.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.interop.test_connection import PART, PLAYLIST, Door
from tests.interop.test_origin import A, V, part

CLIENTS = 60
GIVE_UP_S = 60
"""An answer that has not come by then will not: everything here takes seconds."""

Expected = Callable[[int, bytes], bool]


def plain(index: int) -> tuple[bytes, Expected]:
    body = b"720p30-2.%d;" % index
    return PART % (2, index), lambda status, got: (status, got) == (200, body)


def echo(text: bytes) -> tuple[bytes, Expected]:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(text)
    return head + text, lambda status, got: (status, got) == (200, b"echo:" + text)


def chunked(text: bytes) -> tuple[bytes, Expected]:
    """After it, the connection is aiohttp's."""
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (text[:7], text[7:]) if piece)
    return head + chunks + b"0\r\n\r\n", lambda status, got: (status, got) == (200, b"echo:" + text)


def waiting(msn: int, index: int) -> tuple[bytes, Expected]:
    query = b"?_HLS_msn=%d&_HLS_part=%d" % (msn, index)
    return PLAYLIST % query, lambda status, got: status == 200 and got.startswith(b"#EXTM3U")


def missing() -> tuple[bytes, Expected]:
    return PART % (900, 0), lambda status, got: status == 404


class Crowd:
    """One run of one seed."""

    def __init__(self, door: Door, seed: int) -> None:
        self.door = door
        self.random = random.Random(seed)
        self.next = (3, 2)
        """The part that comes next."""

    def request(self, *, whole: bool) -> tuple[bytes, Expected]:
        """``whole``: one that may leave the connection to aiohttp is among them."""
        pick = self.random.random()
        if pick < 0.4:
            return plain(self.random.randrange(6))
        if pick < 0.6:
            return waiting(*self.next)
        if pick < 0.7:
            return missing()
        text = self.random.randbytes(self.random.choice((3, 900, 90_000)))
        return chunked(text) if whole and pick > 0.92 else echo(text)

    async def feed(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            msn, index = self.next
            self.next = (msn + 1, 0) if index == 5 else (msn, index + 1)
            for track in (V, A):
                self.door.origin.handle_event("s", part(track, msn, index))

    async def polite(self) -> None:
        """One request at a time, in any pieces."""
        reader, writer = await self.door.connect()
        for _ in range(12):
            data, expected = self.request(whole=False)
            while data:
                size = self.random.choice((1, 17, 4000, len(data)))
                writer.write(data[:size])
                data = data[size:]
                await asyncio.sleep(0)
            status, body = await answered(reader)
            assert expected(status, body), (status, body[:200])
        writer.close()

    async def pipelining(self) -> None:
        """All requests at once, the answers read when it pleases."""
        await self._pipeline(0.0)

    async def slow(self) -> None:
        """The same with small buffers and long pauses: the server has to wait for the client."""
        await self._pipeline(0.05)

    async def _pipeline(self, pause_s: float) -> None:
        reader, writer = await self.door.connect()
        handle: socket.socket = writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        requests = [self.request(whole=True) for _ in range(self.random.randrange(2, 25))]

        async def send() -> None:
            for data, _ in requests:
                writer.write(data)
                await writer.drain()

        sending = asyncio.create_task(send())
        for _, expected in requests:
            await asyncio.sleep(pause_s * self.random.random())
            status, body = await answered(reader)
            assert expected(status, body), (status, body[:200])
        await sending
        writer.close()

    async def half_closed(self) -> None:
        """Ends its side with requests under way: it gets an answer or an end, but not nothing."""
        reader, writer = await self.door.connect()
        for _ in range(self.random.randrange(1, 6)):
            writer.write(self.request(whole=True)[0])
        writer.write_eof()
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass  # requests that it had not read: the server's kernel says so with a reset
        writer.close()

    async def leaving(self) -> None:
        """Goes away in the middle."""
        _, writer = await self.door.connect()
        for _ in range(self.random.randrange(1, 6)):
            writer.write(self.request(whole=True)[0])
        await asyncio.sleep(0.1 * self.random.random())
        writer.transport.abort()

    async def asking(self) -> None:
        """A new connection for each request, as a health check makes it."""
        for _ in range(12):
            await asyncio.sleep(0.1 * self.random.random())
            reader, writer = await self.door.connect()
            writer.write(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert (await answered(reader))[0] == 404
            assert await reader.read() == b""
            writer.close()

    async def run(self) -> None:
        habits: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self.polite,
            self.pipelining,
            self.slow,
            self.half_closed,
            self.leaving,
            self.asking,
        ]
        feeding = asyncio.create_task(self.feed())
        try:
            async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(habits[number % len(habits)]())
        finally:
            feeding.cancel()


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.split(b"content-length: ")[1].split(b"\r\n")[0]
    return int(head.split()[1]), await reader.readexactly(int(length))


@pytest.mark.parametrize("seed", [1, 2])
async def test_everybody_is_answered(seed: int) -> None:
    await once(seed)


async def once(seed: int) -> None:
    door = Door()
    await door.start()
    try:
        await Crowd(door, seed).run()
    finally:
        await door.close()


if __name__ == "__main__":
    for number in map(int, sys.argv[1:]):
        asyncio.run(once(number))
        print(f"seed {number}: everybody was answered", flush=True)
