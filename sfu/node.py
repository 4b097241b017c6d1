"""The node's WebRTC side: owns the engine, reads its events, and hands them to whom they concern."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from sfu.addresses import candidate_addresses, follows_machine
from sfu.config import SfuConfig
from sfu.events import StreamEvent
from sfu.identity import NodeIdentity, utc_now
from sfu.load import Load
from sfu.pending import Pending
from sfu.sdp.answer import Candidate
from sfu.seats import Seats
from sfu.session import Sessions
from sfu.stream import Router
from sfu.tap import EngineTap
from sfu.tasks import TaskOwner
from sfu.track import Track

if TYPE_CHECKING:
    from sfu._engine import Engine, Event

__all__ = ["Sfu"]

log = logging.getLogger(__name__)

EVENTS_PER_TURN = 1024
"""Events handled before the loop may do something else: about 5 ms of Python."""

LEVELS_S = 0.15
"""How often audio levels are read: a syllable is about as long."""
SILENT_S = 0.5
"""How often it is looked whether there are any to be read."""

ADDRESSES_S = 2.0
"""How often the machine's addresses are read, which takes a millisecond: someone who has just plugged a cable
in, or connected a VPN, needs longer than that to open a page."""


class _CodecMismatch(Protocol):
    def __call__(self, subscription: int, codec: str) -> None: ...


class EngineTransport(Protocol):
    """What hears of the events of one of the engine's transports."""

    @property
    def transport_id(self) -> int: ...

    def handle_reached(self) -> None: ...

    def handle_dtls(self, data: bytes) -> None: ...

    def handle_connected(self) -> None: ...

    def handle_closed(self, reason: str) -> None: ...

    async def close(self, reason: str) -> None: ...


class Sfu:
    """An async context manager: sockets and threads exist inside it.

    ``listeners`` are called in the event loop with every StreamEvent, in order, and must not block.
    ``now``: wall clock time, for the dates of certificates.
    """

    def __init__(
        self,
        config: SfuConfig | None = None,
        *,
        engine: Engine | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.config = config or SfuConfig()
        self.listeners: list[Callable[[StreamEvent], None]] = []
        self.identity = NodeIdentity(now)
        self.seats = Seats(self.config.seats_per_stream, self.config.seats_per_node)
        self.pending = Pending(self.config.pending_per_address)
        self.load = Load(self.seats)
        self.tasks = TaskOwner()
        self.router = Router(self)
        self.sessions = Sessions()
        self.candidates: list[Candidate] = []
        """Named in every answer from now on."""
        self.lost_events = 0
        self.codec_mismatches = 0
        self._engine = engine
        self.source_listeners: set[Callable[[int], None]] = set()
        """Called with the id of every Track that is gone."""
        self._transports: dict[int, EngineTransport] = {}
        self._mismatches: dict[int, _CodecMismatch] = {}
        self._tracks: dict[int, Track] = {}
        self._taps: dict[int, EngineTap] = {}

    async def __aenter__(self) -> Sfu:
        """Raises OSError when the UDP port can't be bound."""
        if self._engine is None:
            from sfu._engine import Engine

            self._engine = Engine(
                bind=self.config.host,
                port=self.config.rtc_port,
                workers=self.config.workers,
                gso=self.config.gso,
                limits=self.config.engine_limits(),
            )
        self._read_addresses()
        asyncio.get_running_loop().add_reader(self._engine.fileno(), self._read_events)
        self.tasks.spawn(self._poll_levels(), "audio levels")
        if follows_machine(self.config.host, self.config.advertise_ip):
            self.tasks.spawn(self._poll_addresses(), "addresses")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self.router.streams():
            await stream.end("shutdown")
        for transport in list(self._transports.values()):
            await transport.close("shutdown")
        await self.tasks.close()
        asyncio.get_running_loop().remove_reader(self.engine.fileno())
        self.engine.close()

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the Sfu is used outside its context")
        return self._engine

    def emit(self, event: StreamEvent) -> None:
        for listener in list(self.listeners):
            listener(event)

    def register_transport(
        self, transport: EngineTransport, on_codec_mismatch: _CodecMismatch | None = None
    ) -> None:
        self._transports[transport.transport_id] = transport
        if on_codec_mismatch is not None:
            self._mismatches[transport.transport_id] = on_codec_mismatch

    def unregister_transport(self, transport: EngineTransport) -> None:
        self._transports.pop(transport.transport_id, None)
        self._mismatches.pop(transport.transport_id, None)

    def register_track(self, track: Track) -> None:
        self._tracks[track.track_id] = track

    def unregister_track(self, track: Track) -> None:
        if self._tracks.pop(track.track_id, None) is not None:
            for listener in list(self.source_listeners):
                listener(track.track_id)

    def register_tap(self, tap: EngineTap) -> None:
        self._taps[tap.tap_id] = tap

    def unregister_tap(self, tap: EngineTap) -> None:
        self._taps.pop(tap.tap_id, None)

    def track(self, track_id: int) -> Track | None:
        return self._tracks.get(track_id)

    def knows_source(self, source_id: int) -> bool:
        """Whether it is a Track or a Program's alias of this node."""
        if source_id in self._tracks:
            return True
        return any(
            source.track_id == source_id
            for stream in self.router.streams()
            for source in stream.program.sources
        )

    def _read_addresses(self) -> None:
        addresses = candidate_addresses(self.config.host, self.config.advertise_ip)
        self.candidates = [Candidate(address, self.engine.port) for address in addresses]

    async def _poll_addresses(self) -> None:
        """Interfaces come and go; sockets bound to all addresses serve the new ones too."""
        while True:
            await asyncio.sleep(ADDRESSES_S)
            # a kernel that doesn't tell them now may do so next time
            with contextlib.suppress(OSError):
                self._read_addresses()

    async def _poll_levels(self) -> None:
        while True:
            audible = any(stream.stage.audible for stream in self.router.streams())
            await asyncio.sleep(LEVELS_S if audible else SILENT_S)
            for stream in self.router.streams():
                stream.stage.poll_levels(self.engine.now_us())

    def _read_events(self) -> None:
        for event in self.engine.poll_events(EVENTS_PER_TURN):
            try:
                self._handle(event)
            except Exception:  # the events behind it concern other peers, and are told only once
                log.exception("event %s failed", event[0])

    def _handle(self, event: Event) -> None:
        match event:
            case ("dtls", transport_id, data):
                if transport := self._transports.get(transport_id):
                    transport.handle_dtls(data)
            case ("reached", transport_id, _):
                if transport := self._transports.get(transport_id):
                    transport.handle_reached()
            case ("connected", transport_id):
                if transport := self._transports.get(transport_id):
                    transport.handle_connected()
            case ("closed", transport_id, reason):
                if transport := self._transports.get(transport_id):
                    transport.handle_closed(reason)
            case ("flowing", track_id, rid, codec, _):
                if track := self._tracks.get(track_id):
                    track.handle_flowing(rid, codec)
            case ("idle", track_id, rid):
                if track := self._tracks.get(track_id):
                    track.handle_idle(rid)
            case ("resolution", track_id, rid, width, height):
                if track := self._tracks.get(track_id):
                    track.handle_resolution(rid, width, height)
            case ("keyframe-needed", track_id, rid):
                if track := self._tracks.get(track_id):
                    track.handle_keyframe_needed(rid)
            case ("codec-mismatch", transport_id, subscription, name):
                if report := self._mismatches.get(transport_id):
                    report(subscription, name)
            case ("load", worker, stage, lateness_us):
                self.load.handle(worker, stage, lateness_us)
            case ("tap-readable", tap_id):
                if tap := self._taps.get(tap_id):
                    tap.handle_readable()
            case ("overflow", count):
                self.lost_events += count
                # whoever waits for a tap must not wait for an event that was lost
                for tap in self._taps.values():
                    tap.handle_readable()
                self._reconcile()
                log.warning("%d engine events lost: the event loop was too slow", count)

    def _reconcile(self) -> None:
        """Close what the engine has closed: the event of it may be among the lost."""
        for transport in list(self._transports.values()):
            if self.engine.transport_stats(transport.transport_id) is None:
                transport.handle_closed("lost")
