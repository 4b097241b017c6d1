//! Bounds on one publisher: what it sends is multiplied by its viewers.

use std::time::Duration;

use crate::config::Limits;
use crate::time::Time;

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    Drop,
    Close,
}

#[derive(Debug, Default)]
pub struct Meter {
    second: Time,
    bits: u64,
    packets: u32,
    over: bool,
    /// In a row past the bounds.
    seconds_over: u32,
}

impl Meter {
    pub fn take(&mut self, now: Time, bytes: usize, limits: &Limits) -> Verdict {
        if now.since(self.second) >= Duration::from_secs(1) {
            self.seconds_over = if self.over { self.seconds_over + 1 } else { 0 };
            (self.second, self.bits, self.packets, self.over) = (now, 0, 0, false);
        }
        self.bits += bytes as u64 * 8;
        self.packets += 1;
        if self.bits <= limits.publisher_bps && self.packets <= limits.publisher_packets_per_s {
            return Verdict::Fine;
        }
        self.over = true;
        if u64::from(self.seconds_over) >= limits.publisher_patience.as_secs() {
            return Verdict::Close;
        }
        Verdict::Drop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_excess_and_closes_after_five_seconds_of_it() {
        let limits = Limits { publisher_bps: 8_000, publisher_packets_per_s: 100, ..Limits::default() };
        let mut meter = Meter::default();
        let mut closed = None;
        for ms in 0..8_000u64 {
            if meter.take(Time::from_micros(ms * 1000), 10, &limits) == Verdict::Close {
                closed = Some(ms);
                break;
            }
        }
        assert_eq!(closed, Some(5_100));
        let mut meter = Meter::default();
        for ms in (0..100_000u64).step_by(11) {
            assert_eq!(meter.take(Time::from_micros(ms * 1000), 10, &limits), Verdict::Fine);
        }
    }
}
