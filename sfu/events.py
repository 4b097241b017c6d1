"""What the node tells whoever composes it."""

from __future__ import annotations

from dataclasses import dataclass

from sfu.media import Codec, Kind

__all__ = [
    "ProgramCodec",
    "StageChanged",
    "StreamEnded",
    "StreamEvent",
    "StreamLive",
    "StreamNotice",
    "TracksChanged",
    "ViewersChanged",
]


@dataclass(frozen=True, slots=True)
class StreamLive:
    """The first media of the Program flows."""

    stream_id: str


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """Nobody publishes to the Program any more and the grace period is over."""

    stream_id: str
    reason: str
    """``gone`` (grace period over), ``stopped`` (the publisher said so), ``revoked``, ``shutdown``."""


@dataclass(frozen=True, slots=True)
class ViewersChanged:
    """Viewers over WebRTC whose media path stands."""

    stream_id: str
    webrtc: int


@dataclass(frozen=True, slots=True)
class ProgramCodec:
    """The Program's audio or video has another codec than before."""

    stream_id: str
    codec: Codec

    @property
    def kind(self) -> Kind:
        return self.codec.kind


@dataclass(frozen=True, slots=True)
class TracksChanged:
    """A participant published, closed, began or stopped sending Tracks."""

    stream_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class StreamNotice:
    """Something the stream's owner should read, e.g. why a publisher was refused."""

    stream_id: str
    participant_id: str
    type: str
    """``resolution-refused``, ``bitrate-refused``, ``replaced``, ``no-common-codec``, ..."""
    text: str


@dataclass(frozen=True, slots=True)
class StageChanged:
    """Hosts, their tracks, mutes or gains, the layout, or who speaks."""

    stream_id: str


StreamEvent = (
    StreamLive | StreamEnded | ViewersChanged | ProgramCodec | TracksChanged | StreamNotice | StageChanged
)
