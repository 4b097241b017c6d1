"""One epoch's rungs: transcoded ones in a cascade of threads, the source's own H.264 beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

import av

from hls_bridge.collector import PartCollector
from hls_bridge.colour import BT601, Colour
from hls_bridge.encoder import VIDEO_TIME_BASE, PassthroughTrack
from hls_bridge.packager import Sample, TrackPackager
from hls_bridge.part import Event, TrackSpec
from hls_bridge.rendition import Rendition, base_tier
from hls_bridge.rung import Picture, Rung
from hls_bridge.thinning import Thinning

__all__ = ["Ladder"]

log = logging.getLogger(__name__)

SHED_RUNGS = 60
"""Pictures that wait: two seconds at 30 a second."""
CATCH_UP_US = 1_000_000
"""A rung that is so far behind for as long will not catch up. One that was held and gets what came meanwhile
all at once, fewer pictures of it, needs half a second for five."""


class Ladder:
    """Pictures in, parts out through ``emit`` (called from the rungs' threads)."""

    def __init__(
        self,
        renditions: tuple[Rendition, ...],
        grid_fps: int,
        emit: Callable[[Event], None],
        *,
        active: Collection[str],
        passthrough: PassthroughTrack | None = None,
        codec_name: str | None = None,
        colour: Colour = BT601,
        on_lowest: Callable[[av.VideoFrame, int], None] | None = None,
        realtime: bool = True,
    ) -> None:
        """``active``: names of the rungs that run from the start; ``on_lowest`` sees the lowest rung's
        scaled pictures; ``realtime``: leave out pictures when the machine can't keep up."""
        self.renditions = renditions
        self._collector = PartCollector(emit)
        self._realtime = realtime
        self._overloaded = False
        self._far_behind_us: int | None = None
        self._thinning = Thinning(grid_fps)
        self._source: TrackPackager | None = None
        self._source_spec: TrackSpec | None = None
        self._fps = grid_fps
        transcoded = [r for r in renditions if not r.passthrough]
        if passthrough is not None:
            top = renditions[0]
            self._source = TrackPackager(top.name, passthrough.template, VIDEO_TIME_BASE)
            self._source_spec = TrackSpec(
                top.name,
                "video",
                passthrough.codec,
                top.maxrate_bps,
                passthrough.init,
                top.width,
                top.height,
                top.fps,
            )
            self._collector.join(top.name, 0)
        self.rungs = [
            Rung(
                rendition,
                grid_fps,
                self._collector,
                emit,
                active=rendition.name in active,
                codec_name=codec_name,
                colour=colour,
                on_scaled=on_lowest if rendition is transcoded[-1] else None,
            )
            for rendition in transcoded
        ]
        for upper, lower in zip(self.rungs, self.rungs[1:], strict=False):
            upper.below = lower
        for rung in self.rungs:
            rung.start()

    @property
    def specs(self) -> tuple[TrackSpec, ...]:
        """The tracks that run at the start of the epoch; ask before the first picture."""
        source = (self._source_spec,) if self._source_spec else ()
        return source + tuple(rung.spec for rung in self.rungs if rung.running)

    def want(self, names: Collection[str]) -> None:
        """Which rungs shall run from the next segment on; passthrough and the lowest never stop."""
        if self.rungs and not self._overloaded:
            self.rungs[0].want({*names, *self._never_stopping()})

    def push(self, picture: Picture) -> None:
        """A decoded picture for the transcoded rungs."""
        if not self.rungs:
            return
        behind = self._behind if self._realtime else 0
        if (fewer := self._thinning.thin(picture, behind)) is not None:
            self.rungs[0].push(fewer)

    def tick(self, awake_us: int) -> None:
        """Time passes, as `Attention.awake_us` counts it."""
        if not self._realtime or not self.rungs or self._behind <= SHED_RUNGS:
            self._far_behind_us = None
        elif self._far_behind_us is None:
            self._far_behind_us = awake_us
        elif awake_us - self._far_behind_us >= CATCH_UP_US:
            self._shed()

    def push_source(self, data: bytes, pts: int, *, keyframe: bool, begins_segment: bool) -> None:
        """An access unit of the source for the passthrough rung; ``pts`` in 1/90000 s."""
        if self._source is None:
            return
        packet = PassthroughTrack.packet(data, pts, keyframe)
        for part in self._source.push(Sample(packet, pts, keyframe, begins_segment)):
            self._collector.add(part)

    def flush(self) -> None:
        """Wait until everything pushed is through."""
        if self.rungs:
            self.rungs[0].flush()

    def end(self, until_us: int | None = None) -> int:
        """End the open segments of all rungs and join their threads; returns where their pictures end, in
        microseconds (0: at the source's times). ``until_us``: as the epoch's."""
        until = None if until_us is None else until_us * 9 // 100
        if self._source is not None:
            for part in self._source.end(VIDEO_TIME_BASE.denominator // self._fps, until):
                self._collector.add(part)
        if self.rungs:
            self.rungs[0].finish(until)
        self._collector.end()
        return max((rung.end_pts for rung in self.rungs), default=0) * 100 // 9

    @property
    def _behind(self) -> int:
        return max(rung.behind for rung in self.rungs)

    def _shed(self) -> None:
        if self._overloaded:
            return
        self._overloaded = True
        log.warning("the machine can't keep up: only the best and the lowest rendition go on")
        self.rungs[0].want(self._never_stopping())

    def _never_stopping(self) -> frozenset[str]:
        return frozenset(rendition.name for rendition in base_tier(self.renditions))
