"""The worker's end of a local Relay: sfu.media.Participant over an engine of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sfu.media import Codec, Encoding, Kind, ParticipantClosed, Source
from sfu.relay.channel import Channel, ChannelClosed, Message
from sfu.relay.codecs import EXTENSIONS, relay_codecs
from sfu.relay.relay import PROFILE, RelayKeys
from sfu.tap import EngineInjector, EngineTap
from sfu.track import codec_to_spec

if TYPE_CHECKING:
    from sfu._engine import Engine

__all__ = ["RelayInjector", "RelayParticipant"]

log = logging.getLogger(__name__)

INJECTED_PAYLOAD_TYPE = 96


class RelayInjector(EngineInjector):
    """An injector whose track_id is the one that the node gave."""

    def __init__(self, *arguments: Any, node_track_id: int) -> None:
        super().__init__(*arguments)
        self._node_track_id = node_track_id

    @property
    def track_id(self) -> int:
        return self._node_track_id

    @property
    def local_id(self) -> int:
        return self._track_id


class RelayParticipant:
    """What a worker's function gets. Besides tap() and publish(): ``arguments`` as the node gave them,
    ``send()`` and ``messages()`` to and from whoever supervises the worker."""

    def __init__(self, engine: Engine, channel: Channel, hello: Message) -> None:
        self._engine = engine
        self._channel = channel
        self._participant_id: str = hello["participant_id"]
        self.stream_id: str = hello["stream_id"]
        self.arguments: dict[str, Any] = hello["arguments"]
        keys = RelayKeys.from_document(hello["relay"])
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Message]] = {}
        self._taps: dict[int, tuple[EngineTap, int]] = {}
        """Request id to (tap, track of this engine)."""
        self._injectors: dict[int, tuple[RelayInjector, list[int]]] = {}
        """Request id to (injector, subscriptions that carry it)."""
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self.closed = False
        self._transport = engine.open_transport(
            local_ufrag=keys.near.ufrag,
            local_pwd=keys.near.pwd,
            remote_ufrag=keys.far.ufrag,
            remote_pwd=keys.far.pwd,
            extensions=EXTENSIONS,
            transport_cc=True,
            remb=False,
            cname=self._participant_id,
            dial=(keys.address, keys.port),
        )
        engine.set_keys(self._transport, PROFILE, keys.receive, keys.send)

    @property
    def participant_id(self) -> str:
        return self._participant_id

    def now_us(self) -> int:
        """The clock of arrival times: CLOCK_MONOTONIC in microseconds."""
        return self._engine.now_us()

    def send(self, message: Mapping[str, Any]) -> None:
        """A message to the supervisor, whatever JSON can say."""
        self._channel.send({"type": "message", "data": dict(message)})

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Messages from the supervisor; ends when the relay does."""
        while (message := await self._messages.get()) is not None:
            yield message
        self._messages.put_nowait(None)

    async def tap(self, source: Source, *, encoding: str = "auto", queue_packets: int = 4096) -> EngineTap:
        request, mid, ssrcs = self._new_request(1)
        track = self._engine.add_track(
            self._transport, kind=source.kind, mid=mid, codecs=relay_codecs(source.kind), ssrcs=ssrcs
        )

        def select(rid: str) -> None:
            self._channel.send({"type": "select", "id": request, "encoding": rid})

        # tapped before the node is asked: its replay must not come before anybody listens
        tap = EngineTap(self._engine, track, "auto", queue_packets, self._tap_closed, select)
        self._taps[request] = (tap, track)
        try:
            await self._ask(
                request,
                {
                    "type": "tap",
                    "source": source.track_id,
                    "kind": source.kind,
                    "encoding": encoding,
                    "mid": mid,
                    "ssrcs": ssrcs,
                },
            )
        except (LookupError, ParticipantClosed):
            tap.end()
            raise
        return tap

    async def publish(
        self, kind: Kind, codec: Codec, encodings: Sequence[Encoding] = (Encoding(),)
    ) -> RelayInjector:
        if codec.kind != kind:
            raise ValueError(f"{codec.name} is no {kind} codec")
        rids = [encoding.rid for encoding in encodings if encoding.rid]
        request, mid, ssrcs = self._new_request(max(1, len(rids)))
        reply = await self._ask(
            request,
            {
                "type": "publish",
                "kind": kind,
                "codec": asdict(codec) | {"fmtp": dict(codec.fmtp)},
                "rids": rids,
                "mid": mid,
                "ssrcs": ssrcs,
            },
        )
        track = self._engine.open_injector(
            kind=kind, codec=codec_to_spec(codec, INJECTED_PAYLOAD_TYPE), rids=rids
        )
        subscriptions = [
            self._engine.add_subscription(
                self._transport,
                kind=kind,
                mid=mid,
                source=track,
                codecs=relay_codecs(kind),
                ssrc=ssrc,
                rtx_ssrc=rtx_ssrc,
                encoding=rid,
                spared=True,
            )
            for rid, (ssrc, rtx_ssrc) in zip(rids or ["auto"], ssrcs, strict=True)
        ]
        injector = RelayInjector(self._engine, track, self._injector_closed, node_track_id=reply["track_id"])
        self._injectors[request] = (injector, subscriptions)
        return injector

    async def close(self) -> None:
        """Leave: taps end, tracks close. Idempotent."""
        if self.closed:
            return
        self.closed = True
        for tap, _ in list(self._taps.values()):
            tap.end()
        for injector, _ in list(self._injectors.values()):
            injector.end()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ParticipantClosed(self._participant_id))
        self._messages.put_nowait(None)
        self._engine.close_transport(self._transport)

    async def serve(self) -> None:
        """Read the control channel and the engine's events until the relay ends."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._engine.fileno(), self._read_events)
        try:
            while not self.closed:
                self._handle(await self._channel.receive())
        except ChannelClosed:
            pass
        finally:
            loop.remove_reader(self._engine.fileno())
            await self.close()

    def _handle(self, message: Message) -> None:
        match message:
            case {"type": "reply", "id": int(request)}:
                if (reply := self._replies.pop(request, None)) is not None and not reply.done():
                    reply.set_result(message)
            case {"type": "ended", "id": int(request)}:
                if request in self._taps:
                    self._taps[request][0].end()
            case {"type": "message", "data": dict(data)}:
                self._messages.put_nowait(data)

    def _read_events(self) -> None:
        for event in self._engine.poll_events():
            match event:
                case ("tap-readable", tap_id):
                    for tap, _ in self._taps.values():
                        if tap.tap_id == tap_id:
                            tap.handle_readable()
                case ("keyframe-needed", track_id, rid):
                    for injector, _ in self._injectors.values():
                        if injector.local_id == track_id:
                            injector.handle_keyframe_needed(rid)
                case ("closed", transport_id, reason) if transport_id == self._transport:
                    log.warning("relay lost: %s", reason)
                    # the supervisor sees the channel close and starts the worker again
                    asyncio.get_running_loop().call_soon(self._channel.abort)
                case ("overflow", _):
                    for tap, _ in self._taps.values():
                        tap.handle_readable()

    async def _ask(self, request: int, message: Message) -> Message:
        if self.closed:
            raise ParticipantClosed(self._participant_id)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[request] = reply
        try:
            self._channel.send({**message, "id": request})
            answer = await reply
        finally:
            self._replies.pop(request, None)
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer

    def _new_request(self, encodings: int) -> tuple[int, str, list[tuple[int, int]]]:
        """Request id, mid, and (media, RTX) SSRCs, which nobody else on this transport has."""
        request = next(self._ids)
        base = secrets.randbelow(2**31) + 1
        return request, str(request), [(base + 2 * i, base + 2 * i + 1) for i in range(encodings)]

    def _tap_closed(self, tap: EngineTap) -> None:
        for request, (known, track) in list(self._taps.items()):
            if known is tap:
                del self._taps[request]
                self._engine.remove_track(track)
                self._channel.send({"type": "untap", "id": request})

    def _injector_closed(self, injector: EngineInjector) -> None:
        for request, (known, subscriptions) in list(self._injectors.items()):
            if known is injector:
                del self._injectors[request]
                for subscription in subscriptions:
                    self._engine.remove_subscription(self._transport, subscription)
                self._channel.send({"type": "unpublish", "id": request})
