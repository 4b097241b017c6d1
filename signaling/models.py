"""JSON shapes of the HTTP and Socket.IO interface; the OpenAPI document is made from them."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

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


RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _printable(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") for letter in text):
        raise ValueError("control characters are not allowed")
    return text


def _rfc_3339(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("a time as RFC 3339 writes it, with its zone: 2030-12-31T20:00:00Z")
    return value


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside the years 1 to 9999") from None


def _text(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


Name = Annotated[str, _text(64), AfterValidator(_printable)]
Title = Annotated[str, _text(200), AfterValidator(_printable)]
Category = Annotated[str, _text(64), AfterValidator(_printable)]
Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc_3339), AfterValidator(_utc)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# Below -60 dB nobody hears anything, 20 dB is ten times as loud.
Gain = Annotated[float, Field(ge=-60, le=20, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Request(BaseModel):
    """What a client sends. Members that we don't know are refused: they are mistakes more often than not;
    so are values of another type than the documented one, as ``"yes"`` for true."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Answer(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


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
    # Half a minute to a month.
    ttl_s: Annotated[int, Field(ge=1, le=31 * 86400)] = 3600


class PlaybackToken(Answer):
    token: str
    expires_at: datetime
    watch_url: str
    whep_url: str | None
    manifest_url: str | None


class NewInvite(Request):
    name: Name | None = None
    # A minute to a month; a day: made in the evening for the next evening.
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
