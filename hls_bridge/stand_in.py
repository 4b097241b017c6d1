"""A part in place of one that was announced and will never be made: a sample that is there already, again."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from hls_bridge.fragmented_mp4 import box, child

__all__ = ["StandIn", "stand_in"]


class _Sample(NamedTuple):
    """What tfhd gives for all samples of a fragment, and trun for each (ISO/IEC 14496-12 8.8.7, 8.8.8)."""

    duration: int
    size: int
    flags: int


_TFHD_BITS = _Sample(0x8, 0x10, 0x20)
_TRUN_BITS = _Sample(0x100, 0x200, 0x400)
_TFHD_BEFORE = ((0x1, 8), (0x2, 4))
"""Fields of tfhd before those, and their lengths: base_data_offset, sample_description_index."""
_DATA_OFFSET, _FIRST_SAMPLE_FLAGS, _COMPOSITION_OFFSET = 0x1, 0x4, 0x800


@dataclass(frozen=True, slots=True)
class StandIn:
    """One moof and mdat with one sample; times in ticks of the track."""

    data: bytes
    start: int
    duration: int


@dataclass(frozen=True, slots=True)
class _Fragment:
    mfhd: bytes
    tfhd: bytes
    start: int
    samples: list[_Sample]
    first: bytes
    """The first sample's data."""

    @property
    def end(self) -> int:
        return self.start + sum(sample.duration for sample in self.samples)


def stand_in(source: bytes, behind: bytes) -> StandIn:
    """The first sample of the part ``source`` where the part ``behind`` ends, for as long as it lasted there.

    It can be decoded in any place if it is an IDR or sound. Both are parts of one track, each of one moof
    with one run of samples and its mdat. Raises ValueError for what is not.
    """
    from_, start = _fragment(source), _fragment(behind).end
    sample = from_.samples[0]
    tfdt = box(b"tfdt", struct.pack(">IQ", 1 << 24, start))
    bits = _DATA_OFFSET | sum(_TRUN_BITS)
    # Five words and the box's own two; the data is behind the moof and the mdat's header.
    size = 8 + len(from_.mfhd) + 8 + len(from_.tfhd) + len(tfdt) + 8 + 6 * 4
    trun = box(b"trun", struct.pack(">6I", bits, 1, size + 8, *sample))
    moof = box(b"moof", from_.mfhd + box(b"traf", from_.tfhd + tfdt + trun))
    return StandIn(moof + box(b"mdat", from_.first), start, sample.duration)


def _fragment(part: bytes) -> _Fragment:
    moof = child(part, b"moof")
    if not part.startswith(moof):
        raise ValueError("a part must begin with its moof")
    traf = child(moof[8:], b"traf")[8:]
    tfhd = child(traf, b"tfhd")
    try:
        start = int.from_bytes(child(traf, b"tfdt")[12:], "big")
        offset, samples = _run(child(traf, b"trun"), _defaults(tfhd))
    except struct.error as error:
        raise ValueError(f"a fragment that is cut off: {error}") from error
    first = part[offset : offset + samples[0].size]
    if offset < len(moof) + 8 or len(first) < samples[0].size:
        raise ValueError("a sample outside of its part")
    return _Fragment(child(moof[8:], b"mfhd"), tfhd, start, samples, first)


def _defaults(tfhd: bytes) -> _Sample:
    bits = int.from_bytes(tfhd[9:12], "big")
    at = 16 + sum(length for bit, length in _TFHD_BEFORE if bits & bit)
    return _Sample(*_fields(tfhd, at, bits, _TFHD_BITS, _Sample(0, 0, 0))[0])


def _run(trun: bytes, defaults: _Sample) -> tuple[int, list[_Sample]]:
    """Where the data begins in the part, and the samples."""
    bits, count = struct.unpack_from(">II", trun, 8)
    if not bits & _DATA_OFFSET or not count:
        raise ValueError("a run of samples without data")
    (offset,) = struct.unpack_from(">i", trun, 16)
    at, first_flags = 20, defaults.flags
    if bits & _FIRST_SAMPLE_FLAGS:
        (first_flags,) = struct.unpack_from(">I", trun, at)
        at += 4
    samples = []
    for index in range(count):
        given = defaults if index else defaults._replace(flags=first_flags)
        values, at = _fields(trun, at, bits, _TRUN_BITS, given)
        samples.append(_Sample(*values))
        at += 4 if bits & _COMPOSITION_OFFSET else 0
    return offset, samples


def _fields(data: bytes, at: int, bits: int, present: _Sample, defaults: _Sample) -> tuple[list[int], int]:
    """Those that ``bits`` has, read from ``at`` on, the others' defaults; and where they end."""
    values = []
    for bit, value in zip(present, defaults, strict=True):
        if bits & bit:
            (value,) = struct.unpack_from(">I", data, at)
            at += 4
        values.append(value)
    return values, at
