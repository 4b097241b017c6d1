"""What the mixer is told and what it tells: plain frozen data, so that any channel can carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mixer.layout import LayoutSpec
from mixer.sync import Delay
from mixer.timing import Spent, StageName
from sfu.media import Source

__all__ = [
    "ENCODERS",
    "AddAsset",
    "Event",
    "Message",
    "MixerConfig",
    "Problem",
    "Ready",
    "RemoveHost",
    "SetHost",
    "SetLayout",
    "SetSpeaker",
    "Stats",
    "VideoSource",
]


ENCODERS = ("h264_nvenc", "h264_qsv", "libx264")
"""FFmpeg's names, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class MixerConfig:
    """What a program looks like; fixed for the life of a mixer."""

    width: int = 1920
    height: int = 1080
    fps: Literal[30, 60] = 30
    bitrate_bps: int = 4_500_000
    """Target of the full encoding; the half-size one gets a quarter of it."""
    max_bitrate_bps: int = 6_000_000
    """What it may have in any second."""
    compositor: Literal["auto", "cpu", "cuda"] = "auto"
    encoders: tuple[str, ...] = ENCODERS
    """Tried in this order."""
    preset: str | None = None
    """x264's preset; None is superfast."""

    def __post_init__(self) -> None:
        if self.width % 4 or self.height % 4 or not (64 <= self.width <= 4096 and 64 <= self.height <= 4096):
            raise ValueError(f"{self.width} x {self.height}: both must be multiples of 4 from 64 to 4096")
        if self.fps not in (30, 60):
            raise ValueError(f"{self.fps} frames a second: give 30 or 60")


@dataclass(frozen=True, slots=True)
class VideoSource:
    """A video Track of a host."""

    source: Source
    rids: tuple[str, ...] = ()
    """Its encodings, if it has several; the mixer takes the one nearest to the host's rectangle."""


@dataclass(frozen=True, slots=True)
class SetHost:
    """A host came, or something about them changed. Sources that are gone are left, new ones tapped."""

    participant_id: str
    name: str
    sound: Source | None = None
    camera: VideoSource | None = None
    screen: VideoSource | None = None
    screen_sound: Source | None = None
    gain_db: float = 0.0
    sound_muted: bool = False
    video_muted: bool = False


@dataclass(frozen=True, slots=True)
class RemoveHost:
    participant_id: str


@dataclass(frozen=True, slots=True)
class SetLayout:
    """Includes who is pinned. A layout that names nobody on stage is answered by a Problem."""

    spec: LayoutSpec


@dataclass(frozen=True, slots=True)
class SetSpeaker:
    """Who talks now; None for nobody."""

    participant_id: str | None


@dataclass(frozen=True, slots=True)
class AddAsset:
    """An uploaded image for the next layout to name; kept as long as the layout names it."""

    asset_id: str
    data: bytes


Message = SetHost | RemoveHost | SetLayout | SetSpeaker | AddAsset


@dataclass(frozen=True, slots=True)
class Ready:
    """The program's tracks are published."""

    video_track_id: int
    sound_track_id: int
    encoder: str
    compositor: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something was refused or is missing; the show goes on."""

    code: str
    text: str
    participant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Once a second, counted since the last one."""

    frames: int
    skipped: int
    """Output frames left out because the machine was too slow."""
    delay: Delay
    """Of the host who is waited for longest."""
    spent: Mapping[StageName, Spent]


Event = Ready | Problem | Stats
