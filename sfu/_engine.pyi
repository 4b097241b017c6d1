"""The engine: what happens per packet and per viewer.

All methods are safe from one thread (the event loop's) and none blocks. Orders for one transport are
carried out in the order given. Unknown ids are ignored by the engine (the thing may have closed by
itself a moment ago); malformed arguments raise ValueError. Credentials and keys are never logged.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

__all__ = [
    "CodecSpec",
    "Engine",
    "Event",
    "Extensions",
    "bench_forward",
]

class CodecSpec(TypedDict, total=False):
    """A payload type of one m-line (RFC 8866 rtpmap, fmtp, rtcp-fb)."""

    payload_type: int  # required
    rtx_payload_type: int | None  # RFC 4588
    name: str  # required; "H264", "VP8", "VP9", "AV1", "opus", "red"
    clock_rate: int  # required
    channels: int
    fmtp: str  # as in the a=fmtp line
    nack: bool
    pli: bool
    fir: bool

class Extensions(TypedDict, total=False):
    """Header extension ids of a transport (RFC 8285), 0 or absent where not negotiated."""

    mid: int
    rid: int
    repaired_rid: int
    audio_level: int
    abs_send_time: int
    transport_cc: int
    video_orientation: int
    playout_delay: int

Profile: TypeAlias = Literal["SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80"]

# ("reached", transport, "ip:port")            an authenticated STUN request came: it has an address
# ("dtls", transport, data)                    a DTLS datagram from an authenticated address
# ("connected", transport)                     the peer's SRTP authenticated for the first time
# ("closed", transport, reason)                reason: "consent", "never-reached", "too-fast"
# ("flowing", track, rid, codec, ssrc)         an encoding began to flow or changed its codec
# ("idle", track, rid)                         an encoding has sent nothing for a second
# ("resolution", track, rid, width, height)    as its keyframes tell
# ("keyframe-needed", track, rid)              of an injected track
# ("codec-mismatch", transport, subscription, codec_name)   nothing is sent until the source changes
# ("load", worker, stage, lateness_us)         it sheds more or less: "clear", "layers", "seats", "thin"
# ("tap-readable", tap)                        its queue went from empty to not empty
# ("overflow", count)                          events were lost: the reader was too slow
Event: TypeAlias = (
    tuple[Literal["reached"], int, str]
    | tuple[Literal["dtls"], int, bytes]
    | tuple[Literal["connected"], int]
    | tuple[Literal["closed"], int, str]
    | tuple[Literal["flowing"], int, str, CodecSpec, int]
    | tuple[Literal["idle"], int, str]
    | tuple[Literal["resolution"], int, str, int, int]
    | tuple[Literal["keyframe-needed"], int, str]
    | tuple[Literal["codec-mismatch"], int, int, str]
    | tuple[Literal["load"], int, Literal["clear", "layers", "seats", "thin"], int]
    | tuple[Literal["tap-readable"], int]
    | tuple[Literal["overflow"], int]
)

# (sequence, timestamp, marker, payload, arrival_us, audio_level)
TappedPacket: TypeAlias = tuple[int, int, bool, bytes, int, int | None]
# ("packets", rid, generation, codec, [packet, ...]) | ("report", rid, generation, ntp, rtp_time, arrival_us)
# | ("ended",)
TapItem: TypeAlias = (
    tuple[Literal["packets"], str, int, CodecSpec, list[TappedPacket]]
    | tuple[Literal["report"], str, int, int, int, int]
    | tuple[Literal["ended"]]
)

class Engine:
    """Sockets, worker threads and their queues. Threads never take the GIL."""

    def __init__(
        self,
        *,
        bind: Sequence[str] = ("0.0.0.0",),
        port: int = 0,
        workers: int = 0,
        gso: bool = True,
        limits: dict[str, int] | None = None,
    ) -> None:
        """Bind one UDP port on every address of ``bind`` (IPv4 or IPv6) and start the workers.

        ``workers`` 0: one per core but one, at least one. ``limits``: fields of the engine's Limits by
        name (durations in milliseconds with suffix ``_ms``), ValueError names an unknown one. OSError
        if a socket can't be bound.
        """

    @property
    def port(self) -> int: ...
    @property
    def workers(self) -> int: ...
    @property
    def gso(self) -> bool:
        """Whether the kernel takes GSO messages and the setting allows them."""

    def fileno(self) -> int:
        """An eventfd that is readable while events wait: for ``loop.add_reader``."""

    def poll_events(self, limit: int = 1024) -> list[Event]:
        """Take up to ``limit`` events; clears the eventfd when none is left."""

    def now_us(self) -> int:
        """CLOCK_MONOTONIC in microseconds, as in arrival times: one clock for all processes of a machine."""

    # Transports
    def open_transport(
        self,
        *,
        local_ufrag: str,
        local_pwd: str,
        remote_ufrag: str,
        remote_pwd: str,
        extensions: Extensions,
        transport_cc: bool,
        remb: bool,
        cname: str,
        dial: tuple[str, int] | None = None,
    ) -> int:
        """Returns the transport's id. ``dial`` makes this side send the ICE checks (the active side
        of a Relay)."""

    def restart_ice(
        self, transport: int, *, local_ufrag: str, local_pwd: str, remote_ufrag: str, remote_pwd: str
    ) -> None: ...
    def send_dtls(self, transport: int, data: bytes) -> None: ...
    def set_keys(self, transport: int, profile: Profile, receive: bytes, send: bytes) -> None:
        """``receive`` and ``send``: master key then salt (RFC 5764 section 4.2)."""

    def close_transport(self, transport: int) -> None:
        """Sends RTCP BYE where there is something to say it for; closes its tracks and subscriptions."""

    # Tracks
    def add_track(
        self,
        transport: int,
        *,
        kind: Literal["audio", "video"],
        mid: str,
        codecs: Sequence[CodecSpec],
        rids: Sequence[str] = (),
        ssrcs: Sequence[tuple[int, int]] = (),
    ) -> int:
        """A Track that the peer publishes; returns its id. ``ssrcs``: (media, RTX), 0 where unknown."""

    def remove_track(self, track: int) -> None: ...
    def open_injector(
        self, *, kind: Literal["audio", "video"], codec: CodecSpec, rids: Sequence[str] = ()
    ) -> int: ...
    def inject(
        self, track: int, rid: str, packets: Sequence[tuple[int, int, bool, bytes, int | None]]
    ) -> None:
        """(sequence, timestamp, marker, payload, audio_level) each."""

    def inject_report(self, track: int, rid: str, ntp: int, rtp_time: int) -> None: ...
    def request_keyframe(self, source: int) -> None: ...

    # Aliases: what a Program is made of
    def open_alias(self, kind: Literal["audio", "video"]) -> int: ...
    def point_alias(self, alias: int, target: int | None, picture: int | None = None) -> None:
        """All subscriptions and taps of the alias follow, video on a keyframe. ``picture``: the video's
        alias, pointed before this one; who is subscribed to both hears the new target from when they
        see the picture's (after 2.5 s at the latest, at once where the old sound has ended)."""

    def remove_alias(self, alias: int) -> None: ...

    # Subscriptions
    def add_subscription(
        self,
        transport: int,
        *,
        kind: Literal["audio", "video"],
        mid: str,
        source: int,
        codecs: Sequence[CodecSpec],
        ssrc: int,
        rtx_ssrc: int,
        encoding: str = "auto",
        spared: bool = False,
    ) -> int:
        """``spared``: no load takes anything from it, because more depends on it than one viewer."""

    def remove_subscription(self, transport: int, subscription: int) -> None: ...
    def set_source(self, transport: int, subscription: int, source: int) -> None: ...
    def set_encoding(self, transport: int, subscription: int, encoding: str) -> None:
        """A rid or ``auto``."""

    # Taps
    def open_tap(self, source: int, *, encoding: str = "auto", queue_packets: int = 4096) -> int: ...
    def read_tap(self, tap: int) -> tuple[list[TapItem], int]:
        """Everything that waits, consecutive packets of one kind grouped, and how many were dropped
        since the last call. ("ended",) comes last when the source is gone for good."""

    def set_tap_encoding(self, tap: int, encoding: str) -> None: ...
    def close_tap(self, tap: int) -> None: ...

    # Statistics: counters by name, see the engine's stats.rs
    def transport_stats(self, transport: int) -> dict[str, int] | None: ...
    def track_stats(self, track: int) -> dict[str, int] | None: ...
    def subscription_stats(self, subscription: int) -> dict[str, int] | None: ...
    def track_totals(self) -> dict[str, int]:
        """Counters of all tracks since the start, of those that have gone too. The gauges among them mean
        nothing."""

    def subscription_totals(self) -> dict[str, int]:
        """The same of subscriptions."""

    def worker_stats(self) -> list[dict[str, int]]: ...
    def close(self) -> None:
        """Stop the threads and close the sockets; idempotent."""

def bench_forward(
    *,
    viewers: int,
    mbps: float,
    seconds: float,
    gso: bool,
    workers: int,
    profile: Profile,
    shed: bool = True,
    listening: int | None = None,
    warm_up: float = 1.0,
    spread_ms: float = 0.0,
) -> dict[str, object]:
    """Forward a generated publisher to ``viewers`` over loopback; see CONTRACT "Benchmarks" for keys."""
