"""The control channel between a node and its worker: JSON objects, one a line, over a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

__all__ = ["Channel", "ChannelClosed", "Message"]

Message = dict[str, Any]

MAX_LINE = 4 * 1024 * 1024
"""Far more than a layout with its texts."""


class ChannelClosed(ConnectionError):
    """The other side has ended, or sent what is no message."""


class Channel:
    """Sends without waiting: what one side says is bounded by what its application does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        """Takes the socket over."""
        end.setblocking(False)
        return cls(*await asyncio.open_connection(sock=end, limit=MAX_LINE))

    def send(self, message: Mapping[str, Any]) -> None:
        """TypeError or ValueError for what JSON can't say; a closed channel swallows it."""
        line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if len(line) > MAX_LINE:
            raise ValueError(f"message of {len(line)} bytes, at most {MAX_LINE} are taken")
        if not self._writer.is_closing():
            self._writer.write(line)

    async def receive(self) -> Message:
        """Raises ChannelClosed."""
        try:
            line = await self._reader.readline()
            message = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError) as error:
            raise ChannelClosed(str(error)) from error
        if not isinstance(message, dict):
            raise ChannelClosed("end of the control channel")
        return message

    def abort(self) -> None:
        """End it at once, from a callback."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # the other side was faster
