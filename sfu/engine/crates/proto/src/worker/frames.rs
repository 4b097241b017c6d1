//! A track's packets on their way to subscribers: held until their frame is whole, then fanned out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::timers::report_of;
use super::{Worker, ARENA};
use crate::message::{Kind, Message, TrackId};
use crate::outbound::Outbound;
use crate::packet::{Packet, Report};
use crate::subscription::Wish;
use crate::time::Time;
use crate::track::Place;
use crate::transport::Context;

/// A frame of more packets begins to leave before it is whole: 40 of 1,200 bytes are nearly one GSO message.
const MOST_HELD: usize = 40;

/// A sender report that is due within this leaves with a frame, and needs no wake-up of its own: until the next
/// frame at 25 a second.
const REPORT_EARLY: Duration = Duration::from_millis(40);

/// Deadlines of frames that are not whole, in order: all wait equally long. Frames that became whole leave
/// theirs behind until `release_due`.
#[derive(Debug, Default)]
pub struct Holds(VecDeque<(Time, TrackId, u8)>);

impl Holds {
    pub fn next(&self) -> Option<Time> {
        self.0.front().map(|&(at, ..)| at)
    }
}

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
    fn new(track: TrackId, packets: Vec<Arc<Packet>>) -> FanOut {
        FanOut { track, packets, begun: false, next: 0, keyframes: 0, moved: Vec::new() }
    }
}

impl Worker {
    /// A packet of a track that this worker fills. Video waits for the last packet of its frame, so that a
    /// viewer gets the frame in one GSO message; nobody could show it before that packet either.
    pub(super) fn publish(&mut self, now: Time, id: TrackId, packet: Arc<Packet>) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        let (video, number) = (track.kind == Kind::Video, packet.encoding);
        let Some(encoding) = track.encodings.get_mut(usize::from(number)) else { return };
        let place = (packet.generation, packet.seq);
        let late = place < encoding.released
            || encoding.held.last().is_some_and(|last| place < (last.generation, last.seq));
        let whole = packet.marker || late || !video || self.config.hold.is_zero();
        encoding.held.push(packet);
        if whole || encoding.held.len() >= MOST_HELD {
            self.release(id, number);
            self.release_due(now);
        } else if encoding.held.len() == 1 {
            self.holds.0.push_back((now + self.config.hold, id, number));
        }
    }

    /// What has waited for the rest of its frame long enough leaves without it.
    pub(super) fn release_due(&mut self, now: Time) {
        while let Some(&(at, id, encoding)) = self.holds.0.front() {
            if self.is_waiting(at, id, encoding) {
                if at > now {
                    return;
                }
                self.release(id, encoding);
            }
            self.holds.0.pop_front();
        }
    }

    /// Whether the frame that this deadline was set for still waits for its rest.
    fn is_waiting(&self, at: Time, id: TrackId, encoding: u8) -> bool {
        let encoding = self.tracks.get(&id).and_then(|t| t.encodings.get(usize::from(encoding)));
        let first = encoding.and_then(|e| e.held.first());
        first.is_some_and(|packet| packet.arrival + self.config.hold <= at)
    }

    /// To other workers and to all who are here.
    fn release(&mut self, id: TrackId, encoding: u8) {
        let track = self.tracks.get_mut(&id);
        let Some(encoding) = track.and_then(|t| t.encodings.get_mut(usize::from(encoding))) else { return };
        let packets = std::mem::take(&mut encoding.held);
        let Some(last) = packets.iter().max_by_key(|packet| (packet.generation, packet.seq)) else { return };
        encoding.released = encoding.released.max((last.generation, last.seq));
        if let Some(workers) = self.interest.get(&id) {
            for &worker in workers {
                self.messages.push_back((worker, Message::Published { track: id, packets: packets.clone() }));
            }
        }
        self.fan_outs.push_back(FanOut::new(id, packets));
    }

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
            fan_out.next += 1;
            let slot = place.transport as usize;
            let Some(transport) = self.transports.get_mut(slot).and_then(Option::as_mut) else { continue };
            if !transport.can_send() {
                continue;
            }
            transport.settle_sound(now, place.subscription);
            let mut any = false;
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
            if transport.next_report() <= now + REPORT_EARLY {
                let info = report_of(now, &self.tracks, &self.config);
                transport.write_reports(now, now + REPORT_EARLY, info);
            }
            let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
            // Whole, since a frame cut in two would be two messages: its pacer bounds what leaves.
            transport.transmit(&mut cx, &self.tracks, &self.stats, out, usize::MAX);
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

    /// A sender report of a track that this worker fills, behind the packets that came before it.
    pub(super) fn publish_report(&mut self, id: TrackId, encoding: u8, report: Report) {
        self.release(id, encoding);
        self.finish_fan_outs(report.arrival);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::directory::Directory;
    use crate::message::{Command, InjectSpec, InjectedPacket};
    use crate::testing::codec;

    const TRACK: TrackId = 1;

    fn inject(worker: &mut Worker, now: Time, sequence: u16, marker: bool) {
        let payload = vec![0x10; 50];
        let packet = InjectedPacket { sequence, timestamp: 3_000, marker, payload, audio_level: None };
        let command = Command::Inject { track: TRACK, rid: String::new(), packets: vec![packet] };
        worker.handle_message(now, Message::Command(command));
    }

    /// Packets that the other worker was sent: as history, and as they were published.
    fn sent(worker: &mut Worker) -> (usize, usize) {
        let (mut history, mut published) = (0, 0);
        while let Some((_, message)) = worker.poll_message() {
            match message {
                Message::History { packets, .. } => history += packets.len(),
                Message::Published { packets, .. } => published += packets.len(),
                _ => {}
            }
        }
        (history, published)
    }

    #[test]
    fn who_comes_while_a_frame_is_under_way_gets_it_once() {
        let config = Config { workers: 2, ..Config::default() };
        let mut worker = Worker::new(0, config, Arc::new(Directory::new(2)));
        let now = Time::from_micros(1_000_000);
        let spec = InjectSpec { id: TRACK, kind: Kind::Video, codec: codec("VP8", 96), rids: vec![] };
        worker.handle_message(now, Message::Command(Command::OpenInjector(spec)));
        inject(&mut worker, now, 1, true); // released, and nobody has polled yet
        inject(&mut worker, now, 2, false); // waits for the end of its frame
        worker.handle_message(now, Message::Interest { track: TRACK, from: 1 });
        assert_eq!(sent(&mut worker), (1, 0));
        inject(&mut worker, now, 3, true);
        assert_eq!(sent(&mut worker), (0, 2));
        assert_eq!(worker.holds.next(), None); // nobody is to be woken for a frame that has left
        worker.handle_message(now, Message::Interest { track: TRACK, from: 1 });
        assert_eq!(sent(&mut worker), (3, 0));
    }
}
