//! The history of one encoding: what retransmissions and joiners are served from.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Limits;
use crate::packet::Packet;
use crate::time::Time;

/// Packets of the last seconds, addressed by their unwrapped sequence number.
#[derive(Debug, Default)]
pub struct Ring {
    /// Slot `i` holds the packet `first + i`, if it came.
    slots: VecDeque<Option<Arc<Packet>>>,
    first: u64,
    bytes: usize,
    /// Sequence numbers at which keyframes start, oldest first.
    keyframes: VecDeque<u64>,
}

/// Kept beyond the age up to which groups of pictures are replayed, for retransmissions of the replay.
const SLACK: Duration = Duration::from_millis(500);

/// A gap this wide is a new start, not a loss: 1,000 packets are 4 s of a 2.5 Mb/s stream.
pub const WIDEST_GAP: u64 = 1_000;

impl Ring {
    pub fn push(&mut self, packet: Arc<Packet>, limits: &Limits) {
        let seq = packet.seq;
        if !self.slots.is_empty() && seq >= self.next() + WIDEST_GAP {
            self.clear();
        }
        if self.slots.is_empty() {
            self.first = seq;
        }
        if seq < self.first {
            return; // older than all that is kept
        }
        while self.next() <= seq {
            self.slots.push_back(None);
        }
        if packet.keyframe_start {
            let at = self.keyframes.partition_point(|&k| k < seq);
            if self.keyframes.get(at) != Some(&seq) {
                self.keyframes.insert(at, seq);
            }
        }
        let oldest = packet.arrival - (limits.replay_age + SLACK);
        let slot = &mut self.slots[(seq - self.first) as usize];
        if slot.is_none() {
            self.bytes += packet.payload.len();
            *slot = Some(packet);
        }
        while self.slots.len() > limits.history_packets
            || self.bytes > limits.history_bytes
            || matches!(self.slots.front(), Some(None))
            || matches!(self.slots.front(), Some(Some(p)) if p.arrival < oldest)
        {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(Some(packet)) = self.slots.pop_front() {
            self.bytes -= packet.payload.len();
        }
        self.first += 1;
        while self.keyframes.front().is_some_and(|&k| k < self.first) {
            self.keyframes.pop_front();
        }
    }

    pub fn clear(&mut self) {
        *self = Ring::default();
    }

    pub fn get(&self, seq: u64) -> Option<&Arc<Packet>> {
        let at = seq.checked_sub(self.first)?;
        self.slots.get(usize::try_from(at).ok()?)?.as_ref()
    }

    /// The sequence number after the newest packet.
    pub fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The newest packet.
    pub fn last(&self) -> Option<&Arc<Packet>> {
        self.slots.back()?.as_ref()
    }

    /// The oldest packet.
    pub fn first(&self) -> Option<&Arc<Packet>> {
        self.slots.front()?.as_ref()
    }

    /// Where the current group of pictures begins, if its keyframe is no older than `age`.
    pub fn group_of_pictures(&self, now: Time, age: Duration) -> Option<u64> {
        let &start = self.keyframes.back()?;
        let packet = self.get(start)?;
        (now.since(packet.arrival) <= age).then_some(start)
    }

    /// Packets in order from `seq` on, losses left out.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Packet>> {
        let skip = seq.saturating_sub(self.first) as usize;
        self.slots.iter().skip(skip).flatten()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::packet;

    #[test]
    fn keeps_order_and_finds_the_group_of_pictures() {
        let limits = Limits::default();
        let mut ring = Ring::default();
        for seq in [10u64, 12, 11, 14] {
            ring.push(packet(seq, Time::from_micros(seq * 1000), seq == 11), &limits);
        }
        assert_eq!(ring.from(0).map(|p| p.seq).collect::<Vec<_>>(), [10, 11, 12, 14]);
        assert!(ring.get(13).is_none());
        let now = Time::from_micros(20_000);
        assert_eq!(ring.group_of_pictures(now, Duration::from_secs(1)), Some(11));
        assert_eq!(ring.group_of_pictures(now, Duration::from_millis(1)), None);
    }

    #[test]
    fn is_bounded_by_packets_bytes_and_age() {
        let limits = Limits { history_packets: 5, ..Limits::default() };
        let mut ring = Ring::default();
        for seq in 0..100 {
            ring.push(packet(seq, Time::from_micros(seq), true), &limits);
        }
        assert_eq!(ring.from(0).count(), 5);
        assert!(ring.keyframes.len() <= 5);
        ring.push(packet(100, Time::from_micros(60_000_000), false), &limits);
        assert_eq!(ring.from(0).map(|p| p.seq).collect::<Vec<_>>(), [100]);
        let limits = Limits { history_bytes: 150, ..Limits::default() };
        let mut ring = Ring::default();
        for seq in 0..100 {
            ring.push(packet(seq, Time::ZERO, false), &limits);
            assert!(ring.bytes() <= 150);
        }
    }

    #[test]
    fn a_wide_gap_starts_anew_and_old_packets_are_ignored() {
        let limits = Limits::default();
        let mut ring = Ring::default();
        ring.push(packet(5, Time::ZERO, true), &limits);
        ring.push(packet(5_000_000, Time::ZERO, true), &limits);
        ring.push(packet(4, Time::ZERO, true), &limits);
        assert_eq!(ring.from(0).map(|p| p.seq).collect::<Vec<_>>(), [5_000_000]);
    }
}
