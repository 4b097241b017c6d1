//! Which packets of one source to ask for again (RFC 4585 section 6.2.1).

use crate::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

/// Reordering passes within this or within `REORDER_PACKETS`; asking at once would double the traffic
/// of every path that reorders.
const REORDER: Duration = Duration::from_millis(10);
const REORDER_PACKETS: u64 = 3;
/// A round trip below this is taken for this: the answer needs to be sent, too.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// 10 at 100 ms of round trip reach back a second.
const MAX_TRIES: u8 = 10;
/// A quarter of a second at 1,000 packets/s; more is no loss that retransmissions heal.
const MAX_MISSING: usize = 250;
/// What comes later than this no jitter buffer waits for.
const MAX_AGE: Duration = Duration::from_millis(1_500);

#[derive(Debug)]
struct Missing {
    noticed: Time,
    ask_at: Time,
    tries: u8,
}

#[derive(Debug, Default)]
pub struct NackGenerator {
    highest: Option<u64>,
    /// Packets so far that were newer than all before.
    advances: u64,
    missing: BTreeMap<u64, Missing>,
    /// Gaps that may still be reordering: the value of `advances` at which they no longer are.
    fresh: VecDeque<(u64, Range<u64>)>,
}

impl NackGenerator {
    /// A packet came, by whatever way; `seq` is unwrapped.
    pub fn received(&mut self, seq: u64, now: Time) {
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            return;
        };
        if seq <= highest {
            self.missing.remove(&seq);
            return;
        }
        self.highest = Some(seq);
        self.advances += 1;
        if seq > highest + 1 {
            self.notice(highest + 1..seq, now);
        }
        while self.fresh.front().is_some_and(|(at, _)| *at <= self.advances) {
            let Some((_, gap)) = self.fresh.pop_front() else { break };
            for missing in self.missing.range_mut(gap).map(|(_, missing)| missing) {
                missing.ask_at = missing.ask_at.min(now);
            }
        }
    }

    /// Of more than `MAX_MISSING` the oldest are given up.
    fn notice(&mut self, gap: Range<u64>, now: Time) {
        let first = gap.start.max(gap.end.saturating_sub(MAX_MISSING as u64));
        for seq in first..gap.end {
            self.missing.insert(seq, Missing { noticed: now, ask_at: now + REORDER, tries: 0 });
        }
        while self.missing.len() > MAX_MISSING {
            self.missing.pop_first();
        }
        self.fresh.push_back((self.advances + REORDER_PACKETS - 1, gap));
    }

    /// Appends the sequence numbers to ask for now, rising in wrap order.
    pub fn poll(&mut self, now: Time, rtt: Duration, out: &mut Vec<u16>) {
        let interval = rtt.max(MIN_INTERVAL);
        self.missing.retain(|&seq, missing| {
            if missing.ask_at > now {
                return true;
            }
            if now.since(missing.noticed) > MAX_AGE {
                return false;
            }
            out.push(seq as u16);
            missing.ask_at = now + interval;
            missing.tries += 1;
            missing.tries < MAX_TRIES
        });
    }

    /// When `poll` will have something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        self.missing.values().map(|missing| missing.ask_at).min()
    }

    /// Forget everything: the source's numbers start anew.
    pub fn reset(&mut self) {
        *self = NackGenerator::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    const RTT: Duration = Duration::from_millis(50);
    const STARTS: [u64; 4] = [1 << 16, (1 << 16) + 0x7ffe, (1 << 17) - 2, u32::MAX as u64 - 1];

    fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn ask(nack: &mut NackGenerator, now: u64) -> Vec<u16> {
        let mut out = Vec::new();
        nack.poll(ms(now), RTT, &mut out);
        out
    }

    fn after(start: u64, received: &[u64]) -> NackGenerator {
        let mut nack = NackGenerator::default();
        received.iter().for_each(|offset| nack.received(start + offset, ms(0)));
        nack
    }

    #[test]
    fn asks_after_ten_milliseconds_then_every_round_trip() {
        for start in STARTS {
            let mut nack = after(start, &[0, 3]);
            let lost = [(start + 1) as u16, (start + 2) as u16];
            assert_eq!(nack.next_deadline(), Some(ms(10)));
            assert_eq!(ask(&mut nack, 9), [0u16; 0]);
            assert_eq!(ask(&mut nack, 10), lost);
            assert_eq!(nack.next_deadline(), Some(ms(60)));
            assert_eq!(ask(&mut nack, 59), [0u16; 0]);
            assert_eq!(ask(&mut nack, 60), lost);
        }
    }

    #[test]
    fn asks_at_once_when_three_newer_packets_came() {
        for start in STARTS {
            let mut nack = after(start, &[0, 2, 3]);
            assert_eq!(ask(&mut nack, 0), [0u16; 0]);
            nack.received(start + 4, ms(1));
            assert_eq!(nack.next_deadline(), Some(ms(1)));
            assert_eq!(ask(&mut nack, 1), [(start + 1) as u16]);
            assert_eq!(ask(&mut nack, 10), [0u16; 0]);
        }
    }

    #[test]
    fn what_came_is_asked_for_no_more() {
        for start in STARTS {
            let mut nack = after(start, &[0, 3]);
            ask(&mut nack, 10);
            nack.received(start + 1, ms(20));
            assert_eq!(ask(&mut nack, 60), [(start + 2) as u16]);
            nack.received(start + 2, ms(70));
            assert_eq!(nack.next_deadline(), None);
        }
    }

    #[test]
    fn gives_up_after_ten_tries_and_after_a_second_and_a_half() {
        let mut nack = after(1 << 16, &[0, 2]);
        let mut tries = 0;
        while let Some(at) = nack.next_deadline() {
            let mut out = Vec::new();
            nack.poll(at, Duration::ZERO, &mut out);
            tries += out.len();
            assert!(at <= ms(10 + 9 * 20));
        }
        assert_eq!(tries, 10);

        let mut nack = after(1 << 16, &[0, 2]);
        let mut asked = Vec::new();
        while let Some(at) = nack.next_deadline() {
            let mut out = Vec::new();
            nack.poll(at, Duration::from_millis(400), &mut out);
            asked.extend(out.iter().map(|_| at));
        }
        assert_eq!(asked, [ms(10), ms(410), ms(810), ms(1_210)]);
    }

    #[test]
    fn keeps_the_newest_250() {
        let mut nack = after(1 << 16, &[0, 200, 400, 100_000]);
        let expected: Vec<u16> = (100_000 - 250..100_000).map(|i| i as u16).collect();
        assert_eq!(ask(&mut nack, 10), expected);
    }

    #[test]
    fn reset_starts_anew() {
        let mut nack = after(1 << 20, &[0, 5]);
        nack.reset();
        nack.received(1 << 16, ms(1));
        assert_eq!(nack.next_deadline(), None);
    }

    /// 5 % loss in both directions, some reordering: what can be recovered is, and nothing is asked for
    /// that was not lost or late.
    #[test]
    fn recovers_from_loss() {
        for seed in 0..20 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut nack = NackGenerator::default();
            let start = STARTS[seed as usize % STARTS.len()];
            // Events in order of arrival: (time in us, seq).
            let mut arrivals = BTreeMap::new();
            let mut missing = BTreeMap::new();
            for i in 0..5_000u64 {
                let delay = if rng.random_ratio(1, 100) { rng.random_range(0..5_000) } else { 0 };
                if i == 0 || !rng.random_ratio(1, 20) {
                    arrivals.insert((i * 1_000 + delay, i), start + i);
                } else {
                    missing.insert(start + i, ());
                }
            }
            let mut asks = 0;
            let mut now = 0;
            while let Some(((at, _), seq)) = arrivals.pop_first() {
                while let Some(deadline) = nack.next_deadline().filter(|d| d.micros() <= at) {
                    now = now.max(deadline.micros());
                    let mut out = Vec::new();
                    nack.poll(Time::from_micros(now), RTT, &mut out);
                    asks += out.len() as u64;
                    for lost in out {
                        let wide = (start..start + 5_000).find(|seq| *seq as u16 == lost).unwrap();
                        if !rng.random_ratio(1, 20) && missing.remove(&wide).is_some() {
                            arrivals.insert((now + 45_000, 1 << 40 | wide), wide);
                        }
                    }
                }
                now = now.max(at);
                nack.received(seq, Time::from_micros(now));
            }
            assert!(missing.keys().all(|&seq| seq > start + 4_900), "seed {seed}: {missing:?}");
            assert!(asks < 400, "seed {seed}: {asks} asks for about 250 lost packets");
        }
    }
}
