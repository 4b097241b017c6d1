//! One participant receiving one Track: which encoding, since when, and under which numbers.

mod feed;
mod replay;
mod shed;
mod switch;
mod together;

use std::collections::VecDeque;
use std::sync::Arc;

use rand::Rng;

use crate::config::Limits;
use crate::egress::Queued;
use crate::extension::Layout;
use crate::message::{Choice, CodecSpec, Extensions, Kind, SubscriptionId, SubscriptionSpec, TrackId};
use crate::packet::{us_to_ntp, Packet};
use crate::rtcp::SenderInfo;
use crate::stats::SubscriptionStats;
use crate::time::Time;
use crate::track::Track;

pub use feed::{Feed, Replay};
pub use shed::{Denied, Picture};
pub use together::picture_moves;

/// Seconds from 1900 to 1970 (RFC 868).
const NTP_UNIX: i64 = 2_208_988_800;

/// What a subscription wants of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    /// A keyframe of this encoding of the source.
    Keyframe(u8),
    /// The feed moved: sender reports are due, and the old track may be left.
    Switched,
    /// The peer takes no codec that the source sends.
    Mismatch,
}

/// Where an SSRC's numbers stand.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    /// Packet index (RFC 3711 section 3.3.1) of the next packet.
    pub next_index: u64,
    /// Capture time in microseconds and RTP time at which its clock began.
    base: Option<(i64, u64)>,
    first_time: u64,
    last_time: u64,
    last_picture: (u16, u8),
}

impl Numbers {
    /// The first index is below 2^15: the receiver guesses rollover counter 0 however late it comes.
    pub fn random(rng: &mut impl Rng) -> Numbers {
        Numbers {
            next_index: u64::from(rng.random::<u16>() >> 1),
            base: None,
            first_time: u64::from(rng.random::<u32>()) | 1 << 32,
            last_time: 0,
            last_picture: (rng.random::<u16>() & 0x7FFF, rng.random()),
        }
    }
}

/// NTP time of our reports. The wall clock only labels: see `Config::wall_offset_us`.
pub fn wall_ntp(now: Time, wall_offset_us: i64) -> u64 {
    us_to_ntp(now.micros() as i64 + wall_offset_us + NTP_UNIX * 1_000_000)
}

#[derive(Debug)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub kind: Kind,
    pub ssrc: u32,
    pub rtx_ssrc: u32,
    /// A Track or an alias.
    pub source: TrackId,
    /// The Track that the source stands for now.
    pub track: Option<TrackId>,
    pub choice: Choice,
    pub layout: Layout,
    pub stats: Arc<SubscriptionStats>,
    pub next_report: Time,
    codecs: Vec<CodecSpec>,
    target: Option<u8>,
    feed: Option<Feed>,
    old: VecDeque<Feed>,
    numbers: Numbers,
    mismatch: Option<Arc<CodecSpec>>,
    mismatch_told: Option<Time>,
    sent: (u32, u32),
    spared: bool,
    denied: Denied,
    waits: Option<together::Wait>,
}

impl Subscription {
    /// `numbers`: new ones, or where this SSRC left off if it was used before.
    pub fn new(
        spec: SubscriptionSpec,
        extensions: &Extensions,
        stats: Arc<SubscriptionStats>,
        numbers: Numbers,
    ) -> Subscription {
        Subscription {
            layout: Layout::new(extensions, spec.kind, &spec.mid),
            id: spec.id,
            kind: spec.kind,
            ssrc: spec.ssrc,
            rtx_ssrc: spec.rtx_ssrc,
            source: spec.source,
            track: None,
            choice: spec.encoding,
            stats,
            next_report: Time::FAR,
            codecs: spec.codecs,
            target: None,
            feed: None,
            old: VecDeque::new(),
            numbers,
            mismatch: None,
            mismatch_told: None,
            sent: (0, 0),
            spared: spec.spared,
            denied: Denied::default(),
            waits: None,
        }
    }

    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    pub fn feed(&self) -> Option<&Feed> {
        self.feed.as_ref()
    }

    /// Tracks of former feeds, to be left now that another is shown.
    pub fn take_left(&mut self) -> Vec<TrackId> {
        let shown = self.feed.as_ref().map(|f| f.track);
        let mut left: Vec<TrackId> = self.old.iter().map(|f| f.track).filter(|&t| Some(t) != shown).collect();
        left.dedup();
        left
    }

    /// The source's codec, while the peer takes none like it.
    pub fn mismatched(&self) -> Option<String> {
        self.mismatch.as_ref().map(|codec| codec.name.clone())
    }

    /// Stop until the next keyframe: what waited was dropped.
    pub fn stop(&mut self) {
        self.retire();
    }

    pub fn replays(&self) -> bool {
        self.feed.as_ref().is_some_and(|f| f.replay.is_some())
    }

    /// A packet of the subscription's track, or of the one it is about to leave.
    pub fn forward(
        &mut self,
        now: Time,
        place: u16,
        id: TrackId,
        track: &Track,
        packet: &Arc<Packet>,
    ) -> (Option<Queued>, Wish) {
        if self.withholds(id, track, packet) {
            return (None, Wish::Nothing);
        }
        let overdue = packet.keyframe_start && self.replay_overdue(now);
        if let Some(feed) = &mut self.feed {
            if feed.carries(id, packet) && !overdue {
                let behind = match &feed.replay {
                    Some(replay) => packet.seq >= replay.cursor, // the replay comes to it
                    None => false,
                };
                let leaves = packet.seq >= feed.first && !behind;
                if let Some(wait) = &mut self.waits {
                    wait.heard = now;
                }
                return (leaves.then(|| self.queue(place, packet)).flatten(), Wish::Nothing);
            }
        }
        if self.track != Some(id) || self.waits.is_some() {
            return (None, Wish::Nothing);
        }
        let target = *self.target.get_or_insert(packet.encoding);
        if packet.encoding != target {
            return (None, Wish::Nothing);
        }
        if self.kind == Kind::Video && !packet.keyframe_start {
            return (None, Wish::Keyframe(target));
        }
        match self.switch(now, id, track, packet) {
            Wish::Switched => (self.queue(place, packet), Wish::Switched),
            wish => (None, wish),
        }
    }

    fn queue(&mut self, place: u16, packet: &Arc<Packet>) -> Option<Queued> {
        let feed = self.feed.as_mut()?;
        let index = feed.index(packet.seq)?;
        let mut timestamp = feed.time(packet.rtp_time);
        if index >= self.numbers.next_index {
            if timestamp < self.numbers.last_time {
                // Only just after a replay: the next frame's own time is not yet later than the last's.
                if feed.retimed.back().is_some_and(|&(t, _)| packet.rtp_time > t) {
                    timestamp = self.numbers.last_time + 1;
                    feed.retime(packet.rtp_time, timestamp);
                }
            }
            self.numbers.next_index = index + 1;
            self.numbers.last_time = self.numbers.last_time.max(timestamp);
            if packet.vp8.is_some() {
                self.numbers.last_picture = feed.picture(packet);
            }
        }
        let (picture_id, tl0_index) = feed.picture(packet);
        let len = feed.payload(packet).len();
        Some(Queued {
            packet: packet.clone(),
            subscription: place,
            skip: (packet.payload.len() - len) as u16,
            len: len as u16,
            rtx: false,
            index,
            timestamp: timestamp as u32,
            payload_type: feed.payload_type,
            picture_id,
            tl0_index,
        })
    }

    /// The packet that a peer's NACK names by its 16-bit sequence number, to leave again by RTX.
    pub fn retransmit(
        &mut self,
        place: u16,
        lost: u16,
        find: impl Fn(&Feed, u64) -> Option<Arc<Packet>>,
    ) -> Option<Queued> {
        let newest = self.numbers.next_index.checked_sub(1)?;
        let age = u64::from((newest as u16).wrapping_sub(lost));
        let index = newest.checked_sub(age)?;
        let feed = std::iter::once(self.feed.as_ref())
            .flatten()
            .chain(self.old.iter().rev())
            .find(|f| f.first_index <= index)?;
        let payload_type = feed.rtx_payload_type?;
        let packet = find(feed, feed.source_seq(index)?)?;
        if !feed.carries(feed.track, &packet) {
            return None;
        }
        let (picture_id, tl0_index) = feed.picture(&packet);
        let len = feed.payload(&packet).len();
        Some(Queued {
            subscription: place,
            skip: (packet.payload.len() - len) as u16,
            len: len as u16,
            rtx: true,
            index,
            timestamp: feed.time(packet.rtp_time) as u32,
            payload_type,
            picture_id,
            tl0_index,
            packet,
        })
    }

    /// Drop what no retransmission can ask for any more: nothing of it is in the history.
    pub fn forget(&mut self, now: Time, track: &Track, limits: &Limits) {
        let Some(feed) = &mut self.feed else { return };
        let encoding = track.encodings.get(usize::from(feed.encoding));
        feed.forget(encoding.and_then(|e| e.ring.first()).map_or(u64::MAX, |p| p.rtp_time));
        if now.since(feed.since) > limits.replay_age * 2 {
            self.old.clear();
        }
    }

    pub fn count_sent(&mut self, payload: usize) {
        self.sent = (self.sent.0.wrapping_add(1), self.sent.1.wrapping_add(payload as u32));
        self.stats.packets.add(1);
        self.stats.bytes.add(payload as u64);
    }

    /// The sender info of our report at `now` (RFC 3550 section 6.4.1): the RTP time that is captured now.
    pub fn sender_info(&self, now: Time, track: &Track, wall_offset_us: i64) -> Option<SenderInfo> {
        let feed = self.feed.as_ref().filter(|f| f.replay.is_none())?;
        let encoding = track.encodings.get(usize::from(feed.encoding))?;
        let last = encoding.ring.last()?;
        let rate = i128::from(last.codec.clock_rate);
        let capture = encoding.clock.capture_us(last.rtp_time, last.codec.clock_rate);
        let ticks = i128::from(now.micros() as i64 - capture) * rate / 1_000_000;
        let ours = last.rtp_time.wrapping_add_signed(feed.time_shift).wrapping_add_signed(ticks as i64);
        Some(SenderInfo {
            ntp: wall_ntp(now, wall_offset_us),
            rtp_time: ours as u32,
            packets: self.sent.0,
            octets: self.sent.1,
        })
    }
}
