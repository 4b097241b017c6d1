"""JSON shapes of the HTTP and Socket.IO interface; the OpenAPI document is made from them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from signaling.store.records import Audience, StreamStatus, Visibility

__all__ = [
    "AccountCreated",
    "Credentials",
    "DiscoverQuery",
    "Health",
    "KeyRotated",
    "NewAccount",
    "NewPlaybackToken",
    "NewStreamRequest",
    "OwnStreamsQuery",
    "Playback",
    "PlaybackToken",
    "ProblemDocument",
    "Readiness",
    "StreamChange",
    "StreamCreated",
    "StreamPage",
    "StreamView",
    "TokenIssued",
    "Viewers",
]


def _printable(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") for letter in text):
        raise ValueError("control characters are not allowed")
    return text


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
Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Count = Annotated[int, Field(ge=0)]


class Request(BaseModel):
    """What a client sends. Members that we don't know are refused: they are mistakes more often than not."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


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
    """How to watch right now; reserves nothing. Full without HLS: ``offline`` with reason ``full``."""

    mode: Literal["webrtc", "hls", "offline"]
    whep_url: str | None
    manifest_url: str | None
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


class Health(Answer):
    status: Literal["ok"]


class Readiness(Answer):
    """``degraded`` names what doesn't work though the node does."""

    status: Literal["ready", "draining", "failed"]
    degraded: list[str]
    roles: list[str]
