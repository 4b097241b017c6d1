//! A track's packets on their way to subscribers: held until their frame is whole.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::fan_out::FanOut;
use super::Worker;
use crate::message::{Kind, Message, TrackId};
use crate::packet::{Packet, Report};
use crate::time::Time;

/// A frame of more packets begins to leave before it is whole: 40 of 1,200 bytes are nearly one GSO message.
const MOST_HELD: usize = 40;

/// How long reading may rest for each viewer of a frame that is not whole, and at most. Nine packets for a viewer
/// take a worker 14 us: a frame's way to its last viewer grows by a quarter at most, to a single one not at all.
const REST_PER_VIEWER: Duration = Duration::from_micros(4);
/// Nine packets that a publisher sends one after the other are there after 100 to 170 us.
const MOST_REST: Duration = Duration::from_micros(200);

/// Deadlines of frames that are not whole, in order: all wait equally long. Frames that became whole leave
/// theirs behind until `release_due`.
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
            let viewers = u32::try_from(track.subscribers.len()).unwrap_or(u32::MAX);
            self.rest = now + REST_PER_VIEWER.saturating_mul(viewers).min(MOST_REST);
        }
    }

    /// Until when the driver may leave its sockets unread, if the rest of a frame is to be expected by then:
    /// read together its packets cost one wake-up, and nobody could be sent any of them before the last.
    pub fn poll_rest(&self) -> Option<Time> {
        let &(at, id, encoding) = self.holds.0.back()?;
        self.is_waiting(at, id, encoding).then_some(self.rest)
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
    use crate::track::Place;

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

    fn owner(workers: usize, now: Time) -> Worker {
        let config = Config { workers, ..Config::default() };
        let mut worker = Worker::new(0, config, Arc::new(Directory::new(workers)));
        let spec = InjectSpec { id: TRACK, kind: Kind::Video, codec: codec("VP8", 96), rids: vec![] };
        worker.handle_message(now, Message::Command(Command::OpenInjector(spec)));
        worker
    }

    #[test]
    fn reading_rests_as_long_as_a_frame_may_be_whole_by_then() {
        for (viewers, rest_us) in [(1, 4), (20, 80), (1_000, 200)] {
            let now = Time::from_micros(1_000_000);
            let mut worker = owner(1, now);
            let places = (0..viewers).map(|transport| Place { transport, subscription: 0 });
            worker.tracks.get_mut(&TRACK).unwrap().subscribers.extend(places);
            assert_eq!(worker.poll_rest(), None);
            inject(&mut worker, now, 1, false);
            let until = now + Duration::from_micros(rest_us);
            assert_eq!(worker.poll_rest(), Some(until));
            inject(&mut worker, until, 2, false); // which is not waited for again
            assert_eq!(worker.poll_rest(), Some(until));
            inject(&mut worker, until, 3, true);
            assert_eq!(worker.poll_rest(), None);
        }
    }

    #[test]
    fn who_comes_while_a_frame_is_under_way_gets_it_once() {
        let now = Time::from_micros(1_000_000);
        let mut worker = owner(2, now);
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
