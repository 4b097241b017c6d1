//! A track's packets to its subscribers, one of these after the other.

use std::sync::Arc;
use std::time::Duration;

use super::timers::report_of;
use super::{Worker, ARENA};
use crate::message::TrackId;
use crate::outbound::Outbound;
use crate::packet::Packet;
use crate::prefetch::prefetch;
use crate::subscription::Wish;
use crate::time::Time;
use crate::track::Place;
use crate::transport::{Context, Transport};

/// A sender report or a check of the path that is due within this leaves with a frame, and needs no wake-up of
/// its own: until the next frame at 25 a second.
const EARLY: Duration = Duration::from_millis(40);

/// Packets of a track on their way to its subscribers, one of these after the other.
#[derive(Debug)]
pub struct FanOut {
    track: TrackId,
    packets: Vec<Arc<Packet>>,
    /// The packets are in the track's history.
    begun: bool,
    /// Whose turn it is, by its place among the track's subscribers.
    next: usize,
    /// Encodings of which keyframes are wanted, as bits.
    keyframes: u64,
    moved: Vec<(Place, Wish)>,
}

impl FanOut {
    pub(super) fn new(track: TrackId, packets: Vec<Arc<Packet>>) -> FanOut {
        FanOut { track, packets, begun: false, next: 0, keyframes: 0, moved: Vec::new() }
    }
}

/// Ask for the state of subscribers whose turn is next, the nearest in full.
fn prefetch_ahead(transports: &[Option<Transport>], subscribers: &[Place]) {
    let ahead = |by: usize| {
        let place = subscribers.get(by)?;
        transports.get(place.transport as usize)
    };
    if let Some(far) = ahead(3) {
        prefetch(far);
    }
    if let Some(Some(near)) = ahead(2) {
        near.prefetch();
    }
    if let Some(Some(next)) = ahead(1) {
        next.prefetch_deep();
    }
}

impl Worker {
    /// Packets of a track that another worker fills.
    pub(super) fn take_published(&mut self, id: TrackId, packets: &[Arc<Packet>]) {
        let own = packets.iter().map(|packet| Arc::new(Packet::clone(packet))).collect();
        self.fan_outs.push_back(FanOut::new(id, own));
    }

    /// Bring what waits in `fan_outs` to its subscribers' queues. Whatever looks at subscriptions or history
    /// comes after that: packets that are in the history already and still to be queued would leave twice.
    pub(super) fn finish_fan_outs(&mut self, now: Time) {
        while let Some(mut fan_out) = self.fan_outs.pop_front() {
            self.begin(&mut fan_out);
            self.serve(now, &mut fan_out, None);
            self.end(now, fan_out);
        }
    }

    /// The same straight into the arena, each subscriber's packets while its state is in the cache. True if the
    /// arena is full before all had their turn.
    pub(super) fn transmit_fan_outs(&mut self, now: Time, out: &mut Outbound) -> bool {
        while let Some(mut fan_out) = self.fan_outs.pop_front() {
            self.begin(&mut fan_out);
            if self.serve(now, &mut fan_out, Some(&mut *out)) {
                self.fan_outs.push_front(fan_out);
                return true;
            }
            self.end(now, fan_out);
        }
        false
    }

    fn begin(&mut self, fan_out: &mut FanOut) {
        if std::mem::replace(&mut fan_out.begun, true) {
            return;
        }
        if let Some(track) = self.tracks.get_mut(&fan_out.track) {
            for packet in &fan_out.packets {
                track.push(packet, &self.config.limits);
            }
        }
    }

    fn serve(&mut self, now: Time, fan_out: &mut FanOut, mut out: Option<&mut Outbound>) -> bool {
        let Some(track) = self.tracks.get(&fan_out.track) else { return false };
        while let Some(&place) = track.subscribers.get(fan_out.next) {
            prefetch_ahead(&self.transports, &track.subscribers[fan_out.next..]);
            fan_out.next += 1;
            let slot = place.transport as usize;
            let Some(transport) = self.transports.get_mut(slot).and_then(Option::as_mut) else { continue };
            if !transport.can_send() {
                continue;
            }
            transport.settle_sound(now, place.subscription);
            let mut any = false;
            if out.is_some() {
                transport.lend_video(&mut self.scratch);
            }
            for packet in &fan_out.packets {
                let Some(subscription) = transport.subscription_mut(place.subscription) else { break };
                let (queued, wish) =
                    subscription.forward(now, place.subscription, fan_out.track, track, packet);
                match wish {
                    Wish::Nothing => {}
                    Wish::Keyframe(encoding) => fan_out.keyframes |= 1 << (encoding & 63),
                    Wish::Switched | Wish::Mismatch => fan_out.moved.push((place, wish)),
                }
                let Some(queued) = queued else { continue };
                any = true;
                if !transport.enqueue(queued, track.kind, self.config.limits.queue_packets) {
                    transport.overflow(place.subscription);
                    if let Some(subscription) = transport.subscription_mut(place.subscription) {
                        subscription.stop();
                    }
                    fan_out.keyframes |= 1 << (packet.encoding & 63);
                }
            }
            if !any || transport.dirty {
                continue;
            }
            let Some(out) = &mut out else {
                transport.dirty = true;
                self.dirty.push_back(place.transport);
                continue;
            };
            let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
            transport.handle_early(&mut cx, now + EARLY, report_of(now, &self.tracks, &self.config));
            // Whole, since a frame cut in two would be two messages: its pacer bounds what leaves.
            transport.transmit(&mut cx, &self.tracks, &self.stats, out, usize::MAX);
            transport.lend_video(&mut self.scratch);
            self.timers.reschedule(transport, place.transport, &self.config);
            if out.bytes.len() >= ARENA {
                return true;
            }
        }
        false
    }

    fn end(&mut self, now: Time, fan_out: FanOut) {
        let FanOut { track: id, packets, mut keyframes, moved, .. } = fan_out;
        if self.tracks.get(&id).is_some_and(|track| !track.taps.is_empty()) {
            for packet in &packets {
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
}
