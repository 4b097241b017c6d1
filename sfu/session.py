"""Sessions: what a peer negotiated, whoever carried its SDP (WHIP, WHEP or Socket.IO)."""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfu.sdp.answer import LocalEnd
from sfu.sdp.fragment import write_fragment
from sfu.sdp.negotiation import Agreement
from sfu.sdp.offer import IceCredentials
from sfu.transport import Transport

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.stream import Stream

__all__ = ["Session", "SessionGone", "Sessions"]

REMEMBERED = 4096
"""Closed sessions whose reason is still told to a client that asks."""


class SessionGone(LookupError):
    """The session is closed; ``reason`` says why, empty where it was never known."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason or "unknown session")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Closed:
    """What is remembered of a closed session."""

    reason: str
    kind: type[Session]
    publishing: bool
    stream: weakref.ref[Stream]
    left: asyncio.Event


class Session:
    """One peer's Transport in one Stream. Subclasses open the media on it."""

    def __init__(self, sfu: Sfu, stream: Stream, agreement: Agreement) -> None:
        self._sfu = sfu
        self.stream = stream
        self.agreement = agreement
        self.session_id = secrets.token_urlsafe(24)
        self.etag = _new_etag()
        self.closed_because: str | None = None
        self._left = asyncio.Event()
        self._sdp_session = secrets.randbits(62)
        self._sdp_version = 0
        self.transport = Transport(
            sfu.engine,
            sfu.identity.current(),
            sfu.tasks,
            agreement,
            cname=secrets.token_hex(8),
            on_connected=self.handle_connected,
            on_closed=self._transport_closed,
            on_message=self.handle_message,
        )
        sfu.register_transport(self.transport, self.handle_codec_mismatch)
        sfu.sessions.add(self)
        stream.attach(self)

    @property
    def publishing(self) -> bool:
        return False

    @property
    def watching(self) -> bool:
        """Whether it is a viewer whose media path stands."""
        return False

    @property
    def keyed(self) -> bool:
        """Whether it lives by the stream key, and ends when that is replaced."""
        return False

    @property
    def on_stage(self) -> bool:
        """Whether it belongs to a host who stays on stage when the broadcast ends."""
        return False

    @property
    def participant_id(self) -> str | None:
        return None

    def local_end(self) -> LocalEnd:
        self._sdp_version += 1
        return LocalEnd(
            session_id=self._sdp_session,
            version=self._sdp_version,
            ice=self.transport.local,
            fingerprint=self.transport.fingerprint,
            setup=self.transport.setup,
            candidates=self._sfu.candidates,
        )

    def restart_ice(self, remote: IceCredentials) -> str:
        """New credentials for the peer's; returns our SDP fragment. The ETag changes."""
        local = self.transport.restart_ice(remote)
        self.etag = _new_etag()
        sections = [media.section for media in self.agreement.media]
        if self.agreement.data is not None:
            sections.append(self.agreement.data)
        mids = [section.mid for section in sections]
        return write_fragment(local, mids, sections[0].kind, self._sfu.candidates)

    def handle_connected(self) -> None:
        """The peer's media path stands."""

    def handle_stage(self) -> None:
        """The stage has other tracks, another lead, or somebody was muted."""

    def handle_message(self, label: str, message: bytes | str) -> None:
        """A message on a data channel of the peer."""

    def handle_codec_mismatch(self, subscription: int, codec: str) -> None:
        """The source's codec is none that the peer takes."""

    async def close(self, reason: str) -> None:
        """End the session; idempotent. ``reason`` is told to clients that ask later."""
        await self.transport.close(reason)
        await self._left.wait()

    async def _closed(self, reason: str) -> None:
        """Once, after the transport ended: give back what the subclass holds."""

    def _transport_closed(self, reason: str) -> None:
        self.closed_because = reason
        self._sfu.unregister_transport(self.transport)
        self._sfu.sessions.remove(self, reason)
        self._sfu.tasks.spawn(self._leave(reason), f"leave {self.transport.transport_id}")

    async def _leave(self, reason: str) -> None:
        # detached first: what _closed() does may end the stream, which closes all that is attached
        self.stream.detach(self)
        try:
            await self._closed(reason)
        finally:
            self._left.set()


class Sessions:
    """Sessions of this node by their unguessable id."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._gone: OrderedDict[str, _Closed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._open.values()))

    def add(self, session: Session) -> None:
        self._open[session.session_id] = session

    def get(self, session_id: str) -> Session:
        """Raises SessionGone."""
        session = self._open.get(session_id)
        if session is None:
            gone = self._gone.get(session_id)
            raise SessionGone("" if gone is None else gone.reason)
        return session

    async def stop_after_bye(self, session_id: str, kind: type[Session]) -> bool:
        """Take the DELETE of a peer that closed DTLS first, as libdatachannel (OBS) does: a publisher has
        stopped then and is not waited for. False for every other session."""
        gone = self._gone.get(session_id)
        if gone is None or gone.reason != "bye" or not issubclass(gone.kind, kind):
            return False
        self._gone[session_id] = replace(gone, reason="stopped")
        await gone.left.wait()
        stream = gone.stream()
        if gone.publishing and stream is not None:
            await stream.publisher_left("stopped")
        return True

    def remove(self, session: Session, reason: str) -> None:
        if self._open.pop(session.session_id, None) is not None:
            self._gone[session.session_id] = _Closed(
                reason, type(session), session.publishing, weakref.ref(session.stream), session._left
            )
            if len(self._gone) > REMEMBERED:
                self._gone.popitem(last=False)


def _new_etag() -> str:
    return f'"{secrets.token_hex(8)}"'
