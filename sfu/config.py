"""Settings of a node's WebRTC side. Each default names its operating point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfu.sdp.codecs import CodecPolicy

__all__ = ["IceServer", "PublishBounds", "SfuConfig"]


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that clients are told of (RFC 9725 section 4.6)."""

    url: str
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def link(self) -> str:
        """The value of a Link header."""
        link = f'<{self.url}>; rel="ice-server"'
        if self.username is not None and self.credential is not None:
            link += (
                f'; username="{self.username}"; credential="{self.credential}"; credential-type="password"'
            )
        return link


@dataclass(frozen=True, slots=True)
class PublishBounds:
    """What a publisher may send; more is refused with a reason."""

    max_width: int = 3840
    max_height: int = 2160
    """4K, in either orientation."""
    max_bitrate_bps: int = 50_000_000
    """A 4K60 camera with simulcast."""

    def refuses(self, width: int, height: int) -> str | None:
        """Why a picture of this size is refused, None if it isn't."""
        long, short = max(width, height), min(width, height)
        if long > max(self.max_width, self.max_height) or short > min(self.max_width, self.max_height):
            return f"{width}x{height} is more than {self.max_width}x{self.max_height}"
        return None


@dataclass(frozen=True, slots=True)
class SfuConfig:
    host: tuple[str, ...] = ("0.0.0.0",)
    """Addresses to bind the UDP port on."""
    rtc_port: int = 7882
    """0 picks a free one."""
    advertise_ip: tuple[str, ...] = ()
    """Addresses that answers name as candidates; empty: all addresses of the machine, loopback too
    (a browser on this machine may know no other; Firefox never pings 127.0.0.1)."""
    workers: int = 0
    gso: bool = True
    ice_servers: tuple[IceServer, ...] = ()
    seats_per_stream: int = 1000
    seats_per_node: int | None = None
    hosts_per_stage: int = 16
    seat_hold_s: float = 10.0
    """A seat is given back when no media path stands this long after the POST: twice what a slow
    phone takes for ICE and DTLS."""
    pending_per_address: int | None = 1_000
    """WHEP sessions of one address that wait for their media path at a time; None: any number. As
    many viewers behind one address may join at once as a stream has seats."""
    grace_s: float = 10.0
    """How long viewers stay attached while a publisher is away: OBS reconnects in 2.6 s, a page that
    is loaded again in 5."""
    codecs: CodecPolicy = field(default_factory=CodecPolicy)
    bounds: PublishBounds = field(default_factory=PublishBounds)
    limits: Mapping[str, int] = field(default_factory=dict)
    """Further limits of the engine by name."""

    def engine_limits(self) -> dict[str, int]:
        bps = self.bounds.max_bitrate_bps
        # packets of 900 bytes; fewer than the engine's default only where the limits say so
        packets = max(7_000, bps // (8 * 900))
        return {"publisher_bps": bps, "publisher_packets_per_s": packets} | dict(self.limits)
