"""What the bridge's worker hands to the origin: tracks with their init segments, and parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AUDIO_PART_US",
    "PART_US",
    "EpochEnd",
    "EpochStart",
    "Event",
    "Part",
    "PartGroup",
    "Thumbnail",
    "TrackSpec",
    "TrackStart",
    "TrackStop",
]

PART_US = 333_334
"""PART-TARGET of pictures: ten frames at 30 a second, rounded up."""
AUDIO_PART_US = 341_334
"""PART-TARGET of sound: sixteen AAC frames at 48 kHz, rounded up."""


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """One track of an epoch as players see it; ``init`` is its CMAF init segment."""

    name: str
    kind: Literal["video", "audio"]
    codec: str
    bitrate_bps: int
    init: bytes
    width: int = 0
    height: int = 0
    fps: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class EpochStart:
    """From here on until the next one all tracks are continuous; players see a discontinuity.

    Segments of an epoch are numbered from 0, alike in all tracks.
    """

    tracks: tuple[TrackSpec, ...]
    start_us: int
    """Where segment 0 begins on the time line (the node's monotonic clock)."""


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """Of this epoch only the open parts are still to come: the name of what follows them is not known yet."""


@dataclass(frozen=True, slots=True)
class TrackStart:
    """A rung that joins in the middle of an epoch, with ``segment`` as its first."""

    track: TrackSpec
    segment: int


@dataclass(frozen=True, slots=True)
class TrackStop:
    """A rung that ends; nothing of it comes any more."""

    name: str


@dataclass(frozen=True, slots=True)
class Part:
    """One moof and mdat."""

    track: str
    segment: int
    index: int
    start_us: int
    duration_us: int
    independent: bool
    """Begins with an IDR; always true for sound."""
    last: bool
    """The segment ends with this part."""
    data: bytes


@dataclass(frozen=True, slots=True)
class PartGroup:
    """Parts that belong together, to be published in one turn: one of each rung, or one of sound."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG of the picture at ``at_us``."""

    at_us: int
    jpeg: bytes


Event = EpochStart | EpochEnd | TrackStart | TrackStop | PartGroup | Thumbnail
