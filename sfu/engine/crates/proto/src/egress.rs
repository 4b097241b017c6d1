//! What waits to leave on one transport, in which order and how fast.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::packet::Packet;
use crate::time::Time;

/// A run of packets sent at once lasts at most this long at the pacing rate.
const BURST: Duration = Duration::from_millis(5);

/// What a home connection takes: below this pacing would only add delay.
const SLOWEST_BPS: u64 = 20_000_000;

/// Headroom over the bitrate of what is forwarded: a keyframe of eight average frames leaves in two.
const HEADROOM: u64 = 4;

/// A packet on its way out, not yet encrypted.
#[derive(Debug, Clone)]
pub struct Queued {
    pub packet: Arc<Packet>,
    /// Index of its subscription in the transport.
    pub subscription: u16,
    /// Where the payload that leaves begins in the packet's: behind the rest of RED (RFC 2198).
    pub skip: u16,
    /// Bytes of payload, kept here so that grouping by size touches no packet.
    pub len: u16,
    pub rtx: bool,
    /// 48-bit packet index: rollover counter and sequence number (RFC 3711 section 3.3.1). For RTX it is
    /// the original's.
    pub index: u64,
    pub timestamp: u32,
    pub payload_type: u8,
    /// VP8 picture id and TL0PICIDX to write, where the packet has them.
    pub picture_id: u16,
    pub tl0_index: u8,
}

/// The order of leaving: sound, retransmissions, video; replays come when all are empty.
#[derive(Debug, Default)]
pub struct Queues {
    sound: VecDeque<Queued>,
    rtx: VecDeque<Queued>,
    video: VecDeque<Queued>,
}

impl Queues {
    pub fn push_sound(&mut self, queued: Queued) {
        self.sound.push_back(queued);
    }

    pub fn push_rtx(&mut self, queued: Queued) {
        self.rtx.push_back(queued);
    }

    pub fn push_video(&mut self, queued: Queued) {
        self.video.push_back(queued);
    }

    /// Let an empty queue of video have the memory of another, and take it back: what a frame fills and empties
    /// at once is then in the cache for every viewer.
    pub fn lend_video(&mut self, memory: &mut VecDeque<Queued>) {
        if self.video.is_empty() {
            std::mem::swap(&mut self.video, memory);
        }
    }

    pub fn pop_sound(&mut self) -> Option<Queued> {
        self.sound.pop_front()
    }

    pub fn pop_paced(&mut self) -> Option<Queued> {
        self.rtx.pop_front().or_else(|| self.video.pop_front())
    }

    /// Drop waiting video of one subscription: its peer is too slow, and a keyframe will start it again.
    pub fn drop_video(&mut self, subscription: u16) -> usize {
        let before = self.video.len();
        self.video.retain(|q| q.subscription != subscription);
        before - self.video.len()
    }

    /// Drop everything of a subscription that ended.
    pub fn drop_all_of(&mut self, subscription: u16) {
        for queue in [&mut self.sound, &mut self.rtx, &mut self.video] {
            queue.retain(|q| q.subscription != subscription);
        }
    }

    /// The largest of the next few video payloads that is at most `slack` larger than `len`: a byte or
    /// two of RTP padding then makes a frame's packets one GSO message.
    pub fn equal_len(&self, len: u16, slack: u16) -> u16 {
        self.video.iter().take(8).map(|q| q.len).filter(|&l| l > len && l <= len + slack).max().unwrap_or(len)
    }

    pub fn len(&self) -> usize {
        self.sound.len() + self.rtx.len() + self.video.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn only_sound(&self) -> bool {
        self.rtx.is_empty() && self.video.is_empty()
    }

    /// Give back what a burst took: 1,000 viewers' queues are otherwise never small again.
    pub fn shrink(&mut self) {
        for queue in [&mut self.sound, &mut self.rtx, &mut self.video] {
            if queue.is_empty() && queue.capacity() > 64 {
                queue.shrink_to(16);
            }
        }
    }
}

/// How much a sender that is called late may make up for: what a busy worker's turn lasts at most.
const LATE: Duration = Duration::from_millis(100);

/// Replays begin at once as long as those begun are done within this at the budget's rate: 50 joiners of
/// 5 Mb/s at 1 Gb/s.
const REPLAYS_AT_ONCE: Duration = Duration::from_millis(250);

/// A leaky bucket: when the next paced packet may leave.
#[derive(Debug, Default)]
pub struct Pacer {
    next: Time,
    /// Something has waited since the last packet: time that passed was not idle.
    waits: bool,
}

impl Pacer {
    /// The rate for media of `bitrate_bps` together.
    pub fn rate(bitrate_bps: u64) -> u64 {
        (bitrate_bps * HEADROOM).max(SLOWEST_BPS)
    }

    pub fn ready(&self, now: Time) -> bool {
        self.next <= now
    }

    pub fn next(&self) -> Time {
        self.next
    }

    /// Whether something is left that waits for its turn.
    pub fn leave(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// `bytes` left at `now`, at `rate_bps`.
    pub fn sent(&mut self, now: Time, bytes: usize, rate_bps: u64) {
        let spent = Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / rate_bps.max(1));
        // The bucket holds a burst: idle time beyond it is not saved up. Time in which a packet was due and
        // nobody came is not lost: else a busy worker would never send what it has.
        let start = self.next.max(now - if self.waits { LATE } else { BURST });
        self.next = start + spent;
    }
}

/// A worker's allowance for replays. Who would not get through in time begins none: too slow a replay falls
/// behind the live edge for ever.
#[derive(Debug, Default)]
pub struct ReplayBudget(Pacer);

impl ReplayBudget {
    /// Whether another may begin.
    pub fn admits(&self, now: Time) -> bool {
        self.0.next() <= now + REPLAYS_AT_ONCE
    }

    /// One of `bytes` begins.
    pub fn admit(&mut self, now: Time, bytes: usize, rate_bps: u64) {
        self.0.sent(now, bytes, rate_bps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_called_late_makes_up_for_it_only_if_something_waited() {
        for (waits, expected) in [(false, 6), (true, 50)] {
            let mut pacer = Pacer::default();
            let mut now = Time::from_micros(1_000_000);
            while pacer.ready(now) {
                pacer.sent(now, 1_250, 10_000_000); // 1 ms each
            }
            pacer.leave(waits);
            now += Duration::from_millis(50);
            let mut sent = 0;
            while pacer.ready(now) {
                pacer.sent(now, 1_250, 10_000_000);
                sent += 1;
            }
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn replays_begin_as_far_as_the_budget_goes() {
        let mut budget = ReplayBudget::default();
        let now = Time::from_micros(1_000_000);
        let mut begun = 0;
        while budget.admits(now) {
            budget.admit(now, 625_000, 1_000_000_000); // 1 s of 5 Mb/s: 5 ms of the budget
            begun += 1;
        }
        assert_eq!(begun, 52);
        assert!(budget.admits(now + Duration::from_millis(5)));
    }

    #[test]
    fn a_burst_lasts_five_milliseconds_and_the_rate_holds() {
        let mut pacer = Pacer::default();
        let mut now = Time::from_micros(1_000_000);
        let mut burst = 0;
        while pacer.ready(now) {
            pacer.sent(now, 1_250, 10_000_000); // 1 ms each
            burst += 1;
        }
        assert_eq!(burst, 6);
        let mut sent = 0;
        for _ in 0..1_000 {
            now += Duration::from_millis(1);
            while pacer.ready(now) {
                pacer.sent(now, 1_250, 10_000_000);
                sent += 1;
            }
        }
        assert_eq!(sent, 1_000);
    }
}
