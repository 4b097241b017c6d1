"""JSON shapes of the HTTP and Socket.IO interface; the OpenAPI document is made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from signaling.fields import Answer, Category, Count, Fraction, Gain, Name, Request, Time, Title
from signaling.store.records import Audience, StreamStatus, Visibility

__all__ = [
    "AccountCreated",
    "Credentials",
    "DiscoverQuery",
    "HostChange",
    "InviteCreated",
    "KeyRotated",
    "Layout",
    "NewAccount",
    "NewInvite",
    "NewPlaybackToken",
    "NewStreamRequest",
    "OwnStreamsQuery",
    "Playback",
    "PlaybackToken",
    "ProblemDocument",
    "Readiness",
    "StageParticipant",
    "StageView",
    "StreamChange",
    "StreamCreated",
    "StreamPage",
    "StreamView",
    "TokenIssued",
    "Viewers",
]


class ProblemDocument(Answer):
    """RFC 9457; further members depend on the type."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class NewAccount(Request):
    name: Name
    # NIST SP 800-63B section 3.1.1: at least 8; hashing more than 256 letters is work for nothing.
    password: Annotated[str, StringConstraints(min_length=8, max_length=256)]


class AccountCreated(Answer):
    account_id: str
    name: str
    token: str
    expires_at: datetime


class Credentials(Request):
    name: Annotated[str, StringConstraints(max_length=256)]
    password: Annotated[str, StringConstraints(max_length=256)]


class TokenIssued(Answer):
    token: str
    expires_at: datetime


class NewStreamRequest(Request):
    title: Title
    category: Category
    record: bool = True
    scheduled_at: Time | None = None
    visibility: Visibility = "public"


class StreamChange(Request):
    """Members that are there are changed; ``scheduled_at: null`` takes the time away."""

    title: Title = ""
    category: Category = ""
    record: bool = True
    scheduled_at: Time | None = None
    visibility: Visibility = "public"


class Viewers(Answer):
    """``total`` is ``webrtc`` and ``hls`` together."""

    total: Count
    webrtc: Count
    hls: Count

    @classmethod
    def of(cls, audience: Audience) -> Viewers:
        return cls(total=audience.total, webrtc=audience.webrtc, hls=audience.hls)


class StreamView(Answer):
    """A Stream as anybody who may watch it sees it; never with its key."""

    stream_id: str
    broadcaster_id: str
    broadcaster_name: str
    title: str
    category: str
    status: StreamStatus
    visibility: Visibility
    record: bool
    recording: bool
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    viewers: Viewers
    thumbnail_url: str | None
    watch_url: str


class Ingest(Answer):
    """Where to publish. Null: that listener doesn't run on this node."""

    stream_key: str
    ingest_url: str | None
    backup_ingest_url: str | None
    srt_url: str | None
    whip_url: str | None


class StreamCreated(StreamView, Ingest):
    """The only answer that holds the key, but for its rotation."""

    whep_url: str | None
    manifest_url: str | None


class KeyRotated(Ingest):
    stream_id: str


class DiscoverQuery(Request):
    category: Category | None = None
    sort: Literal["viewers", "recent"] = "viewers"
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: str | None = None


class OwnStreamsQuery(Request):
    owner: Literal["me"]
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: str | None = None


class StreamPage(Answer):
    streams: list[StreamView]
    next_cursor: str | None


class Playback(Answer):
    """How to watch right now; reserves nothing. Full without HLS: ``offline`` with reason ``full``.
    ``dvr_url``: the window to seek in, null where there is none."""

    mode: Literal["webrtc", "hls", "offline"]
    whep_url: str | None
    manifest_url: str | None
    dvr_url: str | None
    reason: Literal["seat", "full", "offline"]


class NewPlaybackToken(Request):
    # At most a month; an hour where none is named.
    ttl_s: Annotated[int, Field(ge=1, le=31 * 86400)] = 3600


class PlaybackToken(Answer):
    token: str
    expires_at: datetime
    watch_url: str
    whep_url: str | None
    manifest_url: str | None


class NewInvite(Request):
    name: Name | None = None
    # At most a month; a day where none is named: made in the evening for the next evening.
    ttl_s: Annotated[int, Field(ge=1, le=31 * 86400)] = 86400


class InviteCreated(Answer):
    """The only answer that holds the invite."""

    invite: str
    expires_at: datetime
    studio_url: str
    whip_url: str | None


class Tile(Request):
    """A host's rectangle in a custom layout, in fractions of the picture."""

    participant_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    x: Fraction
    y: Fraction
    w: Fraction
    h: Fraction
    z: Annotated[int, Field(ge=-1000, le=1000)] = 0
    fit: Literal["cover", "contain"] = "cover"
    radius: Fraction = 0.0
    source: Literal["camera", "screen"] = "camera"


class AssetView(Answer):
    """An uploaded image, as it is kept: scaled down to 1920 pixels at most."""

    asset_id: str
    width: int
    height: int
    size: int
    created_at: datetime


class AssetList(Answer):
    assets: list[AssetView]


class LowerThird(Request):
    text: Annotated[str, StringConstraints(max_length=200)]


class Layout(Request):
    layout: Literal["grid", "spotlight", "side-by-side", "picture-in-picture", "custom"]
    pinned: Annotated[str, StringConstraints(max_length=64)] | None = None
    tiles: Annotated[list[Tile], Field(max_length=32)] | None = None
    background: Annotated[str, StringConstraints(max_length=64)] | None = None
    logo: Annotated[str, StringConstraints(max_length=64)] | None = None
    lower_third: LowerThird | None = None


class HostAudio(Answer):
    muted: bool
    gain_db: float


class HostVideo(Answer):
    muted: bool


class HostTrack(Answer):
    track_id: str
    kind: Literal["audio", "video"]
    source: Literal["camera", "microphone", "screen", "screen-audio", "mixer", "ingest"]
    flowing: bool


class StageParticipant(Answer):
    participant_id: str
    name: str
    role: Literal["owner", "co-host"]
    audio: HostAudio
    video: HostVideo
    tracks: list[HostTrack]
    speaking: bool


class StageView(Answer):
    participants: list[StageParticipant]
    layout: Layout
    tiles: list[Tile]
    """Where the program has the hosts who send, whatever the layout is called; back to front."""


class HostAudioChange(Request):
    muted: bool | None = None
    gain_db: Gain | None = None


class HostVideoChange(Request):
    muted: bool | None = None


class HostChange(Request):
    """``muted`` and ``gain_db`` are the microphone's; ``video.muted`` is the picture's."""

    muted: bool | None = None
    gain_db: Gain | None = None
    audio: HostAudioChange | None = None
    video: HostVideoChange | None = None


class Readiness(Answer):
    """``degraded`` names what doesn't work though the node does."""

    status: Literal["ready", "draining", "failed"]
    degraded: list[str]
    roles: list[str]
