"""One host's picture as the program wants it: the right one for a moment on our clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from mixer.composite.picture import Picture
from mixer.decode import Decoded, DeviceDecoding, VideoDecoder
from mixer.sync import HostSync, TrackClock
from sfu.depacketize import AccessUnit, Depacketizer, depacketizer
from sfu.media import TapBatch

__all__ = ["FROZEN_US", "Shown", "VideoInput", "choose_encoding"]

FROZEN_US = 2_000_000
# Half a second at 30 fps; more than the largest delay holds would only be memory.
MAX_QUEUED = 16
RESTART_US = 2_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """What to draw: a picture, or None (a card) before the first and when nothing came for 2 s."""

    picture: Picture | None
    frozen: bool
    waited_us: float | None = None
    """Since the earliest moment at which it could have arrived; None for one that was shown before."""


class VideoInput:
    """Three steps, since the middle one is heavy: ``units`` and ``add`` on the event loop's thread,
    `decode` anywhere, ``at`` on the compositor's thread."""

    def __init__(self, sync: HostSync, device: DeviceDecoding | None = None) -> None:
        self._sync = sync
        self._device = device
        self._lock = Lock()
        self._queue: deque[tuple[TrackClock, int, Picture]] = deque()
        self._shown: Picture | None = None
        self._shown_at_us = 0
        self._track: TrackClock | None = None
        self._depacketizer: Depacketizer | None = None
        self._decoder: VideoDecoder | None = None
        self._codec = ""
        self._generation: int | None = None
        self._last: tuple[int, int] | None = None
        self.sizes: dict[str, tuple[int, int]] = {}
        """Picture size by rid, of the encodings seen so far."""

    def units(self, batch: TapBatch, now_us: int) -> list[AccessUnit]:
        """Depacketise a batch. Raises UnsupportedCodec or UnsupportedVideo."""
        if (
            batch.generation != self._generation
            or batch.codec.name != self._codec
            or self._depacketizer is None
        ):
            self._depacketizer = depacketizer(batch.codec)
            if batch.codec.name != self._codec or self._decoder is None:
                self._decoder = VideoDecoder(batch.codec, self._device)
            self._generation, self._codec = batch.generation, batch.codec.name
            self._restart()
        units = self._depacketizer.push(batch.packets, now_us)
        for unit in units:
            if unit.width and unit.height:
                self.sizes[batch.rid] = unit.width, unit.height
            if self._last is not None:
                leap = (unit.rtp_time - self._last[0]) / 0.09 - (unit.arrival_us - self._last[1])
                if abs(leap) > RESTART_US:
                    self._restart()
            self._last = unit.rtp_time, unit.arrival_us
        if units and self._track is None:
            self._track = self._sync.add_video()
        if batch.report is not None and self._track is not None:
            self._track.report(batch.report)
        return units

    def decode(self, units: Sequence[AccessUnit], now_us: int) -> Decoded:
        """See `VideoDecoder.decode`. One call at a time."""
        assert self._decoder is not None
        return self._decoder.decode(units, now_us)

    def add(self, units: Sequence[AccessUnit], decoded: Decoded, ready_us: int) -> None:
        """Queue what was decoded; ``ready_us`` is when it was done."""
        track = self._track
        if track is None:
            return
        # Behind a packet that never came all of them waited in vain: no delay would have repaired that, so
        # only what decoding took counts.
        in_vain = any(unit.lost_before for unit in units)
        spent_us = max(ready_us - max((unit.arrival_us for unit in units), default=ready_us), 0)
        for unit in units:
            ready = unit.arrival_us + spent_us if in_vain else max(ready_us, unit.arrival_us)
            track.observe(unit.rtp_time, unit.arrival_us, ready)
        with self._lock:
            self._queue.extend((track, rtp_time, picture) for rtp_time, picture in decoded.pictures)
            while len(self._queue) > MAX_QUEUED:
                self._show(self._queue.popleft()[2], ready_us)

    def at(self, now_us: int) -> Shown:
        """The picture to present at ``now_us``: the newest that is due; held when the next is late."""
        due_us = now_us - self._sync.delay_us(now_us)
        waited_us: float | None = None
        with self._lock:
            while self._queue:
                track, rtp_time, picture = self._queue[0]
                earliest_us = track.local_us(rtp_time)
                if earliest_us > due_us or not (self._shown or track.settled(now_us)):
                    break
                self._queue.popleft()
                self._show(picture, now_us)
                waited_us = now_us - earliest_us
            frozen = self._shown is not None and now_us - self._shown_at_us > FROZEN_US
            return Shown(None if frozen else self._shown, frozen, waited_us)

    def close(self) -> None:
        self._restart()

    def _show(self, picture: Picture, now_us: int) -> None:
        self._shown, self._shown_at_us = picture, now_us

    def _restart(self) -> None:
        if self._track is not None:
            self._sync.remove(self._track)
        self._track, self._last = None, None


# Usual sizes of the layers against the largest, where only some have been seen.
_SCALES = {"h": 1.0, "f": 1.0, "m": 0.5, "q": 0.25, "l": 0.25}
# A picture may be enlarged by a tenth before the next larger layer is worth its decoding.
SUFFICIENT = 0.9


def choose_encoding(
    rids: Sequence[str], seen: Mapping[str, tuple[int, int]], wanted: tuple[int, int], current: str | None
) -> str | None:
    """The rid whose pictures come nearest to a rectangle of ``wanted`` (width, height) pixels.

    The smallest that need not be enlarged by more than a tenth, else the largest. The current one stays
    while it is no larger than twice what is needed and no smaller than four fifths, so that a moving
    rectangle does not switch back and forth. None when there is nothing to choose.
    """
    if len(rids) < 2:
        return None
    full = max((h / _SCALES.get(rid, 1.0) for rid, (_, h) in seen.items()), default=720.0)
    ratio = next((w / h for w, h in seen.values()), 16 / 9)
    heights = {rid: seen[rid][1] if rid in seen else full * _SCALES.get(rid, 1.0) for rid in rids}
    need = max(wanted[1], wanted[0] / ratio)
    by_height = sorted(rids, key=lambda rid: heights[rid])
    best = next((rid for rid in by_height if heights[rid] >= need * SUFFICIENT), by_height[-1])
    if current in heights and need * 0.8 <= heights[current] <= max(heights[best], need * 1.25):
        return current
    return best
