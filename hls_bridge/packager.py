"""Packets to CMAF parts. `PartCutter` decides, `PartMuxer` writes; neither knows a clock or a socket."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.stream import Stream

from hls_bridge.part import Part

__all__ = ["AUDIO_PART_US", "PART_US", "PartCutter", "PartMuxer", "Sample", "TrackPackager"]

PART_US = 333_334
"""Ten frames at 30 a second, rounded up."""
AUDIO_PART_US = 341_334
"""Sixteen AAC frames at 48 kHz, rounded up."""
_PART = {
    "movflags": "frag_custom+empty_moov+default_base_moof+frag_discont+skip_trailer",
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

    With durations known the part leaves with its last sample; without, one sample is held back until
    the next one says how long it lasts.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: list[Sample] = []
        self._held: Sample | None = None
        self._segment = 0
        self._index = 0

    @property
    def segment(self) -> int:
        """The segment that the next sample goes into (held samples aside)."""
        return self._segment

    def push(self, sample: Sample) -> list[CutPart]:
        out: list[CutPart] = []
        if (held := self._held) is not None:
            self._held = None
            held.duration = max(1, sample.pts - held.pts)
            held.ends_segment = sample.begins_segment
            self._add(held, out)
        if sample.duration is None:
            self._held = sample
        else:
            self._add(sample, out)
        return out

    def end(self, duration: int) -> list[CutPart]:
        """The epoch ends: a held sample lasts ``duration``, what is open becomes the last part."""
        out: list[CutPart] = []
        if (held := self._held) is not None:
            self._held = None
            held.duration, held.ends_segment = duration, True
            self._add(held, out)
        if self._open:
            out.append(self._close(last=True))
        return out

    def _add(self, sample: Sample, out: list[CutPart]) -> None:
        assert sample.duration is not None
        end = sample.pts + sample.duration
        if self._open and end - self._open[0].pts > self._target:
            out.append(self._close(last=False))
        self._open.append(sample)
        # The next sample lasts as long as this one, as far as one knows: if it no longer fits, go now.
        if sample.ends_segment or end + sample.duration - self._open[0].pts > self._target:
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
        """A moof and its mdat; what the muxer writes before (ftyp and moov) is dropped."""
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
        return data[_first_moof(data) :]


def _first_moof(data: bytes) -> int:
    """Offset of the first moof box (ISO/IEC 14496-12 section 4.2)."""
    at = 0
    while at + 8 <= len(data):
        if data[at + 4 : at + 8] == b"moof":
            return at
        at += max(8, int.from_bytes(data[at : at + 4], "big"))
    raise ValueError("the muxer wrote no fragment")


class TrackPackager:
    """Samples of one track in, finished parts out."""

    def __init__(self, name: str, template: Stream, time_base: Fraction, *, first_segment: int = 0) -> None:
        self._name = name
        self._ticks = time_base.denominator
        target_us = AUDIO_PART_US if template.type == "audio" else PART_US
        self._cutter = PartCutter(target_us * self._ticks // 1_000_000)
        self._muxer = PartMuxer(template, time_base)
        self._first_segment = first_segment
        self._sound = template.type == "audio"

    def push(self, sample: Sample) -> list[Part]:
        return [self._part(cut) for cut in self._cutter.push(sample)]

    def end(self, duration: int) -> list[Part]:
        return [self._part(cut) for cut in self._cutter.end(duration)]

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
