//! From the queues to datagrams: order, pacing, header, encryption, grouping.

use std::collections::HashMap;

use super::{push_datagram, Context, Transport};
use crate::codec::vp8;
use crate::egress::{Pacer, Queued};
use crate::extension::Values;
use crate::ice::Pair;
use crate::message::{Kind, TrackId};
use crate::outbound::Outbound;
use crate::rtp::FIXED_HEADER_LEN;
use crate::stats::WorkerStats;
use crate::subscription::Subscription;
use crate::time::Time;
use crate::track::Track;
use crate::twcc::SendKind;

/// A replay takes at most this many times its encoding's bitrate.
const REPLAY_SPEED: u64 = 4;

/// Until an encoding's bitrate is measured.
const REPLAY_SLOWEST_BPS: u64 = 8_000_000;

/// Bytes of RTP padding that are worth a larger GSO message.
const PADDING: u16 = 4;

/// Why a transport stopped sending.
#[derive(Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing is left, or the rest waits for the pacer.
    Waiting,
    /// The arena is full.
    Full,
}

impl Transport {
    pub fn enqueue(&mut self, queued: Queued, kind: Kind, limit: usize) -> bool {
        match kind {
            Kind::Audio => self.queues.push_sound(queued),
            Kind::Video => self.queues.push_video(queued),
        }
        self.queues.len() <= limit
    }

    /// The peer is slower than its video: drop what waits of it; the worker asks for a keyframe.
    pub fn overflow(&mut self, place: u16) {
        let dropped = self.queues.drop_video(place);
        self.stats.queue_dropped.add(dropped as u64);
    }

    /// When the next paced packet may leave.
    pub(super) fn next_send(&self) -> Time {
        let mut next = Time::FAR;
        if !self.queues.only_sound() {
            next = self.pacer.next();
        }
        if self.subscriptions.iter().flatten().any(Subscription::replays) {
            next = next.min(self.replay_pacer.next().max(self.pacer.next()));
        }
        next
    }

    /// Append what may leave now to the arena, at most until `full` bytes lie there.
    pub fn transmit(
        &mut self,
        cx: &mut Context<'_>,
        tracks: &HashMap<TrackId, Track>,
        worker: &WorkerStats,
        out: &mut Outbound,
        full: usize,
    ) -> Stopped {
        while let Some((pair, data)) = self.raw.pop_front() {
            let start = out.bytes.len();
            out.bytes.extend_from_slice(&data);
            push_datagram(out, pair, start, false);
        }
        while !self.gate.held.is_empty() {
            let Some(pair) = self.ice.control_pair(self.gate.held[0].len()) else { break };
            let start = out.bytes.len();
            out.bytes.extend_from_slice(&self.gate.held.remove(0));
            push_datagram(out, pair, start, false);
        }
        self.transmit_rtcp(out);
        let Some(pair) = self.ice.media_pair().filter(|_| self.keys.is_some()) else {
            return Stopped::Waiting;
        };
        while let Some(queued) = self.queues.pop_sound() {
            self.write(cx, &queued, pair, worker, out);
            if out.bytes.len() >= full {
                return Stopped::Full;
            }
        }
        let rate = Pacer::rate(self.media_bps(tracks));
        while self.pacer.ready(cx.now) {
            let Some(queued) = self.queues.pop_paced() else { break };
            let bytes = self.write(cx, &queued, pair, worker, out);
            self.pacer.sent(cx.now, bytes, rate);
            if out.bytes.len() >= full {
                return Stopped::Full;
            }
        }
        self.pacer.leave(!self.queues.only_sound());
        if self.queues.is_empty() {
            self.transmit_replays(cx, tracks, pair, worker, out);
        }
        if out.bytes.len() >= full {
            return Stopped::Full;
        }
        Stopped::Waiting
    }

    /// Bits per second of everything this transport forwards.
    fn media_bps(&self, tracks: &HashMap<TrackId, Track>) -> u64 {
        let rate = |s: &Subscription| {
            let feed = s.feed()?;
            Some(tracks.get(&feed.track)?.encodings.get(usize::from(feed.encoding))?.bitrate_bps)
        };
        self.subscriptions.iter().flatten().filter_map(rate).sum()
    }

    fn transmit_replays(
        &mut self,
        cx: &mut Context<'_>,
        tracks: &HashMap<TrackId, Track>,
        pair: Pair,
        worker: &WorkerStats,
        out: &mut Outbound,
    ) {
        for place in 0..self.subscriptions.len() {
            while self.replay_pacer.ready(cx.now) && self.pacer.ready(cx.now) {
                let Some(subscription) = self.subscriptions[place].as_mut().filter(|s| s.replays()) else {
                    break;
                };
                let Some(feed) = subscription.feed() else { break };
                let Some(track) = tracks.get(&feed.track) else {
                    subscription.stop(); // its track ended in the middle
                    break;
                };
                let bitrate = track
                    .encodings
                    .get(usize::from(feed.encoding))
                    .map_or(0, |e| e.bitrate_bps * REPLAY_SPEED);
                let Some(queued) = subscription.replay_next(cx.now, place as u16, track) else { break };
                let bytes = self.write(cx, &queued, pair, worker, out);
                self.replay_pacer.sent(cx.now, bytes, bitrate.max(REPLAY_SLOWEST_BPS));
                self.pacer.sent(cx.now, bytes, bitrate.max(REPLAY_SLOWEST_BPS));
            }
        }
    }

    /// Write, encrypt and group one packet; returns its size on the wire.
    fn write(
        &mut self,
        cx: &Context<'_>,
        queued: &Queued,
        pair: Pair,
        worker: &WorkerStats,
        out: &mut Outbound,
    ) -> usize {
        let Some(Some(subscription)) = self.subscriptions.get_mut(usize::from(queued.subscription)) else {
            return 0;
        };
        let Some(keys) = &self.keys else { return 0 };
        let packet = &queued.packet;
        let kind = match (queued.rtx, subscription.kind) {
            (true, _) => SendKind::Rtx,
            (false, Kind::Audio) => SendKind::Audio,
            (false, Kind::Video) => SendKind::Video,
        };
        let (ssrc, index) = if queued.rtx {
            let Some(numbers) = self.numbers.get_mut(&subscription.rtx_ssrc) else { return 0 };
            numbers.next_index += 1;
            (subscription.rtx_ssrc, numbers.next_index - 1)
        } else {
            (subscription.ssrc, queued.index)
        };
        let padding = match kind {
            SendKind::Video if cx.config.gso && !packet.empty => {
                self.queues.equal_len(queued.len, PADDING) - queued.len
            }
            _ if packet.empty => 1,
            _ => 0,
        };
        let start = out.bytes.len();
        let layout = &subscription.layout;
        let first = 0x80 | u8::from(padding > 0) << 5 | u8::from(!layout.is_empty()) << 4;
        let mut fixed = [0; FIXED_HEADER_LEN];
        fixed[..2].copy_from_slice(&[first, u8::from(packet.marker) << 7 | queued.payload_type]);
        fixed[2..4].copy_from_slice(&(index as u16).to_be_bytes());
        fixed[4..8].copy_from_slice(&queued.timestamp.to_be_bytes());
        fixed[8..].copy_from_slice(&ssrc.to_be_bytes());
        out.bytes.extend_from_slice(&fixed);
        let transport_sequence =
            if layout.has_transport_cc() { self.history.push(cx.now, queued.len, kind) } else { 0 };
        let values = Values {
            transport_sequence,
            sent_at: cx.now,
            audio_level: packet.audio_level.unwrap_or(127),
            orientation: packet.orientation.unwrap_or(0),
        };
        layout.write(&mut out.bytes, &values);
        let header_len = out.bytes.len() - start;
        if queued.rtx {
            out.bytes.extend_from_slice(&(queued.index as u16).to_be_bytes());
        }
        let payload = out.bytes.len();
        out.bytes.extend_from_slice(&packet.payload[usize::from(queued.skip)..]);
        if let Some(descriptor) = &packet.vp8 {
            vp8::rewrite(&mut out.bytes[payload..], descriptor, queued.picture_id, queued.tl0_index);
        }
        if padding > 0 {
            let len = out.bytes.len() + usize::from(padding);
            out.bytes.resize(len - 1, 0);
            out.bytes.push(padding as u8);
        }
        keys.protect.protect_rtp(&mut out.bytes, start, header_len, index);
        let size = out.bytes.len() - start;
        push_datagram(out, pair, start, cx.config.gso);
        subscription.count_sent(usize::from(queued.len));
        self.stats.packets_sent.add(1);
        self.stats.bytes_sent.add(size as u64);
        if !queued.rtx && !subscription.replays() {
            worker.forward_us.add(cx.now.since(packet.arrival).as_micros() as u64);
            worker.forward_count.add(1);
        }
        worker.packets_sent.add(1);
        worker.bytes_sent.add(size as u64);
        size
    }

    fn transmit_rtcp(&mut self, out: &mut Outbound) {
        let Some(keys) = &mut self.keys else { return };
        while let Some(packet) = self.rtcp.pop_front() {
            let Some(pair) = self.ice.control_pair(packet.len() + 20) else { continue };
            let start = out.bytes.len();
            out.bytes.extend_from_slice(&packet);
            keys.protect.protect_rtcp(&mut out.bytes, start);
            push_datagram(out, pair, start, false);
        }
    }
}
