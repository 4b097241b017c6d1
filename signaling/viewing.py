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
from signaling.hls import Broadcasts, open_link
from signaling.http.app import Mount
from signaling.http.hls_descriptions import HLS, REPLACED
from signaling.live import LiveStreams
from signaling.settings import Settings

__all__ = ["Viewing", "open_viewing"]


@dataclass(frozen=True, slots=True)
class Viewing:
    """What a node with HLS has more."""

    origin: Origin
    recorder: Recorder
    broadcasts: Broadcasts
    kept: timedelta | None
    """How long recordings are kept; None: for good."""
    clock: Clock

    def mount(self) -> Mount:
        found = [*routes(self.origin), *archive_routes(self.origin, self.recorder, self.kept)]
        return Mount([each for each in found if each.path not in REPLACED], HLS, open=True)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """To be run as long as the node lives."""
        sweep = [sweep_forever(self.recorder, self.clock, self.kept)] if self.kept is not None else []
        return [self.broadcasts.run(), *sweep]


@contextlib.asynccontextmanager
async def open_viewing(
    settings: Settings, clock: Clock, sfu: Sfu, live: LiveStreams, admission: Admission
) -> AsyncIterator[Viewing]:
    """Raises StartError."""
    async with open_archive(settings, clock) as recorder:
        origin = Origin(archive=recorder, authorize=admission, admitted=admission.known, over=admission.over)
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
