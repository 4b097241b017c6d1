//! What goes into a worker from the control side and from other workers, and what comes out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::load::Stage;
use crate::packet::{Packet, Report};
use crate::srtp::Profile;
use crate::tap::TapQueue;

pub type TransportId = u64;
/// Tracks and aliases share one number space: a subscription's source is either.
pub type TrackId = u64;
pub type SubscriptionId = u64;
pub type TapId = u64;
pub type WorkerIndex = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Audio,
    Video,
}

/// A payload type of one m-line and what it stands for (RFC 8866 rtpmap and fmtp).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecSpec {
    pub payload_type: u8,
    /// The payload type of its retransmissions (RFC 4588), if negotiated.
    pub rtx_payload_type: Option<u8>,
    pub name: String,
    pub clock_rate: u32,
    pub channels: u8,
    /// As in the a=fmtp line, e.g. `packetization-mode=1;profile-level-id=42e01f`.
    pub fmtp: String,
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
}

/// Header extension ids of a transport (RFC 8285), zero where not negotiated. BUNDLE makes them
/// common to all m-lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    pub mid: u8,
    pub rid: u8,
    pub repaired_rid: u8,
    pub audio_level: u8,
    pub abs_send_time: u8,
    pub transport_cc: u8,
    pub video_orientation: u8,
    pub playout_delay: u8,
}

/// What a transport needs to be reachable. Credentials are RFC 8445 section 5.3 strings.
#[derive(Debug, Clone)]
pub struct TransportSpec {
    pub id: TransportId,
    pub local: IceCredentials,
    /// The peer's, from its offer; without them no path can be verified and no media leaves.
    pub remote: IceCredentials,
    /// Reach for this address instead of waiting: the active side of a Relay.
    pub dial: Option<SocketAddr>,
    /// Extensions that the peer sends to us and that we send to the peer.
    pub extensions: Extensions,
    /// RTCP feedback agreed on: transport-cc (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub transport_cc: bool,
    pub remb: bool,
    /// CNAME of our RTCP SDES.
    pub cname: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub ufrag: String,
    pub pwd: String,
}

/// A Track that the peer of a transport publishes: one m-line.
#[derive(Debug, Clone)]
pub struct TrackSpec {
    pub id: TrackId,
    pub kind: Kind,
    pub mid: String,
    pub codecs: Vec<CodecSpec>,
    /// Simulcast rids, best first; empty for a single encoding.
    pub rids: Vec<String>,
    /// (media, RTX) SSRCs where the offer names them; RTX zero where it doesn't.
    pub ssrcs: Vec<(u32, u32)>,
}

/// A Track whose packets the control side injects.
#[derive(Debug, Clone)]
pub struct InjectSpec {
    pub id: TrackId,
    pub kind: Kind,
    pub codec: CodecSpec,
    pub rids: Vec<String>,
}

/// One m-line towards a peer.
#[derive(Debug, Clone)]
pub struct SubscriptionSpec {
    pub id: SubscriptionId,
    pub kind: Kind,
    pub mid: String,
    pub source: TrackId,
    /// Codecs the peer accepts here, in its order of preference.
    pub codecs: Vec<CodecSpec>,
    pub ssrc: u32,
    pub rtx_ssrc: u32,
    pub encoding: Choice,
    /// More depends on it than one viewer (a relay, a host on stage): no load takes anything from it.
    pub spared: bool,
}

/// Which encoding a subscription or tap wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The best that flows.
    Auto,
    Rid(String),
}

/// Master keys and salts of both directions (RFC 3711, RFC 5764 section 4.2, RFC 7714 section 12).
#[derive(Clone)]
pub struct SrtpKeys {
    pub profile: Profile,
    /// Key then salt, what the peer sends with.
    pub receive: Vec<u8>,
    /// Key then salt, what we send with.
    pub send: Vec<u8>,
}

/// A packet to inject: RTP without header, extensions and padding.
#[derive(Debug, Clone)]
pub struct InjectedPacket {
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub audio_level: Option<u8>,
    pub payload: Vec<u8>,
}

/// Orders from the control side. Those for a transport reach its owner in the order given, also
/// those that came before anybody owned it.
#[derive(Clone)]
pub enum Command {
    OpenTransport(TransportSpec),
    /// ICE restart (RFC 8445 section 9): the old credentials work until the new ones are used.
    RestartIce {
        transport: TransportId,
        local: IceCredentials,
        remote: IceCredentials,
    },
    SetKeys {
        transport: TransportId,
        keys: SrtpKeys,
    },
    SendDtls {
        transport: TransportId,
        data: Vec<u8>,
    },
    CloseTransport {
        transport: TransportId,
    },
    AddTrack {
        transport: TransportId,
        track: TrackSpec,
    },
    RemoveTrack {
        track: TrackId,
    },
    AddSubscription {
        transport: TransportId,
        subscription: SubscriptionSpec,
    },
    RemoveSubscription {
        transport: TransportId,
        subscription: SubscriptionId,
    },
    SetSource {
        transport: TransportId,
        subscription: SubscriptionId,
        source: TrackId,
    },
    SetEncoding {
        transport: TransportId,
        subscription: SubscriptionId,
        encoding: Choice,
    },
    OpenInjector(InjectSpec),
    Inject {
        track: TrackId,
        rid: String,
        packets: Vec<InjectedPacket>,
    },
    /// Ties RTP time to the publisher's NTP time for an injected track.
    InjectReport {
        track: TrackId,
        rid: String,
        ntp: u64,
        rtp_time: u32,
    },
    /// Create an alias, or point it elsewhere; `None` points it at nothing.
    PointAlias {
        alias: TrackId,
        kind: Kind,
        target: Option<TrackId>,
        /// For sound: the alias of its picture, pointed before it. Who receives both hears this target from
        /// when they see that one's.
        picture: Option<TrackId>,
    },
    RemoveAlias {
        alias: TrackId,
    },
    OpenTap {
        tap: TapId,
        source: TrackId,
        kind: Kind,
        encoding: Choice,
        queue: Arc<TapQueue>,
    },
    SetTapEncoding {
        tap: TapId,
        encoding: Choice,
    },
    CloseTap {
        tap: TapId,
    },
    /// Ask the track's publisher for a keyframe; coalesced to one a second and encoding.
    RequestKeyframe {
        source: TrackId,
    },
}

/// News for the control side.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An authenticated STUN request reached the transport: it has an owner and an address.
    Reached { transport: TransportId, remote: SocketAddr },
    /// A DTLS datagram from an authenticated address.
    Dtls { transport: TransportId, data: Vec<u8> },
    /// The peer's SRTP authenticated for the first time: it has the keys.
    Connected { transport: TransportId },
    /// The engine closed the transport.
    Closed { transport: TransportId, reason: CloseReason },
    /// An encoding of a track began to flow, or its codec changed.
    Flowing { track: TrackId, rid: String, codec: CodecSpec, ssrc: u32 },
    /// An encoding has sent nothing for a second.
    Idle { track: TrackId, rid: String },
    /// Picture size as its keyframes tell it.
    Resolution { track: TrackId, rid: String, width: u32, height: u32 },
    /// Somebody needs a keyframe of an injected track.
    KeyframeNeeded { track: TrackId, rid: String },
    /// The source's codec is none that the subscription's peer accepts: nothing is sent.
    CodecMismatch { transport: TransportId, subscription: SubscriptionId, codec: String },
    /// The worker sheds more or less than before; `lateness` is its standing lateness.
    Load { worker: WorkerIndex, stage: Stage, lateness: Duration },
    /// A tap's queue went from empty to not empty.
    TapReadable { tap: TapId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// No authenticated STUN request for `Limits::consent`.
    Consent,
    /// Nobody reached the transport, or it came to no keys, within `Limits::connect`.
    NeverReached,
    /// The publisher went past `Limits::publisher_bps` or `publisher_packets_per_s` for
    /// `Limits::publisher_patience`.
    TooFast,
}

/// What a worker receives besides datagrams.
pub enum Message {
    Command(Command),
    /// A datagram that arrived at a worker which does not own its transport.
    Stray {
        local: Option<IpAddr>,
        remote: SocketAddr,
        data: Vec<u8>,
    },
    /// Worker `from` has subscriptions to, or taps of, the track: send what it holds and what comes.
    Interest {
        track: TrackId,
        from: WorkerIndex,
    },
    Disinterest {
        track: TrackId,
        from: WorkerIndex,
    },
    /// What the owner of a track holds of it: the first answer to an Interest.
    History {
        track: TrackId,
        kind: Kind,
        rids: Vec<String>,
        packets: Vec<Arc<Packet>>,
        reports: Vec<(u8, Report)>,
    },
    /// Packets of a track this worker asked for: a frame of video, or what there is of it.
    Published {
        track: TrackId,
        packets: Vec<Arc<Packet>>,
    },
    Reported {
        track: TrackId,
        encoding: u8,
        report: Report,
    },
    /// A subscriber somewhere needs a keyframe.
    KeyframeWanted {
        track: TrackId,
        encoding: u8,
    },
    /// The track ended.
    Ended {
        track: TrackId,
    },
    /// The transport is gone: forget its credentials.
    Forget {
        transport: TransportId,
    },
}
