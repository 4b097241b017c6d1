"""A node: composes the rooms according to its settings and runs them.

Later rooms join here: an object with ``routes()`` becomes a ``Mount``, one with Socket.IO events takes the
``Gateway``, one that wants to know of streams is a ``Listener`` of ``LiveStreams``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from mixer.controller import Mixers
from mixer.messages import Problem
from sfu.node import Sfu
from signaling.admission import Admission
from signaling.archive import open_index
from signaling.auth.identity import Identity
from signaling.auth.passwords import Passwords
from signaling.auth.playback_tokens import PlaybackTokens
from signaling.auth.stream_keys import StreamKeys
from signaling.clock import Clock
from signaling.errors import StartError
from signaling.gateway.gateway import Gateway
from signaling.gateway.stage import StageEvents
from signaling.gateway.streams import StreamEvents
from signaling.gateway.transport import SocketLimits
from signaling.hls import Hls, NoHls
from signaling.http.access_log import AccessLogger
from signaling.http.accounts import AccountRoutes
from signaling.http.app import Mount, build_app
from signaling.http.assets import AssetRoutes
from signaling.http.connections import Runner, with_hot_path
from signaling.http.headers import SecurityHeaders
from signaling.http.health import HealthRoutes, State
from signaling.http.metrics import MetricsRoutes
from signaling.http.node_descriptions import HEALTH, METRICS
from signaling.http.origin import Origins
from signaling.http.pages import Pages
from signaling.http.passes import Passes
from signaling.http.resolver import RequestResolver
from signaling.http.stage import StageRoutes
from signaling.http.streams import StreamRoutes
from signaling.http.viewing import ViewingRoutes
from signaling.installation import Installation
from signaling.links import Listeners
from signaling.listening import BACKLOG, listen, local_url, port_refused, tls_context
from signaling.live import LiveStreams
from signaling.media import Media, NoMedia
from signaling.metrics import Metrics
from signaling.mixer_metrics import MixerCollector
from signaling.rate_limits import RateLimits
from signaling.seat_calls import SeatCalls
from signaling.settings import Settings
from signaling.stage import Stages
from signaling.store.database import open_database
from signaling.store.interfaces import StoreUnreachable
from signaling.store.room import Room
from signaling.store.sql_accounts import SqlAccounts
from signaling.store.sql_assets import SqlAssets
from signaling.store.sql_invites import SqlInvites
from signaling.store.sql_streams import SqlStreams
from signaling.viewing import open_replica, open_viewing
from signaling.views import Views
from signaling.webrtc import WebRtc, sfu_config

__all__ = ["Node", "open_node"]

log = logging.getLogger("spillway.node")

STATIC = Path(__file__).parent / "static"
DRAIN_S = 3.0
"""How long requests under way may take at the end."""
PROBE_S = 2.0

UNSUPPORTED = ("cassandra_hosts", "dynamodb_url")

PROGRAM_BITRATES = {
    360: (800_000, 1_100_000),
    540: (1_500_000, 2_100_000),
    720: (2_500_000, 3_500_000),
    1080: (4_500_000, 6_000_000),
}
"""Target and ceiling of the mixed program by its height, in bits per second."""


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
        database = await _database(settings)
        stack.push_async_callback(database.dispose)
        await _end_what_crashed(database, installation.node_id, settings, clock)
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
            sfu = await stack.enter_async_context(_engine(settings, clock))
            stages = Stages(sfu, node.invites, node.assets, clock)
            if settings.runs("mixer"):
                arguments = _mixer_arguments(settings.program_height)
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
                    stages=stages,
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
            work += [seats.run(), events.run(), events.run_judgement()]
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
            version=_version(),
            middlewares=[node.pages.missing] if settings.runs("api") else [],
        )
        await stack.enter_async_context(_owned(work))
        access_log = logging.getLogger("spillway.access") if settings.access_log else None
        runner = Runner(
            app,
            access_log_class=AccessLogger,
            access_log=access_log,
            shutdown_timeout=DRAIN_S,
            handle_signals=False,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(node.gateway.close)
        if origin is None:
            await web.SockSite(runner, listener, ssl_context=tls, backlog=BACKLOG).start()
        else:
            hot = with_hot_path(
                runner,
                origin,
                listener,
                tls=tls,
                headers=security,
                metrics=node.metrics,
                access_log=access_log,
            )
            await stack.enter_async_context(hot)
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


def _mixer_arguments(height: int | None) -> dict[str, object]:
    """1080p takes three quarters of a core for two hosts; a small machine has to do with 720p."""
    height = height or (1080 if (os.cpu_count() or 1) >= 4 else 720)
    bitrate_bps, max_bitrate_bps = PROGRAM_BITRATES[height]
    return {
        "width": height * 16 // 9,
        "height": height,
        "bitrate_bps": bitrate_bps,
        "max_bitrate_bps": max_bitrate_bps,
    }


async def _end_what_crashed(database: AsyncEngine, node_id: str, settings: Settings, clock: Clock) -> None:
    """End what the node left live when it was killed. Raises StartError."""
    try:
        await SqlStreams(database).end_all_of(node_id, clock.now())
    except DBAPIError as error:
        raise StartError(f"{_where(settings)}: the database can't be written: {error.orig}") from None


def _where(settings: Settings) -> str:
    """The setting that says where the database is."""
    return "data_dir" if settings.database_url is None else "database_url"


async def _database(settings: Settings) -> AsyncEngine:
    url = settings.database_url.get_secret_value() if settings.database_url else None
    try:
        return await open_database(url, settings.data_dir)
    except StoreUnreachable as error:
        raise StartError(f"{_where(settings)}: {error}") from None


@contextlib.asynccontextmanager
async def _engine(settings: Settings, clock: Clock) -> AsyncIterator[Sfu]:
    """Raises StartError."""
    sfu = Sfu(sfu_config(settings), now=clock.now)
    try:
        await sfu.__aenter__()
    except ImportError as error:
        raise StartError(f"roles: the engine can't be loaded ({error}); `make setup` builds it") from None
    except OSError as error:
        raise port_refused("rtc_port", settings.host, settings.rtc_port, error) from None
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(sfu.__aexit__)
        yield sfu


@contextlib.asynccontextmanager
async def _owned(work: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Tasks that live as long as the node; one that fails ends the node."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as errors:
        # What was raised beside the tasks, e.g. a StartError, goes on as itself.
        if len(errors.exceptions) == 1:
            raise errors.exceptions[0] from None
        raise


def _version() -> str:
    try:
        return version("spillway")
    except PackageNotFoundError:
        return "0"
