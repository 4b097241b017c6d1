"""Everything that lasts from one discontinuity to the next."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import av
from av.video.frame import VideoFrame

from hls_bridge.colour import Colour
from hls_bridge.encoder import PassthroughTrack
from hls_bridge.gop_watch import SEGMENT_US, SHORTEST_US
from hls_bridge.ladder import Ladder
from hls_bridge.pacer import Paced, Pacer
from hls_bridge.part import PART_US, EpochEnd, EpochStart, Event
from hls_bridge.rendition import base_tier, choose_ladder
from hls_bridge.rung import TICKS, Picture
from hls_bridge.sound_path import SoundPath

__all__ = ["Epoch"]

Mode = Literal["constant", "source"]


class Epoch:
    """``constant``: pictures at a constant rate, a segment every two seconds. ``source``: pictures at the
    source's times, segments at its IDRs, because its own H.264 is the top rung."""

    def __init__(
        self,
        frame: VideoFrame,
        fps: int,
        start_us: int,
        mode: Mode,
        passthrough: PassthroughTrack | None,
        sound: SoundPath,
        emit: Callable[[Event], None],
        *,
        wanted: Collection[str] | None,
        all_rungs: bool,
        codec_name: str | None,
        on_lowest: Callable[[av.VideoFrame, int], None],
        realtime: bool,
        source_number: int,
    ) -> None:
        """``frame`` is what is shown until the first picture of this epoch comes."""
        self.passthrough = passthrough
        self._emit = emit
        self._mode = mode
        self._fps = fps
        self._sound = sound
        size = (frame.width, frame.height)
        if passthrough is not None:
            size = (passthrough.sps.width, passthrough.sps.height)
        self._size = size
        self._colour = Colour.of(frame)
        renditions = choose_ladder(*size, fps, passthrough=passthrough is not None)
        base = {rendition.name for rendition in base_tier(renditions)}
        active = (
            {r.name for r in renditions} if all_rungs or "*" in (wanted or ()) else base | set(wanted or ())
        )
        self.ladder = Ladder(
            renditions,
            fps,
            emit,
            active=active,
            passthrough=passthrough,
            codec_name=codec_name,
            colour=self._colour,
            on_lowest=on_lowest,
            realtime=realtime,
        )
        # Even, so that rungs at half the rate meet the first slot too.
        self._first_slot = -(-start_us * fps // 2_000_000) * 2
        self._segment_slots = SEGMENT_US * fps // 1_000_000
        self._pacer: Pacer[tuple[VideoFrame, int]] = Pacer(fps, self._first_slot)
        if mode == "constant":
            start_us = self._first_slot * 1_000_000 // fps
            self._pacer.push((frame, source_number), start_us - 1_000_000 // fps)
        self._segment = -1
        self._cut_pending = False
        self._cut_us = start_us
        self._last_us = start_us
        self._last_unit_us = start_us - 1
        self._started = False
        sound.fill(start_us)
        tracks = (*self.ladder.specs, sound.restart(start_us))
        emit(EpochStart(tracks, start_us))
        if mode == "constant":
            sound.cut_at(start_us + SEGMENT_US)
            sound.know_until(start_us + SEGMENT_US + 1)

    def shows(self, frame: VideoFrame) -> bool:
        """Whether a picture fits the rungs: the same colours and shape, and hardly more detail."""
        w, h = self._size
        width, height = frame.width, frame.height
        return (
            Colour.of(frame) == self._colour
            and abs(width * h - height * w) <= 0.02 * w * height
            and (height <= h * 1.2 or max(h, height) <= 240)
        )

    def push_unit(self, data: bytes, at_us: int, *, keyframe: bool, cut: bool) -> None:
        """An access unit of the source, before it is decoded."""
        if self._mode != "source" or (not self._started and not cut):
            return
        self._started = True
        at_us = max(at_us, self._last_unit_us + 1)
        self._last_unit_us = at_us
        self._last_us = at_us
        if cut:
            self._cut_pending = True
            if self._segment >= 0:
                self._sound.cut_at(at_us)
            self._cut_us = at_us
        # No segment is shorter: its sound needn't wait for its pictures. Where they pause for longer than a
        # part, the epoch ends a part after the last one (`GopWatch.limit_us`), and its sound with it.
        shortest_us = min(self._cut_us + SHORTEST_US, at_us + PART_US)
        self._sound.know_until(max(at_us, shortest_us))
        self.ladder.push_source(data, _ticks(at_us), keyframe=keyframe, begins_segment=cut)

    def push_picture(self, frame: VideoFrame, at_us: int, number: int) -> None:
        """A decoded picture; ``number`` identifies it."""
        if self._mode == "constant":
            for paced in self._pacer.push((frame, number), at_us):
                self._show(paced)
            return
        if not self._started:
            return
        begins, self._cut_pending = self._cut_pending, False
        if begins:
            self._segment += 1
        pts = _ticks(self._last_unit_us)
        self.ladder.push(Picture(frame, pts, self._segment, begins, number))

    def tick(self, now_us: int, awake_us: int) -> None:
        """Time passes: repeat the picture where a new one should have come. Both times as `Attention` has
        them."""
        self.ladder.tick(awake_us)
        if self._mode == "constant":
            for paced in self._pacer.tick(now_us):
                self._show(paced)

    def end(self, until_us: int | None = None) -> int:
        """End all tracks at one time; returns it. ``until_us``: sound that lies later is the next epoch's,
        and a picture that is timed by the source lasts until then, but no longer than a part."""
        self._emit(EpochEnd())
        pictures_us = self.ladder.end(until_us)
        end_us = max(self._last_us, pictures_us) if until_us is None else until_us
        self._sound.fill(end_us)
        self._sound.end(until_us)
        return end_us

    def _show(self, paced: Paced[tuple[VideoFrame, int]]) -> None:
        place = paced.slot - self._first_slot
        segment, offset = divmod(place, self._segment_slots)
        next_cut_slot = paced.slot - offset + self._segment_slots
        if segment > self._segment:
            self._segment = segment
            next_cut_us = next_cut_slot * 1_000_000 // self._fps
            if segment > 0:
                self._sound.cut_at(next_cut_us)
            self._sound.know_until(next_cut_us + 1)
        frame, number = paced.picture
        pts = paced.slot * TICKS // self._fps
        self._last_us = (paced.slot + 1) * 1_000_000 // self._fps
        self.ladder.push(Picture(frame, pts, segment, offset == 0, number, paced.slot, next_cut_slot))


def _ticks(us: int) -> int:
    return us * 9 // 100
