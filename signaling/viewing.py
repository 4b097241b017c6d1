"""HLS in the node: puts archive, origin, link and broadcasts together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hls_bridge.archive_routes import archive_routes
from hls_bridge.origin import Origin
from hls_bridge.recorder import Recorder
from hls_bridge.routes import routes
from sfu.node import Sfu
from signaling.admission import Admission
from signaling.archive import open_archive, retention, sweep_forever
from signaling.clock import Clock
from signaling.errors import StartError
from signaling.hls import Broadcasts, open_link
from signaling.hls_metrics import HlsCollector
from signaling.http.app import Mount
from signaling.http.hls_descriptions import HLS, REPLACED
from signaling.live import LiveStreams
from signaling.settings import Settings

__all__ = ["Replica", "Viewing", "open_replica", "open_viewing"]

SHARED = ("database_url", "redis_url", "s3_url")
"""What nodes have in common: the streams, the index of recordings, the segments."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """What a node with HLS has more."""

    origin: Origin
    recorder: Recorder
    broadcasts: Broadcasts
    kept: timedelta | None
    """How long recordings are kept; None: for good."""
    clock: Clock

    def collector(self) -> HlsCollector:
        return HlsCollector(self.origin, self.recorder)

    def mount(self) -> Mount:
        found = [*routes(self.origin), *archive_routes(self.origin, self.recorder, self.kept)]
        return Mount([each for each in found if each.path not in REPLACED], HLS, open=True)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """To be run as long as the node lives."""
        sweep = [sweep_forever(self.recorder, self.clock, self.kept)] if self.kept is not None else []
        return [self.broadcasts.run(), *sweep]


@dataclass(frozen=True, slots=True)
class Replica:
    """What an origin of its own has: it carries no stream and serves what other nodes record."""

    origin: Origin
    recorder: Recorder

    def collector(self) -> HlsCollector:
        return HlsCollector(self.origin, self.recorder)

    def mount(self) -> Mount:
        found = [*routes(self.origin), *archive_routes(self.origin, self.recorder, None)]
        return Mount([each for each in found if each.path not in REPLACED], HLS, open=True)


@contextlib.asynccontextmanager
async def open_replica(
    settings: Settings, clock: Clock, node_id: str, admission: Admission
) -> AsyncIterator[Replica]:
    """Raises StartError."""
    missing = [name for name in SHARED if getattr(settings, name) is None]
    if missing:
        raise StartError(f"roles: an origin without engine and bridge needs {' and '.join(missing)}")
    async with open_archive(settings, clock, node_id) as recorder:
        yield Replica(recorder=recorder, origin=_origin(settings, recorder, admission))


def _origin(settings: Settings, recorder: Recorder, admission: Admission) -> Origin:
    edge_key = settings.edge_key.get_secret_value() if settings.edge_key else None
    return Origin(
        archive=recorder,
        authorize=admission,
        admitted=admission.known,
        over=admission.over,
        edge_key=edge_key,
    )


@contextlib.asynccontextmanager
async def open_viewing(
    settings: Settings, clock: Clock, node_id: str, sfu: Sfu, live: LiveStreams, admission: Admission
) -> AsyncIterator[Viewing]:
    """Raises StartError."""
    async with open_archive(settings, clock, node_id) as recorder:
        origin = _origin(settings, recorder, admission)
        async with open_link(origin) as (link, path):
            broadcasts = Broadcasts(
                sfu=sfu,
                origin=origin,
                recorder=recorder,
                link=link,
                link_path=path,
                live=live,
                popular_viewers=settings.popular_viewers,
            )
            live.listen(admission)
            live.listen(broadcasts)
            yield Viewing(origin, recorder, broadcasts, retention(settings), clock)
