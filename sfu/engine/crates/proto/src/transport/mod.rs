//! One ICE + DTLS-SRTP association with a peer: its paths, its keys, what it publishes and receives.

mod dtls;
mod feedback;
mod send;
mod subscriptions;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::Rng;

use crate::config::Config;
use crate::egress::{Pacer, Queued, Queues};
use crate::ice::{Handled, Ice, Pair};
use crate::message::{CloseReason, Event, Extensions, SrtpKeys, TrackId, TransportId, TransportSpec};
use crate::outbound::{Outbound, Transmit};
use crate::packet::Report;
use crate::prefetch::prefetch;
use crate::receive::{Outcome, Receiver};
use crate::rtcp;
use crate::rtp::Header;
use crate::srtp::{Protector, SrtpError, Unprotector};
use crate::stats::TransportStats;
use crate::stun;
use crate::subscription::{Numbers, Subscription};
use crate::time::Time;
use crate::twcc::SendHistory;

pub use feedback::Request;
pub use send::Stopped;

/// Time for a peer that seems to have left to show that it has not: Firefox checks every 5 s.
const GOODBYE: Duration = Duration::from_secs(6);

/// Round trip assumed until one has been measured: a continent.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// What a transport borrows of its worker for one input or output.
pub struct Context<'a> {
    pub now: Time,
    pub config: &'a Config,
    pub rng: &'a mut StdRng,
    pub events: &'a mut Vec<Event>,
}

#[derive(Debug)]
pub struct Transport {
    pub id: TransportId,
    pub receiver: Receiver,
    /// Indices never move: tracks know their subscribers by them.
    pub subscriptions: Vec<Option<Subscription>>,
    /// Something may leave: the worker has it on its list.
    pub dirty: bool,
    /// When the worker's timer for it is set.
    pub scheduled: Time,
    stats: Arc<TransportStats>,
    ice: Ice,
    gate: dtls::Gate,
    keys: Option<Keys>,
    connected: bool,
    since: Time,
    extensions: Extensions,
    cname: String,
    by_ssrc: HashMap<u32, u16>,
    /// Where each SSRC of ours goes on; it outlives subscriptions, since an index used twice under one key
    /// breaks the cipher (RFC 3711 section 9.1, RFC 7714 section 8.1).
    numbers: HashMap<u32, Numbers>,
    queues: Queues,
    pacer: Pacer,
    replay_pacer: Pacer,
    history: SendHistory,
    /// Datagrams that leave as they are: STUN, DTLS.
    raw: VecDeque<(Pair, Vec<u8>)>,
    /// RTCP to protect, one compound packet each.
    rtcp: VecDeque<Vec<u8>>,
    recent_rtx: VecDeque<(u16, u64, Time)>,
    /// Since when, and how many sequence numbers of NACKs were looked up.
    nacked: (Time, usize),
}

struct Keys {
    protect: Protector,
    unprotect: Unprotector,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Transport {
    pub fn new(
        spec: TransportSpec,
        slot: u32,
        stats: Arc<TransportStats>,
        cx: &mut Context<'_>,
    ) -> Transport {
        let local_ssrc = cx.rng.random();
        Transport {
            id: spec.id,
            receiver: Receiver::new(local_ssrc, spec.extensions, spec.transport_cc, spec.remb),
            subscriptions: Vec::new(),
            dirty: false,
            scheduled: Time::FAR,
            stats,
            ice: Ice::new(
                cx.now,
                spec.local,
                spec.remote,
                spec.dial,
                slot,
                cx.config.limits.paths_per_transport,
                cx.rng,
            ),
            since: cx.now,
            gate: dtls::Gate::default(),
            keys: None,
            connected: false,
            extensions: spec.extensions,
            cname: spec.cname,
            by_ssrc: HashMap::new(),
            numbers: HashMap::new(),
            queues: Queues::default(),
            pacer: Pacer::default(),
            replay_pacer: Pacer::default(),
            history: SendHistory::default(),
            raw: VecDeque::new(),
            rtcp: VecDeque::new(),
            recent_rtx: VecDeque::new(),
            nacked: (Time::ZERO, 0),
        }
    }

    /// Ask for what sending a frame will look at, but for the transport itself; call `prefetch_deep` later.
    pub fn prefetch(&self) {
        prefetch(self.subscriptions.as_slice());
        prefetch(self.history.next_places());
        prefetch(&*self.stats);
        self.ice.prefetch();
        if let Some(keys) = &self.keys {
            keys.protect.prefetch();
        }
    }

    /// What `prefetch` has brought says where the rest is.
    pub fn prefetch_deep(&self) {
        for subscription in self.subscriptions.iter().flatten() {
            prefetch(&*subscription.stats);
            subscription.layout.prefetch();
        }
    }

    /// See `Queues::lend_video`.
    pub fn lend_video(&mut self, memory: &mut VecDeque<Queued>) {
        self.queues.lend_video(memory);
    }

    pub fn ice(&self) -> &Ice {
        &self.ice
    }

    pub fn ice_mut(&mut self) -> &mut Ice {
        &mut self.ice
    }

    pub fn handshake_in_flight(&self) -> bool {
        self.gate.in_flight()
    }

    /// A STUN message; true if it was authentic, so that its address belongs to this transport.
    pub fn handle_stun(
        &mut self,
        cx: &mut Context<'_>,
        local: Option<IpAddr>,
        remote: SocketAddr,
        message: &stun::Message<'_>,
        size: usize,
    ) -> bool {
        let pair = Pair { local, remote };
        let mut answer = Vec::new();
        let reached = self.ice.selected_remote().is_some();
        match self.ice.handle(cx.now, pair, message, size, cx.rng, &mut answer) {
            Handled::Refused => {
                self.stats.packets_refused.add(1);
                return false;
            }
            Handled::Request { path_changed } => {
                self.raw.push_back((pair, answer));
                if path_changed {
                    self.stats.paths_changed.add(1);
                    if !reached {
                        cx.events.push(Event::Reached { transport: self.id, remote });
                    }
                }
            }
            Handled::Answer => {
                if let Some(rtt) = self.ice.rtt() {
                    self.stats.rtt_us.set(rtt.as_micros() as u64);
                }
                if !self.connected && self.keys.is_some() {
                    self.wake_reports(cx.now);
                }
            }
        }
        true
    }

    pub fn handle_dtls(&mut self, cx: &mut Context<'_>, remote: SocketAddr, data: &[u8], room: bool) -> bool {
        self.ice.received(remote, data.len());
        if self.keys.is_some() && dtls::is_alert(data) && self.ice.selected_remote() == Some(remote) {
            // Encrypted, and the SSL object that could read it may be gone: most likely close_notify.
            self.ice.doubt(cx.now + GOODBYE);
        }
        if !self.gate.admit(cx.now, data, room, cx.config.limits.dtls_per_s) {
            return false;
        }
        cx.events.push(Event::Dtls { transport: self.id, data: data.to_vec() });
        true
    }

    pub fn send_dtls(&mut self, data: Vec<u8>) {
        self.gate.sent(&data);
        match self.ice.control_pair(data.len()) {
            Some(pair) => self.raw.push_back((pair, data)),
            None => self.gate.hold(data),
        }
    }

    /// The media that waited for the keys, with where it came from. SrtpError::BadKey if they don't fit the
    /// profile.
    pub fn set_keys(
        &mut self,
        now: Time,
        keys: &SrtpKeys,
        max_ssrcs: usize,
    ) -> Result<Vec<(SocketAddr, Vec<u8>)>, SrtpError> {
        self.keys = Some(Keys {
            protect: Protector::new(keys.profile, &keys.send)?,
            unprotect: Unprotector::new(keys.profile, &keys.receive, max_ssrcs)?,
        });
        self.wake_reports(now);
        Ok(self.gate.finish())
    }

    /// Sender reports are due at once for whatever is being sent.
    fn wake_reports(&mut self, now: Time) {
        for subscription in self.subscriptions.iter_mut().flatten() {
            if subscription.feed().is_some() && !subscription.replays() {
                subscription.next_report = now;
            }
        }
    }

    /// Packets reach the peer: it has keys and an address that answered.
    pub fn can_send(&self) -> bool {
        self.keys.is_some() && self.ice.media_pair().is_some()
    }

    /// SRTP: the published packet it came to, if any.
    pub fn handle_rtp(&mut self, cx: &mut Context<'_>, remote: SocketAddr, data: &mut [u8]) -> Outcome {
        let Some(keys) = &mut self.keys else {
            if self.receiver.track_ids().next().is_some() && self.ice.is_verified(remote) {
                self.gate.keep(remote, data);
            }
            return Outcome::Nothing;
        };
        let Ok(header) = Header::parse(data) else {
            self.stats.packets_refused.add(1);
            return Outcome::Nothing;
        };
        let size = data.len();
        let len = match keys.unprotect.unprotect_rtp(data, &header) {
            Ok(unprotected) => unprotected.len,
            Err(_) => {
                self.stats.packets_refused.add(1);
                return Outcome::Nothing;
            }
        };
        self.authenticated(cx, remote, size);
        self.receiver.handle_rtp(cx.now, &header, &data[..len], &cx.config.limits, cx.events)
    }

    fn authenticated(&mut self, cx: &mut Context<'_>, remote: SocketAddr, size: usize) {
        self.ice.received(remote, size);
        self.stats.packets_received.add(1);
        self.stats.bytes_received.add(size as u64);
        if !self.connected {
            self.connected = true;
            cx.events.push(Event::Connected { transport: self.id });
        }
    }

    /// Why the worker should close it, once there is a reason.
    pub fn close_reason(&self, now: Time, config: &Config) -> Option<CloseReason> {
        let expired = now >= self.ice.consent_end(config.limits.consent);
        let keyless = self.keys.is_none() && now.since(self.since) >= config.limits.connect;
        expired.then_some(CloseReason::Consent).or(keyless.then_some(CloseReason::NeverReached))
    }

    /// What is still to be sent when the transport closes: DTLS that waits, and a BYE for the SSRCs that
    /// the peer has seen (RFC 3550 section 6.6).
    pub fn farewell(&mut self) -> Vec<(Pair, Vec<u8>)> {
        let mut last: Vec<(Pair, Vec<u8>)> = self.raw.drain(..).collect();
        let ssrcs: Vec<u32> = self.subscriptions.iter().flatten().map(|s| s.ssrc).take(31).collect();
        if let (Some(keys), false) = (&mut self.keys, ssrcs.is_empty()) {
            let mut packet = Vec::new();
            rtcp::write_rr(&mut packet, ssrcs[0], &[]);
            rtcp::write_bye(&mut packet, &ssrcs);
            keys.protect.protect_rtcp(&mut packet, 0);
            last.extend(self.ice.control_pair(packet.len()).map(|pair| (pair, packet)));
        }
        last
    }

    /// A sender report that came before the first packet of its SSRC, whose packet `data` is.
    pub fn early_report(&mut self, data: &[u8]) -> Option<(TrackId, u8, Report)> {
        let header = Header::parse(data).ok()?;
        self.receiver.take_early_report(header.ssrc)
    }
}

/// Add a datagram that lies at the end of the arena, to the last message if it fits there.
pub fn push_datagram(out: &mut Outbound, pair: Pair, start: usize, gso: bool) {
    let len = out.bytes.len() - start;
    if gso {
        if let Some(last) = out.transmits.last_mut() {
            let open = last.len % last.segment == 0;
            let fits = last.len / last.segment < MAX_SEGMENTS && last.len + len <= MAX_GSO_BYTES;
            if last.remote == pair.remote && last.local == pair.local && open && len <= last.segment && fits {
                last.len += len;
                return;
            }
        }
    }
    out.transmits.push(Transmit { local: pair.local, remote: pair.remote, start, len, segment: len });
}

/// UDP_MAX_SEGMENTS of Linux before 6.9.
const MAX_SEGMENTS: usize = 64;
/// The largest UDP payload over IPv4.
const MAX_GSO_BYTES: usize = 65_507;
