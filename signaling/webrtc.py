"""The node's WebRTC: composes ``sfu`` with keys, visitors, live streams and metrics."""

from __future__ import annotations

import socket
from collections import Counter

from aiohttp import web
from aiohttp.typedefs import Handler

from sfu.config import IceServer, PublishBounds, SfuConfig
from sfu.events import StreamEnded, StreamEvent, StreamLive, StreamNotice, ViewersChanged
from sfu.node import Sfu
from sfu.problem import Problem
from sfu.publisher import PublishGrant
from sfu.whep import WatchGrant, whep_routes
from sfu.whip import whip_routes
from signaling.auth.identity import Identity
from signaling.auth.secrets import INVITE
from signaling.auth.stream_keys import StreamKeys
from signaling.errors import StartError
from signaling.http.app import Mount
from signaling.http.origin import Origins
from signaling.http.webrtc_descriptions import WHEP, WHIP
from signaling.links import Links, Listeners
from signaling.live import LiveStreams
from signaling.media import Seats
from signaling.metrics import MediaCounters
from signaling.private_viewers import PrivateViewers
from signaling.problems import problem
from signaling.rate_limits import RateLimits
from signaling.settings import Settings
from signaling.stage import Stages
from signaling.store.interfaces import Streams

__all__ = ["WebRtc", "sfu_config"]

WORKER_GAUGES = {"stepped_down": "viewers_stepped_down", "paused": "viewers_paused"}
WORKER_TOTALS = ("packets_received", "packets_sent", "bytes_received", "bytes_sent")
TRACK_TOTALS = {"lost": "packets_lost", "nack_sent": "nack_sent", "pli_sent": "pli_sent"}
SUBSCRIPTION_TOTALS = {
    "lost": "packets_lost_downstream",
    "nack_received": "nack_received",
    "rtx_sent": "rtx_sent",
    "pli_received": "pli_received",
    "shed": "packets_shed",
}


class WebRtc:
    """``Media`` on the node's own engine."""

    def __init__(
        self,
        sfu: Sfu,
        *,
        live: LiveStreams,
        keys: StreamKeys,
        identity: Identity,
        origins: Origins,
        limits: RateLimits,
        listeners: Listeners,
        stages: Stages,
        streams: Streams,
    ) -> None:
        self._sfu = sfu
        self._stages = stages
        self._streams = streams
        self._live = live
        self._keys = keys
        self._identity = identity
        self._origins = origins
        self._limits = limits
        self._links = Links("", listeners)
        self._private = PrivateViewers(identity)
        self._restrictions = 0
        """How often a stream turned private."""
        self._joins = 0
        self._watching: Counter[str] = Counter()
        self._totals: dict[str, int] = {}
        sfu.listeners.append(self._handle)

    def mount(self) -> Mount:
        routes = whip_routes(self._sfu, self._authorize) + whep_routes(
            self._sfu, self._admit, self._origins.client
        )
        return Mount([self._guarded(each) for each in routes], (*WHIP, *WHEP))

    def seats(self, stream_id: str) -> Seats:
        seats = self._sfu.seats
        return Seats(seats.taken(stream_id), seats.free(stream_id))

    async def close_publishers(self, stream_id: str) -> None:
        if (stream := self._sfu.router.get(stream_id)) is not None:
            await stream.close_publishers("revoked")

    async def close_viewers(self, stream_id: str) -> None:
        self._restrictions += 1
        if (stream := self._sfu.router.get(stream_id)) is not None:
            await stream.close_viewers("private")

    async def judge_viewers(self) -> None:
        """Close the sessions of those who may watch a private stream no longer."""
        await self._private.judge()

    async def close_stream(self, stream_id: str) -> None:
        if (stream := self._sfu.router.get(stream_id)) is not None:
            await stream.end("deleted")
        self._stages.forget(stream_id)

    def counters(self) -> MediaCounters:
        """Totals never fall, and count what has gone meanwhile."""
        engine = self._sfu.engine
        workers = engine.worker_stats()
        streams = self._sfu.router.streams()
        for names, found in (
            (TRACK_TOTALS, engine.track_totals()),
            (SUBSCRIPTION_TOTALS, engine.subscription_totals()),
        ):
            for name, total in names.items():
                # A receiver's loss count may fall: it takes duplicates for found packets (RFC 3550 A.3).
                self._totals[total] = max(self._totals.get(total, 0), found[name])
        totals = {name: sum(worker[name] for worker in workers) for name in WORKER_TOTALS}
        return MediaCounters(
            totals={**totals, **self._totals, "joins": self._joins},
            gauges={
                "seats": self._sfu.seats.total,
                "publishers": sum(each.publishing for each in self._sfu.sessions),
                "streams_live": sum(each.live for each in streams),
                "transports": sum(worker["transports"] for worker in workers),
                "subscriptions": sum(worker["subscriptions"] for worker in workers),
                "seats_refused": int(self._sfu.seats.refusing),
                **{gauge: sum(worker[name] for worker in workers) for name, gauge in WORKER_GAUGES.items()},
            },
            lateness_us=max((worker["lateness_us"] for worker in workers), default=0),
            forward_us=sum(worker["forward_us"] for worker in workers),
            forward_count=sum(worker["forward_count"] for worker in workers),
        )

    def _handle(self, event: StreamEvent) -> None:
        match event:
            case StreamLive(stream_id):
                self._live.report_live(stream_id)
            case StreamEnded(stream_id):
                self._live.report_off(stream_id)
            case ViewersChanged(stream_id, webrtc):
                self._joins += max(0, webrtc - self._watching[stream_id])
                self._watching[stream_id] = webrtc
                if not webrtc:
                    del self._watching[stream_id]
                self._live.report_audience(stream_id, webrtc=webrtc)
            case StreamNotice(stream_id=stream_id, type=reason, text=text):
                self._live.report_notice(stream_id, reason, text)

    async def _authorize(self, key: str) -> PublishGrant:
        if key.startswith(INVITE):
            return await self._stages.authorize(key)
        while True:
            generation = self._keys.generation
            stream_id = await self._keys.stream_of(key)
            stream = None if stream_id is None else await self._streams.get(stream_id)
            if stream is not None:
                await self._stages.directions.recall(stream.stream_id)
            # A rotation while the database answered: the answer may be of before.
            if generation == self._keys.generation:
                break
        if stream is None:
            raise problem("wrong-key", "This is not, or no longer, the key of a stream.")
        return PublishGrant(stream.stream_id, name=stream.broadcaster_name)

    async def _admit(self, stream_id: str, token: str | None) -> WatchGrant:
        visitor = await self._identity.visitor(token)
        while True:
            restrictions = self._restrictions
            stream = await self._identity.watched(stream_id, visitor)
            # A change while the database answered: the answer may be of before.
            if restrictions == self._restrictions:
                break
        shown = token if visitor.stream_id else None
        manifest = self._links.manifest(stream.stream_id, shown)
        if stream.visibility != "private" or token is None:
            return WatchGrant(stream_id, manifest)
        return WatchGrant(stream_id, manifest, on_opened=lambda viewer: self._private.add(viewer, token))

    def _guarded(self, route: web.RouteDef) -> web.RouteDef:
        """The route with what needs its request: limits on wrong keys, and absolute URLs in problems."""
        publishing = route.method == "POST" and route.path.startswith("/whip")
        inner: Handler = route.handler

        async def handle(request: web.Request) -> web.StreamResponse:
            client = self._origins.client(request)
            if publishing:
                self._limits.publish(client)
            try:
                return await inner(request)
            except Problem as refusal:
                if publishing and refusal.name in ("wrong-key", "wrong-invite"):
                    self._limits.wrong_key(client)
                manifest = refusal.members.get("manifest_url")
                if isinstance(manifest, str):
                    refusal.members["manifest_url"] = self._origins.base_url(request) + manifest
                raise

        return web.RouteDef(route.method, route.path, handle, route.kwargs)


def sfu_config(settings: Settings) -> SfuConfig:
    """Raises StartError for a host that can't be resolved."""
    return SfuConfig(
        host=_addresses(settings.host),
        rtc_port=settings.rtc_port,
        advertise_ip=tuple(settings.advertise_ip),
        ice_servers=tuple(
            IceServer(url, each.username, each.credential.get_secret_value() if each.credential else None)
            for each in settings.ice_servers
            for url in each.urls
        ),
        limits={"shed_above_ms": settings.shed_above_ms},
        seats_per_stream=settings.seats_per_stream,
        seats_per_node=settings.seats_per_node,
        hosts_per_stage=settings.hosts_per_stage,
        pending_per_address=settings.pending_per_address if settings.rate_limits else None,
        bounds=PublishBounds(max_bitrate_bps=settings.publish_bitrate),
    )


def _addresses(host: str) -> tuple[str, ...]:
    if host == "::":
        return ("0.0.0.0", "::")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise StartError(f"host: {host}: {error.strerror}") from None
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
