"""A node: composes the rooms according to its settings and runs them.

Later rooms join here: an object with ``routes()`` becomes a ``Mount``, one with Socket.IO events takes the
``Gateway``, one that wants to know of streams is a ``Listener`` of ``LiveStreams``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from mixer.controller import Mixers
from mixer.messages import Problem
from signaling.admission import Admission
from signaling.archive import open_index
from signaling.auth.identity import Identity
from signaling.auth.passwords import Passwords
from signaling.auth.playback_tokens import PlaybackTokens
from signaling.auth.stream_keys import StreamKeys
from signaling.clock import Clock
from signaling.database import node_database
from signaling.direction import Directions
from signaling.engine import open_engine
from signaling.errors import StartError
from signaling.gateway.gateway import Gateway
from signaling.gateway.stage import StageEvents
from signaling.gateway.streams import StreamEvents
from signaling.gateway.transport import SocketLimits
from signaling.hls import Hls, NoHls
from signaling.http.accounts import AccountRoutes
from signaling.http.app import Mount, build_app
from signaling.http.assets import AssetRoutes
from signaling.http.headers import SecurityHeaders
from signaling.http.health import HealthRoutes, State
from signaling.http.metrics import MetricsRoutes
from signaling.http.node_descriptions import HEALTH, METRICS
from signaling.http.origin import Origins
from signaling.http.pages import STATIC, Pages
from signaling.http.passes import Passes
from signaling.http.resolver import RequestResolver
from signaling.http.stage import StageRoutes
from signaling.http.streams import StreamRoutes
from signaling.http.viewing import ViewingRoutes
from signaling.installation import Installation
from signaling.judgement import judge_forever
from signaling.links import Listeners
from signaling.listening import listen, local_url, tls_context
from signaling.live import LiveStreams
from signaling.media import Media, NoMedia
from signaling.metrics import Metrics
from signaling.mixer_metrics import MixerCollector
from signaling.mixing import mixer_arguments
from signaling.owned import owned
from signaling.rate_limits import RateLimits
from signaling.seat_calls import SeatCalls
from signaling.serving import serving
from signaling.settings import Settings
from signaling.stage import Stages
from signaling.store.room import Room
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_assets import SqlAssets
from signaling.store.sql_directions import SqlDirections
from signaling.store.sql_invites import SqlInvites
from signaling.store.sql_reentries import SqlReentries
from signaling.store.sql_streams import SqlStreams
from signaling.version import package_version
from signaling.viewing import open_replica, open_viewing
from signaling.views import Views
from signaling.webrtc import WebRtc

__all__ = ["Node", "open_node"]

PROBE_S = 2.0

UNSUPPORTED = ("cassandra_hosts", "dynamodb_url")


class Node:
    """A running node, as ``open_node`` yields it."""

    def __init__(
        self, settings: Settings, clock: Clock, installation: Installation, database: AsyncEngine
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.installation = installation
        self.database = database
        self.room = Room(database)
        self.accounts = SqlAccounts(database)
        self.streams = SqlStreams(database)
        self.invites = SqlInvites(database)
        self.assets = SqlAssets(database)
        self.directions = SqlDirections(database)
        self.reentries = SqlReentries(database)
        self.passwords = Passwords()
        self.playback_tokens = PlaybackTokens(installation.secret)
        self.identity = Identity(self.accounts, self.streams, self.playback_tokens, clock)
        self.keys = StreamKeys(self.streams, clock)
        self.live = LiveStreams(self.streams, installation.node_id, clock)
        self.limits = RateLimits(clock, on=settings.rate_limits)
        self.origins = Origins(settings.public_url, settings.trusted_proxies)
        self.pages = Pages(STATIC)
        self.state: State = "ready"
        self.url = ""
        """Under which this machine reaches the node; set when it listens."""
        self.media: Media = NoMedia()
        self.hls: Hls = NoHls()
        self.passes = Passes(self.identity, self.playback_tokens, clock)
        self.metrics = Metrics(lambda: self.media.counters())
        self.gateway = Gateway(
            self.identity,
            self.origins,
            self.metrics,
            clock,
            limits=settings.rate_limits,
            sockets=SocketLimits(
                settings.sockets_per_address if settings.rate_limits else None, settings.sockets_per_node
            ),
        )
        self.app = web.Application()

    def mixer_noticed(self, stream_id: str, trouble: Problem) -> None:
        """For the stream's owner: why a host is not in the picture."""
        self.live.report_notice(stream_id, trouble.code, trouble.text)

    async def probe(self) -> tuple[State, list[str]]:
        """Readiness, and what is degraded."""
        degraded = []
        if self.settings.runs("api") and not self.pages.built:
            degraded.append("pages: not built")
        try:
            async with asyncio.timeout(PROBE_S), self.database.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError):
            return "failed", [*degraded, "database: unreachable"]
        if self.room.full:
            degraded.append("database: full when it was written to last")
        return self.state, [*degraded, *self.hls.degraded()]


@contextlib.asynccontextmanager
async def open_node(settings: Settings, clock: Clock) -> AsyncIterator[Node]:
    """Start everything, listen, and end it all in reverse. Raises StartError."""
    for name in UNSUPPORTED:
        if getattr(settings, name):
            raise StartError(f"{name}: this version can't use it: leave it out")
    if settings.redis_url is not None:
        await asyncio.to_thread(open_index, settings)
    async with contextlib.AsyncExitStack() as stack:
        installation = stack.enter_context(
            Installation(settings.data_dir, issues_tokens=settings.runs("api"))
        )
        secure = settings.tls_cert is not None and settings.tls_key is not None
        tls = (
            tls_context(settings.tls_cert, settings.tls_key)
            if settings.tls_cert and settings.tls_key
            else None
        )
        listener = listen(settings.host, settings.http_port)
        stack.callback(listener.close)
        opened = node_database(settings, installation.node_id, clock)
        database = await stack.enter_async_context(opened)
        node = Node(settings, clock, installation, database)
        stack.callback(node.passwords.close)
        node.url = local_url(listener, secure=secure)
        stack.push_async_callback(node.live.drain)

        hls = all(settings.runs(role) for role in ("engine", "origin", "bridge"))
        listeners = Listeners(webrtc=settings.runs("engine"), hls=hls)
        work: list[Coroutine[Any, Any, None]] = [
            node.live.run(),
            node.live.run_audiences(),
            node.metrics.run(clock.monotonic_s),
        ]
        # What a failed start leaves behind has never run.
        stack.callback(lambda: [each.close() for each in work])
        mounts = []
        stages, origin = None, None
        features: list[object] = []
        if settings.runs("engine"):
            sfu = await stack.enter_async_context(open_engine(settings, clock))
            directions = Directions(sfu, node.directions, node.assets)
            stages = Stages(sfu, directions, node.invites, node.reentries, clock)
            if settings.runs("mixer"):
                arguments = mixer_arguments(settings.program_height, settings.program_bitrate)
                mixers = Mixers(sfu, arguments, node.mixer_noticed, node.assets.data)
                node.metrics.registry.register(MixerCollector(mixers))
            webrtc = WebRtc(
                sfu,
                live=node.live,
                keys=node.keys,
                identity=node.identity,
                origins=node.origins,
                limits=node.limits,
                listeners=listeners,
                stages=stages,
                streams=node.streams,
            )
            node.media = webrtc
            mounts.append(webrtc.mount())
            work.append(judge_forever(webrtc.judge_viewers))
            if hls:
                admission = Admission(node.streams, node.identity, clock)
                viewing = await stack.enter_async_context(
                    open_viewing(settings, clock, installation.node_id, sfu, node.live, admission)
                )
                node.hls, origin = viewing.broadcasts, viewing.origin
                node.metrics.registry.register(viewing.collector())
                mounts.append(viewing.mount())
                features.append(
                    ViewingRoutes(
                        origin=viewing.origin,
                        recorder=viewing.recorder,
                        kept=viewing.kept,
                        identity=node.identity,
                        passes=node.passes,
                        limits=node.limits,
                        listeners=listeners,
                    )
                )
                work += viewing.work()
        if settings.runs("origin") and not hls:
            admission = Admission(node.streams, node.identity, clock)
            replica = await stack.enter_async_context(
                open_replica(settings, clock, installation.node_id, admission)
            )
            node.live.listen(admission)
            origin = replica.origin
            node.metrics.registry.register(replica.collector())
            mounts.append(replica.mount())
        views = Views(node.live, node.media, node.hls)
        api_mounts, api_features = _api(node, views, listeners)
        mounts += api_mounts
        features += api_features
        if stages is not None and settings.runs("api"):
            features.append(
                AssetRoutes(
                    assets=node.assets,
                    directions=stages.directions,
                    identity=node.identity,
                    limits=node.limits,
                    clock=clock,
                )
            )
            features.append(
                StageRoutes(
                    stages=stages,
                    invites=node.invites,
                    identity=node.identity,
                    passes=node.passes,
                    listeners=listeners,
                    limits=node.limits,
                    clock=clock,
                )
            )
        if settings.runs("gateway"):
            seats = SeatCalls(node.live, node.media, clock)
            events = StreamEvents(node.gateway, node.identity, views, node.passes, seats, listeners, clock)
            node.live.listen(seats)
            node.live.listen(events)
            work += [seats.run(), events.run(), judge_forever(events.judge)]
            if stages is not None:
                work.append(StageEvents(node.gateway, node.identity, stages).run())
            mounts.append(Mount(node.gateway.routes()))
        security = SecurityHeaders(settings.public_url, secure=secure)
        node.app = app = build_app(
            features=features,
            mounts=mounts,
            resolver=RequestResolver(node.origins, node.identity),
            metrics=node.metrics,
            headers=security,
            version=package_version(),
            middlewares=[node.pages.missing] if settings.runs("api") else [],
        )
        await stack.enter_async_context(owned(work))
        answering = serving(
            app,
            listener,
            tls=tls,
            origin=origin,
            headers=security,
            metrics=node.metrics,
            access_log=settings.access_log,
            goodbye=node.gateway.close,
        )
        await stack.enter_async_context(answering)
        stack.callback(setattr, node, "state", "draining")
        yield node


def _api(node: Node, views: Views, listeners: Listeners) -> tuple[list[Mount], list[object]]:
    mounts = [
        Mount(HealthRoutes(node.probe, list(node.settings.roles)).routes(), HEALTH),
        Mount(MetricsRoutes(node.metrics).routes(), METRICS),
    ]
    if not node.settings.runs("api"):
        return mounts, []
    accounts = AccountRoutes(node.accounts, node.identity, node.passwords, node.limits, node.clock)
    streams = StreamRoutes(
        streams=node.streams,
        identity=node.identity,
        keys=node.keys,
        playback_tokens=node.playback_tokens,
        live=node.live,
        media=node.media,
        views=views,
        passes=node.passes,
        listeners=listeners,
        limits=node.limits,
        clock=node.clock,
    )
    return [*mounts, Mount(node.pages.routes())], [accounts, streams]
