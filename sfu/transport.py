"""A Transport: one ICE + DTLS-SRTP association with a peer, its packets in the engine."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from sfu.data_channel import DataChannels, MessageHandler
from sfu.dtls import DtlsError, DtlsIdentity, DtlsTransport
from sfu.sdp.negotiation import Agreement
from sfu.sdp.offer import IceCredentials
from sfu.tasks import TaskOwner

if TYPE_CHECKING:
    from sfu._engine import Engine, Profile

__all__ = ["Transport", "new_credentials"]

log = logging.getLogger(__name__)

HANDSHAKE_S = 20.0
"""Five DTLS retransmissions (1, 2, 4, 8 s; RFC 6347 section 4.2.4.1) fit."""
DATAGRAMS = 64
"""DTLS datagrams waiting for Python; a handshake has under ten, SCTP sends what was lost again."""


def new_credentials() -> IceCredentials:
    """RFC 8445 section 5.3 asks for 24 and 128 random bits; these have 48 and 192. Only ice-chars."""
    return IceCredentials(secrets.token_hex(6), secrets.token_hex(24))


class _Link:
    """Carries DTLS between the engine's events and aiortc."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._engine_send = send
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(DATAGRAMS)
        self._closed = False

    def handle_datagram(self, data: bytes) -> None:
        if not self._closed and data and not self._queue.full():
            self._queue.put_nowait(data)

    def close(self) -> None:
        self._closed = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            self._queue.put_nowait(None)
            raise ConnectionError("the transport is closed")
        return data

    async def _send(self, data: bytes) -> None:
        if not self._closed:
            self._engine_send(data)


class Transport:
    """Opened from an Agreement; the peer may reach it from then on.

    ``on_connected()`` is called once, when the handshake is over (or, at the latest, when the peer's
    SRTP authenticated for the first time).
    ``on_closed(reason)`` is called once, whoever closed it: the engine's reasons (``consent``,
    ``never-reached``, ``too-fast``), ``bye`` for the peer's DTLS close_notify, ``dtls`` for a failed
    handshake, or what ``close()`` was given.
    """

    def __init__(
        self,
        engine: Engine,
        identity: DtlsIdentity,
        tasks: TaskOwner,
        agreement: Agreement,
        cname: str,
        *,
        on_connected: Callable[[], None],
        on_closed: Callable[[str], None],
        on_message: MessageHandler | None = None,
    ) -> None:
        self._engine = engine
        self._tasks = tasks
        self._on_connected = on_connected
        self._on_closed = on_closed
        self._fingerprints = agreement.offer.fingerprints
        self.cname = cname
        self.remote = agreement.offer.ice
        self.local = new_credentials()
        self.fingerprint = identity.fingerprint
        # RFC 5763 section 5: who offers actpass or active is the client; FFmpeg offers passive
        self.setup: Literal["active", "passive"] = (
            "active" if agreement.offer.setup == "passive" else "passive"
        )
        self.connected = False
        self.closed = False
        self.transport_id = engine.open_transport(
            local_ufrag=self.local.ufrag,
            local_pwd=self.local.pwd,
            remote_ufrag=self.remote.ufrag,
            remote_pwd=self.remote.pwd,
            extensions=agreement.extension_ids(),
            transport_cc=agreement.transport_cc,
            remb=agreement.remb,
            cname=cname,
        )
        self._link = _Link(lambda data: engine.send_dtls(self.transport_id, data))
        self._dtls = DtlsTransport(
            self._link, identity, "client" if self.setup == "active" else "server", self._set_keys
        )
        self.data: DataChannels | None = None
        if agreement.data is not None and agreement.data.sctp_port is not None:
            self.data = DataChannels(
                self._dtls,
                agreement.data.sctp_port,
                agreement.data.max_message_size,
                on_message or _ignore_message,
            )
        self._handshake: asyncio.Task[None] | None = None
        self._told_of_shutdown = False

    def tell_of_shutdown(self) -> None:
        """Say close_notify when the node shuts down, at the price of keeping the SSL object (82 KB): OBS
        reconnects after that, but gives up when consent expires (libdatachannel: Disconnected, Failed)."""
        self._told_of_shutdown = True

    def handle_reached(self) -> None:
        """The peer has an address: DTLS may begin, from either side."""
        if self._handshake is None and not self.closed:
            self._handshake = self._tasks.spawn(self._shake_hands(), f"dtls {self.transport_id}")

    def handle_dtls(self, data: bytes) -> None:
        if self._dtls.released:
            if self._dtls.closes(data):
                self.handle_closed("bye")
            return
        self._link.handle_datagram(data)
        self.handle_reached()

    def handle_connected(self) -> None:
        """The peer's SRTP authenticated: it has the keys, and DTLS nothing more to repeat."""
        if self.closed:
            return
        if self.data is None and not self._told_of_shutdown and not self._dtls.released:
            self._tasks.spawn(self._dtls.release(), f"release {self.transport_id}")
        self._established()

    def _established(self) -> None:
        if self.connected or self.closed:
            return
        self.connected = True
        self._on_connected()

    def handle_closed(self, reason: str) -> None:
        """The engine closed it by itself."""
        self._tasks.spawn(self.close(reason), f"close {self.transport_id}")

    def restart_ice(self, remote: IceCredentials) -> IceCredentials:
        """RFC 8445 section 9: new credentials of ours for the peer's; keys stay."""
        self.remote = remote
        self.local = new_credentials()
        self._engine.restart_ice(
            self.transport_id,
            local_ufrag=self.local.ufrag,
            local_pwd=self.local.pwd,
            remote_ufrag=remote.ufrag,
            remote_pwd=remote.pwd,
        )
        return self.local

    def stats(self) -> dict[str, int] | None:
        return self._engine.transport_stats(self.transport_id)

    async def close(self, reason: str) -> None:
        """End the association; idempotent."""
        if self.closed:
            return
        self.closed = True
        try:
            if self.data is not None:
                await self.data.close()
            elif self._told_of_shutdown and self.connected and reason != "shutdown":
                # without a goodbye: of two encoders with one key the one that is told would come back
                await self._dtls.release()
            # says close_notify, so it comes before the engine's end
            await self._dtls.close()
        finally:
            # whatever the goodbye ran into, a cancelled caller too: others wait for the end
            self._link.close()
            self._engine.close_transport(self.transport_id)
            handshake = self._handshake
            if handshake is not None and handshake is not asyncio.current_task():
                handshake.cancel()
            self._on_closed(reason)

    def _set_keys(self, profile: Profile, receive: bytes, send: bytes) -> None:
        self._engine.set_keys(self.transport_id, profile, receive, send)

    async def _shake_hands(self) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await self._dtls.handshake(self._fingerprints)
        except (DtlsError, TimeoutError):
            if not self.closed:
                log.info("transport %d: DTLS handshake failed", self.transport_id)
                await self.close("dtls")
            return
        self._dtls.on("statechange", self._dtls_changed)
        self._established()
        if self.data is not None:
            await self.data.start()

    def _dtls_changed(self) -> None:
        # close_notify of the peer (RFC 5246 section 7.2.1); after release() handle_dtls() sees it
        if self._dtls.state == "closed" and not self.closed and not self._dtls.released:
            self.handle_closed("bye")


def _ignore_message(label: str, message: bytes | str) -> None:
    """Nobody listens in this stream."""
