//! A track's packets on their way to subscribers: held until their frame is whole, then fanned out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Worker;
use crate::message::{Kind, Message, TrackId};
use crate::packet::{Packet, Report};
use crate::subscription::Wish;
use crate::time::Time;
use crate::track::Place;

/// A frame of more packets begins to leave before it is whole: 40 of 1,200 bytes are nearly one GSO message.
const MOST_HELD: usize = 40;

/// Deadlines of frames that are not whole, in order: all wait equally long. Frames that became whole leave
/// theirs behind.
#[derive(Debug, Default)]
pub struct Holds(VecDeque<(Time, TrackId, u8)>);

impl Holds {
    pub fn next(&self) -> Option<Time> {
        self.0.front().map(|&(at, ..)| at)
    }
}

impl Worker {
    /// A packet of a track that this worker fills. Video waits for the last packet of its frame, so that a
    /// viewer gets the frame in one GSO message; nobody could show it before that packet either.
    pub(super) fn publish(&mut self, now: Time, id: TrackId, packet: Arc<Packet>) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let (video, number) = (track.kind == Kind::Video, packet.encoding);
        let Some(encoding) = track.encodings.get_mut(usize::from(number)) else { return };
        let late =
            packet.seq < encoding.ring.next() || encoding.held.last().is_some_and(|p| packet.seq < p.seq);
        let whole = packet.marker || late || !video || self.config.hold.is_zero();
        encoding.held.push(packet);
        if whole || encoding.held.len() >= MOST_HELD {
            self.release(now, id, number);
        } else if encoding.held.len() == 1 {
            self.holds.0.push_back((now + self.config.hold, id, number));
        }
    }

    /// What has waited for the rest of its frame long enough leaves without it.
    pub(super) fn release_due(&mut self, now: Time) {
        while let Some(&(at, id, encoding)) = self.holds.0.front().filter(|(at, ..)| *at <= now) {
            self.holds.0.pop_front();
            let held = self.tracks.get(&id).and_then(|t| t.encodings.get(usize::from(encoding)));
            let since = held.and_then(|e| e.held.first()).map(|packet| packet.arrival);
            if since.is_some_and(|since| since + self.config.hold <= at) {
                self.release(now, id, encoding);
            }
        }
    }

    /// To other workers and to all who are here.
    fn release(&mut self, now: Time, id: TrackId, encoding: u8) {
        let track = self.tracks.get_mut(&id);
        let Some(encoding) = track.and_then(|t| t.encodings.get_mut(usize::from(encoding))) else { return };
        let packets = std::mem::take(&mut encoding.held);
        if packets.is_empty() {
            return;
        }
        if let Some(workers) = self.interest.get(&id) {
            for &worker in workers {
                self.messages.push_back((worker, Message::Published { track: id, packets: packets.clone() }));
            }
        }
        self.deliver(now, id, &packets);
    }

    /// Packets of a track that another worker fills.
    pub(super) fn take_published(&mut self, now: Time, id: TrackId, packets: &[Arc<Packet>]) {
        let own: Vec<Arc<Packet>> = packets.iter().map(|packet| Arc::new(Packet::clone(packet))).collect();
        self.deliver(now, id, &own);
    }

    /// To every subscription and tap on this worker: all packets to one before the next one's turn, since its
    /// state is in the cache then.
    fn deliver(&mut self, now: Time, id: TrackId, packets: &[Arc<Packet>]) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        for packet in packets {
            track.push(packet, &self.config.limits);
        }
        let Some(track) = self.tracks.get(&id) else { return };
        let mut keyframes = 0u64;
        let mut moved: Vec<(Place, Wish)> = Vec::new();
        for &place in &track.subscribers {
            let slot = place.transport as usize;
            let Some(transport) = self.transports.get_mut(slot).and_then(Option::as_mut) else { continue };
            if !transport.can_send() {
                continue;
            }
            let mut any = false;
            for packet in packets {
                let Some(subscription) = transport.subscription_mut(place.subscription) else { break };
                let (queued, wish) = subscription.forward(now, place.subscription, id, track, packet);
                match wish {
                    Wish::Nothing => {}
                    Wish::Keyframe(encoding) => keyframes |= 1 << (encoding & 63),
                    Wish::Switched | Wish::Mismatch => moved.push((place, wish)),
                }
                let Some(queued) = queued else { continue };
                any = true;
                if !transport.enqueue(queued, track.kind, self.config.limits.queue_packets) {
                    transport.overflow(place.subscription);
                    if let Some(subscription) = transport.subscription_mut(place.subscription) {
                        subscription.stop();
                    }
                    keyframes |= 1 << (packet.encoding & 63);
                }
            }
            if any && !transport.dirty {
                transport.dirty = true;
                self.dirty.push_back(place.transport);
            }
        }
        if !track.taps.is_empty() {
            for packet in packets {
                keyframes |= self.deliver_to_taps(now, id, packet);
            }
        }
        for (place, wish) in moved {
            self.grant(now, place, wish);
        }
        if keyframes != 0 {
            for encoding in 0..64u8 {
                if keyframes & 1 << encoding != 0 {
                    self.request_keyframe(now, id, encoding);
                }
            }
        }
    }

    /// A sender report of a track that this worker fills, behind the packets that came before it.
    pub(super) fn publish_report(&mut self, id: TrackId, encoding: u8, report: Report) {
        self.release(report.arrival, id, encoding);
        if let Some(workers) = self.interest.get(&id) {
            for &worker in workers {
                self.messages.push_back((worker, Message::Reported { track: id, encoding, report }));
            }
        }
        self.deliver_report(id, encoding, report);
    }

    pub(super) fn deliver_report(&mut self, id: TrackId, encoding: u8, report: Report) {
        if let Some(track) = self.tracks.get_mut(&id) {
            track.report(encoding, report);
        }
        self.report_to_taps(id, encoding, report);
    }
}
