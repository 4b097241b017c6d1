//! Publishers' clocks seen from the node: when was the sample of an RTP time captured?

use std::time::Duration;

use crate::packet::{ntp_to_us, Packet, Report};
use crate::time::Time;

/// The filter forgets after one to two windows: a clock off by 100 ppm moves 3 ms in 30 s.
const WINDOW: Duration = Duration::from_secs(30);

/// A report that contradicts its packets' arrival by more than this is nonsense, and not believed.
const BELIEVABLE: i64 = 10_000_000;

/// A report that comes later by this than the shortest delay allows is late, or its clock was set back: a queue
/// that holds a second has lost the stream anyway. Clocks are set in steps where they are off by more than
/// 128 ms (ntpd) or a second (chrony), else slewed.
const STEP: i64 = 1_000_000;

/// Of a clock that was set back, two reports this far apart say the same; of a burst after a stall they don't.
const APART: Duration = Duration::from_millis(500);

/// The smallest (arrival - remote time) of the last half minute or so: the remote clock's offset plus
/// the shortest delay, free of jitter.
#[derive(Debug, Clone, Copy, Default)]
pub struct OffsetFilter {
    current: Option<i64>,
    previous: Option<i64>,
    since: Time,
    /// An observation that speaks for a step, and when it was made.
    doubt: Option<(i64, Time)>,
}

impl OffsetFilter {
    /// Returns the offset in microseconds with this observation taken in.
    pub fn observe(&mut self, now: Time, remote_us: i64) -> i64 {
        if now.since(self.since) >= WINDOW {
            self.previous = self.current.take();
            self.since = now;
        }
        let seen = now.micros() as i64 - remote_us;
        let current = self.current.map_or(seen, |c| c.min(seen));
        self.current = Some(current);
        self.previous.map_or(current, |p| p.min(current))
    }

    /// As `observe`, of a clock that may be set. Forward that needs no care: the smallest difference follows at
    /// once. Backward it would stay wrong for a window or two; so an observation that is too late is None until
    /// a second one agrees, and then all from before the step is forgotten.
    pub fn observe_settable(&mut self, now: Time, remote_us: i64) -> Option<i64> {
        let seen = now.micros() as i64 - remote_us;
        let known = self.current.into_iter().chain(self.previous).min();
        if known.is_some_and(|known| seen - known > STEP) {
            match self.doubt {
                Some((then, _)) if (seen - then).abs() > STEP / 2 => self.doubt = Some((seen, now)),
                None => self.doubt = Some((seen, now)),
                Some((_, at)) if now.since(at) < APART => {}
                Some(_) => *self = OffsetFilter { since: now, ..OffsetFilter::default() },
            }
            if self.doubt.is_some() {
                return None;
            }
        }
        self.doubt = None;
        Some(self.observe(now, remote_us))
    }
}

/// Maps the RTP time of one encoding to capture time in microseconds of node time.
#[derive(Debug, Clone, Default)]
pub struct CaptureClock {
    generation: u32,
    report: Option<Report>,
    arrival: OffsetFilter,
    arrival_offset: i64,
}

impl CaptureClock {
    /// Learn from a packet's arrival: what is believed until the first sender report.
    pub fn packet(&mut self, packet: &Packet) {
        if packet.generation != self.generation {
            *self = CaptureClock { generation: packet.generation, ..CaptureClock::default() };
        }
        let media_us = media_us(packet.rtp_time, packet.codec.clock_rate);
        self.arrival_offset = self.arrival.observe(packet.arrival, media_us);
    }

    pub fn report(&mut self, report: Report) {
        if report.generation == self.generation {
            self.report = Some(report);
        }
    }

    pub fn last_report(&self) -> Option<Report> {
        self.report
    }

    /// When the sample of `rtp_time` was captured: by sender report, by arrival where there is none.
    pub fn capture_us(&self, rtp_time: u64, clock_rate: u32) -> i64 {
        let by_arrival = media_us(rtp_time, clock_rate) + self.arrival_offset;
        match &self.report {
            Some(report) => {
                let by_report = report.capture_us(rtp_time, clock_rate);
                if (by_report - by_arrival).abs() < BELIEVABLE {
                    by_report
                } else {
                    by_arrival
                }
            }
            None => by_arrival,
        }
    }
}

fn media_us(rtp_time: u64, clock_rate: u32) -> i64 {
    (i128::from(rtp_time) * 1_000_000 / i128::from(clock_rate.max(1))) as i64
}

/// The offset between a report's NTP time and node time, from its arrival; None if it can't be believed yet.
pub fn observe_report(filter: &mut OffsetFilter, arrival: Time, ntp: u64) -> Option<i64> {
    filter.observe_settable(arrival, ntp_to_us(ntp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::us_to_ntp;
    use crate::testing::packet;

    #[test]
    fn the_filter_takes_the_minimum_and_forgets() {
        let mut filter = OffsetFilter::default();
        let at = |s: u64| Time::from_micros(s * 1_000_000);
        assert_eq!(filter.observe(at(1), 900_000), 100_000);
        assert_eq!(filter.observe(at(2), 1_950_000), 50_000);
        assert_eq!(filter.observe(at(3), 2_900_000), 50_000);
        assert_eq!(filter.observe(at(40), 39_900_000), 50_000);
        assert_eq!(filter.observe(at(80), 79_900_000), 100_000);
    }

    #[test]
    fn a_clock_that_is_set_is_followed_and_a_late_report_is_not() {
        let mut filter = OffsetFilter::default();
        let at = |ms: i64| Time::from_micros(ms as u64 * 1_000);
        let mut see = |now_ms: i64, remote_ms: i64| {
            filter.observe_settable(at(now_ms), remote_ms * 1_000).map(|offset| offset / 1_000)
        };
        assert_eq!(see(1_000, 990), Some(10));
        assert_eq!(see(2_000, 3_601_990), Some(-3_599_990), "set forward by an hour");
        assert_eq!(see(3_000, 2_990), None, "and back");
        assert_eq!(see(3_100, 3_090), None, "sound and picture report at nearly one time");
        assert_eq!(see(4_000, 3_990), Some(10));
        assert_eq!(see(5_000, 2_000), None, "late by three seconds");
        assert_eq!(see(5_000, 3_000), None, "the same burst");
        assert_eq!(see(5_010, 5_000), Some(10));
        assert_eq!(see(6_000, 3_000), None, "late once more: nothing is left of the first doubt");
    }

    #[test]
    fn reports_move_two_tracks_together_and_nonsense_is_not_believed() {
        let mut clock = CaptureClock::default();
        let p = packet(30, Time::from_micros(5_000_000), true); // RTP time 90,000: 1 s of media
        clock.packet(&p);
        assert_eq!(clock.capture_us(p.rtp_time, 90_000), 5_000_000);
        let mut report = Report {
            generation: 0,
            ntp: us_to_ntp(100_000_000),
            rtp_time: p.rtp_time,
            arrival: p.arrival,
            offset_us: 4_980_000 - 100_000_000,
        };
        clock.report(report);
        assert_eq!(clock.capture_us(p.rtp_time + 90_000, 90_000), 5_980_000);
        report.offset_us += 60_000_000;
        clock.report(report);
        assert_eq!(clock.capture_us(p.rtp_time, 90_000), 5_000_000);
    }
}
