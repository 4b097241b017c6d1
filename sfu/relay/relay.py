"""The node's end of a local Relay: a transport over loopback that a worker process dials.

The worker asks over the control channel; what it taps is a subscription of this transport, what it
publishes a track of it. Encoding choice, PLI, NACK, sender reports and replay are then RTP and RTCP.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from sfu.media import Codec, Kind
from sfu.participant import Participant
from sfu.relay.channel import Channel, Message
from sfu.relay.codecs import EXTENSIONS, relay_codecs
from sfu.sdp.offer import IceCredentials
from sfu.transport import new_credentials

if TYPE_CHECKING:
    from sfu._engine import Profile
    from sfu.node import Sfu

__all__ = ["Relay", "RelayKeys"]

log = logging.getLogger(__name__)

PROFILE: Profile = "SRTP_AEAD_AES_128_GCM"
KEY_BYTES = 16 + 12
"""Master key and salt (RFC 7714 section 12)."""
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class RelayKeys:
    """What one end needs to reach the other: handed over by the parent, so no DTLS."""

    address: str
    port: int
    near: IceCredentials
    far: IceCredentials
    receive: bytes
    send: bytes

    @classmethod
    def generate(cls, address: str, port: int) -> RelayKeys:
        random = secrets.token_bytes
        return cls(address, port, new_credentials(), new_credentials(), random(KEY_BYTES), random(KEY_BYTES))

    def mirrored(self) -> RelayKeys:
        """The same from the other end."""
        return RelayKeys(self.address, self.port, self.far, self.near, self.send, self.receive)

    def document(self) -> Message:
        return {
            "address": self.address,
            "port": self.port,
            "near": [self.near.ufrag, self.near.pwd],
            "far": [self.far.ufrag, self.far.pwd],
            "receive": self.receive.hex(),
            "send": self.send.hex(),
        }

    @classmethod
    def from_document(cls, document: Message) -> RelayKeys:
        return cls(
            document["address"],
            document["port"],
            IceCredentials(*document["near"]),
            IceCredentials(*document["far"]),
            bytes.fromhex(document["receive"]),
            bytes.fromhex(document["send"]),
        )


class Relay:
    """Serves one worker. ``participant`` is the one that the worker acts for."""

    def __init__(self, sfu: Sfu, participant: Participant, channel: Channel) -> None:
        self._sfu = sfu
        self._channel = channel
        self.participant = participant
        bound = sfu.config.host[0]
        self._keys = RelayKeys.generate(LOOPBACK.get(bound, bound), sfu.engine.port)
        self._taps: dict[int, tuple[int, int]] = {}
        """Request id to (subscription, source)."""
        self._tracks: dict[int, int] = {}
        self.connected = False
        self.closed = False
        self.transport_id = sfu.engine.open_transport(
            local_ufrag=self._keys.near.ufrag,
            local_pwd=self._keys.near.pwd,
            remote_ufrag=self._keys.far.ufrag,
            remote_pwd=self._keys.far.pwd,
            extensions=EXTENSIONS,
            transport_cc=True,
            remb=False,
            cname=participant.participant_id,
        )
        sfu.engine.set_keys(self.transport_id, PROFILE, self._keys.receive, self._keys.send)
        sfu.register_transport(self)
        sfu.source_listeners.add(self._source_gone)

    def greeting(self, arguments: Message) -> Message:
        """The first message to the worker."""
        return {
            "type": "hello",
            "participant_id": self.participant.participant_id,
            "stream_id": self.participant.stream.stream_id,
            "relay": self._keys.mirrored().document(),
            "arguments": arguments,
        }

    def handle_request(self, message: Message) -> bool:
        """Carry out a request of the worker; False if it is none of the relay's."""
        match message:
            case {
                "type": "tap",
                "id": int(request),
                "source": int(source),
                "kind": "audio" | "video" as kind,
            }:
                self._tap(request, source, cast(Kind, kind), message)
            case {"type": "select", "id": int(request), "encoding": str(encoding)}:
                if request in self._taps:
                    subscription, _ = self._taps[request]
                    self._sfu.engine.set_encoding(self.transport_id, subscription, encoding)
            case {"type": "untap", "id": int(request)}:
                if request in self._taps:
                    subscription, _ = self._taps.pop(request)
                    self._sfu.engine.remove_subscription(self.transport_id, subscription)
            case {"type": "publish", "id": int(request), "kind": "audio" | "video" as kind}:
                self._publish(request, cast(Kind, kind), message)
            case {"type": "unpublish", "id": int(request)}:
                if (track_id := self._tracks.pop(request, None)) is not None:
                    self.participant.remove_track(track_id)
            case _:
                return False
        return True

    def handle_reached(self) -> None:
        """The worker has an address; there is no handshake to run."""

    def handle_dtls(self, data: bytes) -> None:
        """Nobody speaks DTLS here."""

    def handle_connected(self) -> None:
        self.connected = True

    def handle_closed(self, reason: str) -> None:
        log.warning("relay of %s lost: %s", self.participant.participant_id, reason)
        self._sfu.tasks.spawn(self.close(reason), f"close relay {self.transport_id}")

    async def close(self, reason: str = "closed") -> None:
        """Taps end, tracks close, the participant leaves, the channel closes. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._sfu.source_listeners.discard(self._source_gone)
        self._sfu.unregister_transport(self)
        await self.participant.close()
        self._sfu.engine.close_transport(self.transport_id)
        await self._channel.close()

    def _tap(self, request: int, source: int, kind: Kind, message: Message) -> None:
        if not self._sfu.knows_source(source):
            self._reply(request, error="unknown-source")
            return
        subscription = self._sfu.engine.add_subscription(
            self.transport_id,
            kind=kind,
            mid=message["mid"],
            source=source,
            codecs=relay_codecs(kind),
            ssrc=message["ssrcs"][0][0],
            rtx_ssrc=message["ssrcs"][0][1],
            encoding=message["encoding"],
            spared=True,
        )
        self._taps[request] = (subscription, source)
        self._reply(request)

    def _publish(self, request: int, kind: Kind, message: Message) -> None:
        rids: list[str] = message["rids"]
        track_id = self._sfu.engine.add_track(
            self.transport_id,
            kind=kind,
            mid=message["mid"],
            codecs=relay_codecs(kind),
            rids=rids,
            ssrcs=[(media, rtx) for media, rtx in message["ssrcs"]],
        )
        self._tracks[request] = track_id
        source: Literal["mixer", "ingest"] = "mixer" if self.participant.role == "mixer" else "ingest"
        track = self.participant.add_track(track_id, kind, rids, source)
        codec: dict[str, Any] = message["codec"]
        track.codec = Codec(codec["name"], codec["clock_rate"], codec["channels"], codec["fmtp"])
        self._reply(request, track_id=track_id)

    def _source_gone(self, source: int) -> None:
        for request, (subscription, tapped) in list(self._taps.items()):
            if tapped == source:
                del self._taps[request]
                self._sfu.engine.remove_subscription(self.transport_id, subscription)
                self._channel.send({"type": "ended", "id": request})

    def _reply(self, request: int, **members: object) -> None:
        self._channel.send({"type": "reply", "id": request, **members})
