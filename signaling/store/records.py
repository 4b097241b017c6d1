"""What the stores keep, as plain values. Times are aware UTC datetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sfu.stage import HostControls

__all__ = [
    "Account",
    "Asset",
    "Audience",
    "Direction",
    "Door",
    "Invite",
    "KnownHost",
    "NewStream",
    "NewToken",
    "StreamRecord",
    "StreamStatus",
    "Visibility",
]

StreamStatus = Literal["created", "scheduled", "live", "ended"]
Visibility = Literal["public", "unlisted", "private"]

Door = Literal["page", "whip"]
"""How a co-host comes on stage."""


@dataclass(frozen=True, slots=True)
class Account:
    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """An account token; the token itself is nowhere, only its hash."""

    token_hash: str
    account_id: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Audience:
    """How many watch, by the way they do."""

    webrtc: int = 0
    hls: int = 0

    @property
    def total(self) -> int:
        return self.webrtc + self.hls


@dataclass(frozen=True, slots=True)
class NewStream:
    stream_id: str
    broadcaster_id: str
    key_hash: str
    title: str
    category: str
    record: bool
    visibility: Visibility
    scheduled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A Stream as it is stored. The key itself is nowhere: only its hash, and that stays in the store."""

    stream_id: str
    broadcaster_id: str
    broadcaster_name: str
    title: str
    category: str
    record: bool
    visibility: Visibility
    status: StreamStatus
    scheduled_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    audience: Audience


@dataclass(frozen=True, slots=True)
class Asset:
    """An uploaded image of a stream, for its layouts to name."""

    stream_id: str
    asset_id: str
    width: int
    height: int
    size: int
    """Bytes of the file that is kept."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Invite:
    """The right of one co-host to enter a stage, once. The secret itself is nowhere, as with keys."""

    stream_id: str
    participant_id: str
    """As whom its holder enters."""
    name: str
    """Empty: the holder chooses."""
    expires_at: datetime
    used_from: Door | None = None


@dataclass(frozen=True, slots=True)
class Direction:
    """What the owner decided for a stage."""

    layout: Mapping[str, Any] = field(default_factory=lambda: {"layout": "grid"})
    """As ``PUT .../layout`` takes it."""
    controls: Mapping[str, HostControls] = field(default_factory=dict)
    """By participant id, the latest decision last."""


@dataclass(frozen=True, slots=True)
class KnownHost:
    """Whoever has entered a stage with a page."""

    stream_id: str
    participant_id: str
    name: str
