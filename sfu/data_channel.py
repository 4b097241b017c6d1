"""Data channels (RFC 8831, RFC 8832) through aiortc's SCTP over our DTLS."""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCDataChannel
from aiortc.rtcsctptransport import RTCSctpCapabilities

from sfu.dtls import DtlsTransport
from sfu.sctp import SctpTransport
from sfu.sdp.answer import SCTP_PORT

__all__ = ["DataChannels", "MessageHandler"]

MessageHandler = Callable[[str, bytes | str], None]
"""Called with the channel's label and a message; bytes for binary ones, str for text."""

MAX_CHANNELS = 16
"""A page needs one or two."""


class DataChannels:
    """The data channels that one peer opens. Messages go to ``on_message``; channels past
    MAX_CHANNELS are closed."""

    def __init__(
        self, dtls: DtlsTransport, remote_port: int, max_message_size: int, on_message: MessageHandler
    ) -> None:
        self._sctp = SctpTransport(dtls, SCTP_PORT)
        self._remote_port = remote_port
        self._capabilities = RTCSctpCapabilities(maxMessageSize=max_message_size)
        self._on_message = on_message
        self._channels: dict[str, RTCDataChannel] = {}
        self._sctp.on("datachannel", self._opened)

    async def start(self) -> None:
        await self._sctp.start(self._capabilities, self._remote_port)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._channels)

    def send(self, label: str, message: bytes | str) -> None:
        """Queue a message; LookupError if the peer opened no such channel, ValueError if too large."""
        channel = self._channels.get(label)
        if channel is None or channel.readyState != "open":
            raise LookupError(f"no open data channel {label!r}")
        size = len(message.encode() if isinstance(message, str) else message)
        if self._capabilities.maxMessageSize and size > self._capabilities.maxMessageSize:
            raise ValueError(f"message of {size} bytes, the peer takes {self._capabilities.maxMessageSize}")
        channel.send(message)

    async def close(self) -> None:
        await self._sctp.stop()

    def _opened(self, channel: RTCDataChannel) -> None:
        if len(self._channels) >= MAX_CHANNELS:
            channel.close()
            return
        label = channel.label
        self._channels[label] = channel
        channel.on("message", lambda message: self._on_message(label, message))
        channel.on("close", lambda: self._channels.pop(label, None))
