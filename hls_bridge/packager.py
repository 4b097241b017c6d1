"""Packets to CMAF parts. `PartCutter` decides, `PartMuxer` writes; neither knows a clock or a socket."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.stream import Stream

from hls_bridge.gop_watch import SHORTEST_US
from hls_bridge.part import AUDIO_PART_US, PART_US, Part

__all__ = ["PartCutter", "PartMuxer", "Sample", "TrackPackager"]

# cmaf: each fragment names its sample description, which a recording's MP4 numbers anew.
_PART = {
    "movflags": "cmaf+frag_custom+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}


@dataclass(slots=True)
class Sample:
    """One encoded frame on its way into a part; times in ticks of its track's time base."""

    packet: av.Packet[Any]
    pts: int
    keyframe: bool
    begins_segment: bool
    duration: int | None = None
    """None: known only when the next sample comes."""
    ends_segment: bool = False
    """Known ahead (constant frame rate, sound); else the next sample's ``begins_segment`` tells."""


@dataclass(frozen=True, slots=True)
class CutPart:
    """Samples of one part."""

    samples: tuple[Sample, ...]
    segment: int
    index: int
    last: bool


class PartCutter:
    """Groups samples so that no part is longer than the target and each segment begins a part.

    A source whose pictures pause for longer than a part doesn't pass through (`GopWatch`). Where one sample
    would be too long all the same, the next one is moved to where the part ends. One that begins a segment
    isn't: its segment could then be longer than EXT-X-TARGETDURATION allows.

    With durations known the part leaves with its last sample. Without, one sample is held back until the next
    one says how long it lasts; only where the rate is steady and no segment can end yet, the sample that
    fills a part is taken to last as long as the others, and the next one begins where it ends.
    """

    def __init__(self, target: int, shortest_segment: int = 0) -> None:
        """``shortest_segment``: no sample begins a segment before the last one is this long."""
        self._target = target
        self._shortest_segment = shortest_segment
        self._open: list[Sample] = []
        self._held: Sample | None = None
        self._segment = 0
        self._index = 0
        self._segment_pts = 0
        self._end = 0
        """Of the sample that was added last."""
        self._next_pts: int | None = None
        """Where the sample must begin that follows one whose length was foretold."""
        self._elastic = False
        """Samples come without durations, so one may be a little shorter than the source's."""

    @property
    def segment(self) -> int:
        """The segment that the next sample goes into (held samples aside)."""
        return self._segment

    @property
    def promised(self) -> int | None:
        """Where a part of the segment must begin of which there is no sample yet (None: no such part):
        players have its name, and some take it for an error when it doesn't come."""
        return self._end if self._index > 0 and not self._open and self._held is None else None

    def push(self, sample: Sample) -> list[CutPart]:
        """Parts that are whole now. Moves ``sample`` to where the one before it ends, where that is of a
        length that the source didn't give it."""
        out: list[CutPart] = []
        self._elastic = sample.duration is None
        if self._next_pts is not None:
            sample.pts, self._next_pts = self._following(sample, self._next_pts), None
            if sample.begins_segment:
                self._segment, self._index = self._segment + 1, 0
        if (held := self._held) is not None:
            self._held = None
            held.duration = min(self._fitted(held.pts, max(1, sample.pts - held.pts)), self._target)
            sample.pts = self._following(sample, held.pts + held.duration)
            held.ends_segment = sample.begins_segment
            self._add(held, out)
        if sample.duration is None and not self._foretell(sample):
            self._held = sample
        else:
            self._add(sample, out)
        return out

    def end(self, duration: int, until: int | None = None) -> list[CutPart]:
        """The epoch ends: a held sample lasts ``duration``, or to ``until``; what is open becomes the last
        part."""
        out: list[CutPart] = []
        if (held := self._held) is not None:
            self._held = None
            lasts = duration if until is None else max(1, until - held.pts)
            held.duration, held.ends_segment = min(lasts, self._target), True
            self._add(held, out)
        if self._open:
            out.append(self._close(last=True))
        return out

    def _following(self, sample: Sample, end: int) -> int:
        """Where a sample begins behind one that ends at ``end``: there, jitter or pause."""
        paused = sample.pts - end > self._target // 8
        return sample.pts if sample.begins_segment and paused else end

    def _foretell(self, sample: Sample) -> bool:
        """Give the sample that fills a part the others' duration, if one can be sure of it."""
        steps = [each.duration or 0 for each in self._open]
        if not steps or 4 * (max(steps) - min(steps)) > steps[-1]:
            return False
        duration = self._fitted(sample.pts, steps[-1])
        end = sample.pts + duration
        if not self._full(end, steps[-1]) or end - self._segment_pts >= self._shortest_segment:
            return False
        sample.duration, self._next_pts = duration, end
        return True

    def _fitted(self, pts: int, duration: int) -> int:
        """The duration, shortened by up to an eighth where the part would otherwise be too long: ten frames
        of a source at 30 a second are the target or a little more, as its clock and ours go."""
        room = self._open[0].pts + self._target - pts if self._open else duration
        return room if self._elastic and room < duration <= room * 8 // 7 else duration

    def _full(self, end: int, duration: int) -> bool:
        """Whether no sample of this duration fits behind ``end``."""
        return end + self._fitted(end, duration) - self._open[0].pts > self._target

    def _add(self, sample: Sample, out: list[CutPart]) -> None:
        assert sample.duration is not None
        end = sample.pts + sample.duration
        if self._open and end - self._open[0].pts > self._target:
            out.append(self._close(last=False))
        if not self._open and self._index == 0:
            self._segment_pts = sample.pts
        self._open.append(sample)
        self._end = end
        # The next sample lasts as long as this one, as far as one knows: if it no longer fits, go now.
        if sample.ends_segment or self._full(end, sample.duration):
            out.append(self._close(last=sample.ends_segment))

    def _close(self, *, last: bool) -> CutPart:
        part = CutPart(tuple(self._open), self._segment, self._index, last)
        self._open = []
        self._index += 1
        if last:
            self._segment += 1
            self._index = 0
        return part


class PartMuxer:
    """Writes parts with a throw-away muxer each: no state to leak from one part into the next."""

    def __init__(self, template: Stream, time_base: Fraction) -> None:
        self._template = template
        self._time_base = time_base
        self._count = 0

    def mux(self, samples: tuple[Sample, ...]) -> bytes:
        """A moof and its mdat; what the muxer writes before (ftyp and moov) is dropped.

        Raises ValueError for a sample without data: the muxer leaves it out, and a part of nothing else would
        have no moof (mov_write_packet in FFmpeg's movenc.c)."""
        if any(sample.packet.size == 0 for sample in samples):
            raise ValueError("a sample without data can't be in a part")
        self._count += 1
        written = io.BytesIO()
        options = {**_PART, "fragment_index": str(self._count)}
        with av.open(written, "w", format="mp4", options=options) as container:
            stream = container.add_stream_from_template(self._template)
            stream.time_base = self._time_base
            for sample in samples:
                packet = sample.packet
                packet.stream = stream
                packet.pts = packet.dts = sample.pts
                packet.duration = sample.duration or 0
                packet.time_base = self._time_base
                container.mux(packet)
        data = written.getvalue()
        at = _first_moof(data)
        if at is None:
            times = [(sample.pts, sample.duration, sample.packet.size) for sample in samples]
            raise ValueError(f"no moof in the muxer's {len(data)} bytes for (pts, duration, size) {times}")
        return data[at:]


def _first_moof(data: bytes) -> int | None:
    """Offset of the first moof box (ISO/IEC 14496-12 section 4.2)."""
    at = 0
    while at + 8 <= len(data):
        if data[at + 4 : at + 8] == b"moof":
            return at
        at += max(8, int.from_bytes(data[at : at + 4], "big"))
    return None


class TrackPackager:
    """Samples of one track in, finished parts out."""

    def __init__(self, name: str, template: Stream, time_base: Fraction, *, first_segment: int = 0) -> None:
        self._name = name
        self._ticks = time_base.denominator
        target_us = AUDIO_PART_US if template.type == "audio" else PART_US
        shortest = SHORTEST_US * self._ticks // 1_000_000
        self._cutter = PartCutter(target_us * self._ticks // 1_000_000, shortest)
        self._muxer = PartMuxer(template, time_base)
        self._first_segment = first_segment
        self._sound = template.type == "audio"

    @property
    def promised(self) -> int | None:
        """As the cutter's."""
        return self._cutter.promised

    def push(self, sample: Sample) -> list[Part]:
        return [self._part(cut) for cut in self._cutter.push(sample)]

    def end(self, duration: int, until: int | None = None) -> list[Part]:
        return [self._part(cut) for cut in self._cutter.end(duration, until)]

    def _part(self, cut: CutPart) -> Part:
        first, last = cut.samples[0], cut.samples[-1]
        start_us = first.pts * 1_000_000 // self._ticks
        end_us = (last.pts + (last.duration or 0)) * 1_000_000 // self._ticks
        return Part(
            self._name,
            self._first_segment + cut.segment,
            cut.index,
            start_us,
            end_us - start_us,
            first.keyframe or self._sound,
            cut.last,
            self._muxer.mux(cut.samples),
        )
