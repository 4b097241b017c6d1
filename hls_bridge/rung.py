"""One rung of the ladder: a thread that scales, encodes and packages; it hands its picture to the next."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import av
from av.video.reformatter import Interpolation, VideoReformatter

from hls_bridge.collector import PartCollector
from hls_bridge.colour import BT601, Colour
from hls_bridge.encoder import VIDEO_TIME_BASE, VideoEncoder
from hls_bridge.packager import Sample, TrackPackager
from hls_bridge.part import Event, TrackSpec, TrackStart, TrackStop
from hls_bridge.rendition import Rendition

__all__ = ["TICKS", "Picture", "Rung"]

log = logging.getLogger(__name__)

TICKS = VIDEO_TIME_BASE.denominator


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame in its place on the time line."""

    frame: av.VideoFrame
    pts: int
    """1/90000 s."""
    segment: int
    begins_segment: bool
    source: int
    """Equal numbers are the same picture, shown again."""
    slot: int | None = None
    """Place in a constant frame rate; None: timed by the source."""
    next_cut_slot: int | None = None
    slots: int = 1
    """How long it is shown, where it has a place."""


_Item = Picture | frozenset[str] | threading.Event | None
"""What a rung's thread takes: a picture, names of rungs that shall run, somebody who waits, the end."""


class Rung(threading.Thread):
    """Owned by the ladder: `start`, `push` pictures, `finish` (which joins)."""

    def __init__(
        self,
        rendition: Rendition,
        grid_fps: int,
        collector: PartCollector,
        emit: Callable[[Event], None],
        *,
        active: bool,
        codec_name: str | None = None,
        colour: Colour = BT601,
        on_scaled: Callable[[av.VideoFrame, int], None] | None = None,
    ) -> None:
        super().__init__(name=f"rung-{rendition.name}", daemon=True)
        self.rendition = rendition
        self.below: Rung | None = None
        self._wanted = active
        self._grid_fps = grid_fps
        self._divisor = max(1, grid_fps // rendition.fps)
        self._collector = collector
        self._emit = emit
        self._codec_name = codec_name
        self._colour = colour
        self._on_scaled = on_scaled
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._scaler = VideoReformatter()
        self._encoder: VideoEncoder | None = None
        self._packager: TrackPackager | None = None
        self._last_pts = -TICKS
        self._end_pts = 0
        self._until: int | None = None
        self._scaled: tuple[int, av.VideoFrame] | None = None
        self.failed = False
        if active:
            self._open(0)

    @property
    def running(self) -> bool:
        """Whether it encodes at present."""
        return self._packager is not None

    @property
    def end_pts(self) -> int:
        """Where its pictures end, once it has finished; 0 where they are timed by the source."""
        return self._end_pts

    @property
    def _idle(self) -> bool:
        return not self.running and self._on_scaled is None

    @property
    def spec(self) -> TrackSpec:
        """The track as players see it; only while it runs."""
        assert self._encoder is not None
        r = self.rendition
        return TrackSpec(
            r.name, "video", self._encoder.codec, r.maxrate_bps, self._encoder.init, r.width, r.height, r.fps
        )

    @property
    def behind(self) -> int:
        """Pictures that wait."""
        return self._queue.qsize()

    def push(self, picture: Picture) -> None:
        self._queue.put(picture)

    def want(self, names: Collection[str]) -> None:
        """This rung and those below run if ``names`` has them (or ``*``), from the next segment on."""
        self._queue.put(frozenset(names))

    def flush(self) -> None:
        """Wait until all pictures pushed so far are through, in the rungs below too."""
        done = threading.Event()
        self._queue.put(done)
        while not done.wait(1.0):
            if not self.is_alive():
                return

    def finish(self, until: int | None = None) -> None:
        """End the open segment, close and join, the rungs below too. A picture that is timed by the source
        lasts to ``until`` (None: a frame)."""
        self._until = until
        self._queue.put(None)
        if self.is_alive():
            self.join()

    def run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                if self.below is not None:
                    self.below.flush()
                item.set()
                continue
            if isinstance(item, frozenset):
                self._wanted = self.rendition.name in item or "*" in item
                if self.below is not None:
                    self.below.want(item)
                continue
            try:
                self._handle(item)
            except (av.FFmpegError, ValueError, MemoryError) as error:
                # An encoder lost (a GPU reset, memory): the other rungs go on.
                log.warning("rendition %s ends: %s", self.rendition.name, error)
                self.failed = True
                self._close()
                self._emit(TrackStop(self.rendition.name))
        self._keep_promise()
        self._close(self._until)
        if self.below is not None:
            self.below.finish(self._until)

    def _handle(self, picture: Picture) -> None:
        if picture.begins_segment:
            if self._wanted and not self.running and not self.failed:
                self._open(picture.segment)
                self._emit(TrackStart(self.spec, picture.segment))
            elif not self._wanted and self.running:
                self._close()
                self._emit(TrackStop(self.rendition.name))
        if not self._takes(picture):
            return
        self._last_pts = picture.pts
        # A rung that doesn't run scales for nobody.
        scaled = picture.frame if self._idle else self._scale(picture)
        if self.below is not None:
            self.below.push(replace(picture, frame=scaled))
        if self._on_scaled is not None:
            self._on_scaled(scaled, picture.pts)
        if self._encoder is None or self._packager is None:
            return
        duration: int | None = None
        ends = False
        if picture.slot is not None:
            slots = max(picture.slots, self._divisor)
            duration = slots * TICKS // self._grid_fps
            ends = picture.next_cut_slot is not None and picture.slot + slots >= picture.next_cut_slot
            self._end_pts = picture.pts + duration
        packets = self._encoder.encode(scaled, picture.pts, idr=picture.begins_segment)
        for packet in packets:
            sample = Sample(
                packet,
                picture.pts if packet.pts is None else packet.pts,
                packet.is_keyframe,
                picture.begins_segment,
                duration,
                ends,
            )
            for part in self._packager.push(sample):
                self._collector.add(part)

    def _takes(self, picture: Picture) -> bool:
        if picture.slot is not None:
            return picture.slot % self._divisor == 0
        # Timed by the source: leave out what comes much faster than this rung's rate.
        return picture.begins_segment or picture.pts - self._last_pts >= 0.75 * TICKS / self.rendition.fps

    def _scale(self, picture: Picture) -> av.VideoFrame:
        if self._scaled is not None and self._scaled[0] == picture.source:
            return self._scaled[1]
        r = self.rendition
        # Bicubic costs 1 % of the ladder's CPU more than bilinear and is 0.8 to 1.4 dB better in a cascade.
        frame = self._scaler.reformat(
            picture.frame, r.width, r.height, "yuv420p", interpolation=Interpolation.BICUBIC, threads=1
        )
        self._scaled = (picture.source, frame)
        return frame

    def _open(self, segment: int) -> None:
        self._encoder = VideoEncoder(self.rendition, self._codec_name, self._colour)
        self._packager = TrackPackager(
            self.rendition.name, self._encoder.template, VIDEO_TIME_BASE, first_segment=segment
        )
        self._collector.join(self.rendition.name, segment)

    def _keep_promise(self) -> None:
        """The last picture once more, where players wait for a part that the segment has nothing for."""
        if self._encoder is None or self._packager is None or self._scaled is None:
            return
        if (pts := self._packager.promised) is None:
            return
        duration = TICKS // self.rendition.fps
        self._end_pts = pts + duration
        for packet in self._encoder.encode(self._scaled[1], pts, idr=False):
            for part in self._packager.push(Sample(packet, pts, False, False, duration)):
                self._collector.add(part)

    def _close(self, until: int | None = None) -> None:
        if self._packager is not None:
            for part in self._packager.end(TICKS // self.rendition.fps, until):
                self._collector.add(part)
            self._collector.leave(self.rendition.name)
        self._packager = self._encoder = None
