"""What server-side participants exchange with the router: codecs, RTP batches, taps and injectors.

A participant in the node's own process and one in a worker process behind a Relay see the same
types; neither needs the engine to import this module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = [
    "Codec",
    "Encoding",
    "Injector",
    "Kind",
    "Participant",
    "ParticipantClosed",
    "RtpPacket",
    "SenderReport",
    "Source",
    "Tap",
    "TapBatch",
    "TrackInfo",
]

Kind = Literal["audio", "video"]


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec as SDP describes it (RFC 8866 rtpmap and fmtp)."""

    name: str
    """SDP encoding name: ``H264``, ``VP8``, ``VP9``, ``AV1``, ``opus``, ``red``."""
    clock_rate: int
    """RTP clock in Hz: 90000 for video, 48000 for Opus."""
    channels: int = 1
    fmtp: Mapping[str, str] = field(default_factory=dict)
    """Format parameters, keys in lower case, e.g. ``{"packetization-mode": "1"}``."""

    @property
    def kind(self) -> Kind:
        return "audio" if self.name.lower() in ("opus", "red") else "video"


@dataclass(frozen=True, slots=True)
class Encoding:
    """One simulcast layer of a Track (RFC 8853)."""

    rid: str = ""
    """RID of the layer (``h``, ``m``, ``l``); empty for a Track with a single encoding."""
    max_bitrate_bps: int | None = None


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """What is known of a Track without looking at its packets."""

    track_id: int
    kind: Kind
    codec: Codec
    encodings: tuple[Encoding, ...]
    participant_id: str
    source: Literal["camera", "microphone", "screen", "screen-audio", "mixer", "ingest"] = "camera"


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550), decrypted, without header extensions and padding."""

    sequence: int
    """16-bit sequence number as sent by the source; gaps are losses."""
    timestamp: int
    """32-bit RTP time in the codec's clock."""
    marker: bool
    payload: bytes
    arrival_us: int = 0
    """Arrival in microseconds of the engine's monotonic clock; 0 on packets to inject."""
    audio_level: int | None = None
    """-dBov, 0 (loudest) to 127, with voice activity in bit 7 (RFC 6464), when the sender gives it."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """Ties an RTP time to the sender's wall clock (RFC 3550 section 6.4.1)."""

    ntp: int
    """64-bit NTP time: seconds since 1900 in the upper 32 bits, fraction in the lower."""
    rtp_time: int
    arrival_us: int = 0


@dataclass(frozen=True, slots=True)
class TapBatch:
    """Packets in order of arrival, all of one encoding of one source."""

    codec: Codec
    rid: str
    generation: int
    """Rises by one whenever sequence numbers and timestamps start anew: the source was re-pointed to
    another Track, the encoding switched, or the publisher restarted."""
    packets: Sequence[RtpPacket]
    report: SenderReport | None = None
    """The newest sender report of this encoding, None until one has come."""
    dropped: int = 0
    """Packets lost to overflow of the tap's queue since the last batch: the reader was too slow."""


class Tap(Protocol):
    """A Subscription whose packets come to Python, as an asyncio iterator of batches.

    Iteration ends when the source is gone for good or the tap is closed. A tap begins with the
    history since the last keyframe when there is one, otherwise it asks for a keyframe itself.
    """

    def __aiter__(self) -> AsyncIterator[TapBatch]: ...

    def request_keyframe(self) -> None:
        """Ask the source for a keyframe; coalesced to at most one a second."""

    def select_encoding(self, rid: str) -> None:
        """Receive the encoding ``rid``, or the nearest that flows; ``auto`` takes the best."""

    async def close(self) -> None: ...


class Injector(Protocol):
    """A Track whose packets come from Python."""

    @property
    def track_id(self) -> int: ...

    def send(self, packets: Sequence[RtpPacket], rid: str = "") -> None:
        """Publish packets in order; they get the node's SSRC, extensions and pacing. Never blocks."""

    def report(self, report: SenderReport, rid: str = "") -> None:
        """Tie this track's RTP time to wall time; call at least once, before or with the first
        packets, and about once a second after that. All tracks of a participant share one clock."""

    async def keyframe_requests(self) -> str:
        """Wait for the next request of a keyframe; returns the rid it is for."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """What a Subscription or Tap receives: a Track, or the Program's audio or video."""

    track_id: int
    """A Track's id, or the id of one of the Program's aliases: both share one number space."""
    kind: Kind


class ParticipantClosed(ConnectionError):
    """The participant has left: its stream ended, or the relay to it was lost."""


class Participant(Protocol):
    """A server-side participant: mixer, bridge, ingest. The same in process and behind a Relay."""

    @property
    def participant_id(self) -> str: ...

    async def tap(self, source: Source, *, encoding: str = "auto", queue_packets: int = 4096) -> Tap:
        """Receive ``source``. Raises ParticipantClosed, or LookupError for an unknown source."""
        ...

    async def publish(
        self, kind: Kind, codec: Codec, encodings: Sequence[Encoding] = (Encoding(),)
    ) -> Injector:
        """Publish a Track. Raises ParticipantClosed, or ValueError for a codec of the other kind."""
        ...

    async def close(self) -> None: ...
