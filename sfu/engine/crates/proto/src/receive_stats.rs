//! What we report of a source that we receive (RFC 3550 appendices A.3 and A.8).

use crate::rtcp::ReportBlock;
use crate::time::Time;

#[derive(Debug, Default)]
pub struct ReceiveStats {
    /// First and highest sequence number, unwrapped; `None` before the first packet.
    range: Option<(u64, u64)>,
    /// The cycle that the first packet fell into: the report counts from it.
    first_cycle: u64,
    packets: u64,
    expected_prior: u64,
    packets_prior: u64,
    /// RTP time and arrival of the packet before.
    last: Option<(u32, Time)>,
    /// 16 times the jitter in RTP units, so that integers lose nothing (appendix A.8).
    jitter_16: u64,
    /// The middle 32 bits of the NTP time, and the arrival.
    last_sr: Option<(u32, Time)>,
    /// As `take_lost` found it.
    lost_prior: u64,
}

impl ReceiveStats {
    /// `seq` is unwrapped as [`crate::seq::Unwrapper16`] does it.
    pub fn received(&mut self, seq: u64, rtp_time: u32, clock_rate: u32, arrival: Time) {
        let (first, highest) = self.range.unwrap_or_else(|| {
            self.first_cycle = seq >> 16;
            (seq, seq)
        });
        self.range = Some((first.min(seq), highest.max(seq)));
        self.packets += 1;
        if let Some((last_rtp_time, last_arrival)) = self.last {
            // Transit times differ by D(i-1, i) = (R_i - R_(i-1)) - (S_i - S_(i-1)).
            let elapsed_us = arrival.micros() as i128 - last_arrival.micros() as i128;
            let arrived = (elapsed_us * i128::from(clock_rate) / 1_000_000) as i64;
            let sent = i64::from(rtp_time.wrapping_sub(last_rtp_time) as i32);
            let difference = arrived.saturating_sub(sent).unsigned_abs();
            // J += (|D| - J) / 16, rounded.
            self.jitter_16 = (self.jitter_16 - (self.jitter_16 + 8) / 16)
                .saturating_add(difference.min(u64::from(u32::MAX)));
        }
        self.last = Some((rtp_time, arrival));
    }

    pub fn sender_report(&mut self, ntp: u64, at: Time) {
        self.last_sr = Some(((ntp >> 16) as u32, at));
    }

    /// The report; its fraction covers what came since the last call.
    pub fn block(&mut self, ssrc: u32, now: Time) -> ReportBlock {
        let expected = self.expected();
        let expected_interval = expected - self.expected_prior;
        let received_interval = self.packets - self.packets_prior;
        self.expected_prior = expected;
        self.packets_prior = self.packets;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = (lost_interval << 8).checked_div(expected_interval).unwrap_or(0);
        let cumulative = (expected as i64 - self.packets as i64).clamp(-0x80_0000, 0x7f_ffff);
        let (last_sr, delay_since_sr) = match self.last_sr {
            // Microseconds to 1/65536 s.
            Some((ntp, at)) => (ntp, (now.since(at).as_micros() * 65_536 / 1_000_000) as u32),
            None => (0, 0),
        };
        ReportBlock {
            ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: cumulative as i32,
            highest: self.extended_highest(),
            jitter: (self.jitter_16 >> 4).min(u64::from(u32::MAX)) as u32,
            last_sr,
            delay_since_sr,
        }
    }

    fn extended_highest(&self) -> u32 {
        self.range.map_or(0, |(_, highest)| highest.wrapping_sub(self.first_cycle << 16) as u32)
    }

    fn expected(&self) -> u64 {
        self.range.map_or(0, |(first, highest)| highest - first + 1)
    }

    /// Packets lost so far; duplicates make up for losses, never for more than all.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    /// Packets lost since the last call. One that came late after that stays counted.
    pub fn take_lost(&mut self) -> u64 {
        let lost = self.lost();
        lost.saturating_sub(std::mem::replace(&mut self.lost_prior, lost))
    }

    pub fn packets(&self) -> u64 {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq::Unwrapper16;

    fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    #[test]
    fn nothing_received_reports_nothing() {
        let mut stats = ReceiveStats::default();
        assert_eq!(stats.block(7, ms(1)), ReportBlock { ssrc: 7, ..ReportBlock::default() });
        assert_eq!((stats.lost(), stats.packets()), (0, 0));
    }

    #[test]
    fn losses_count_from_every_start() {
        for start in [0u16, 1, 0x7ffe, 0x8000, 0xfffc, 0xffff] {
            let (mut stats, mut unwrapper) = (ReceiveStats::default(), Unwrapper16::default());
            for i in (0..8u16).filter(|i| i % 4 != 1) {
                stats.received(unwrapper.unwrap(start.wrapping_add(i)), 0, 90_000, ms(0));
            }
            let block = stats.block(1, ms(0));
            assert_eq!((block.fraction_lost, block.cumulative_lost), (64, 2));
            assert_eq!(block.highest, u32::from(start) + 7, "start {start}");
            assert_eq!((stats.lost(), stats.packets()), (2, 6));
            assert_eq!((stats.take_lost(), stats.take_lost()), (2, 0));
            // The next interval has no loss, and one of the lost comes late.
            for i in [8, 9, 1] {
                stats.received(unwrapper.unwrap(start.wrapping_add(i)), 0, 90_000, ms(0));
            }
            let block = stats.block(1, ms(0));
            assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 1));
            assert_eq!(stats.take_lost(), 0);
            stats.received(unwrapper.unwrap(start.wrapping_add(11)), 0, 90_000, ms(0));
            assert_eq!(stats.take_lost(), 1);
        }
    }

    #[test]
    fn a_packet_before_the_first_extends_the_range() {
        let (mut stats, mut unwrapper) = (ReceiveStats::default(), Unwrapper16::default());
        for sequence in [1, 0, 0xffff, 2] {
            stats.received(unwrapper.unwrap(sequence), 0, 90_000, ms(0));
        }
        let block = stats.block(1, ms(0));
        assert_eq!((block.cumulative_lost, block.fraction_lost), (0, 0));
        assert_eq!(block.highest, 2);
    }

    #[test]
    fn all_lost_but_the_last_is_255_of_256() {
        let mut stats = ReceiveStats::default();
        stats.received(1 << 16, 0, 90_000, ms(0));
        stats.block(1, ms(0));
        stats.received((1 << 16) + 1_000, 0, 90_000, ms(0));
        let block = stats.block(1, ms(0));
        assert_eq!((block.fraction_lost, block.cumulative_lost), (255, 999));
    }

    #[test]
    fn duplicates_make_the_loss_negative() {
        let mut stats = ReceiveStats::default();
        (0..3).for_each(|_| stats.received(1 << 16, 0, 90_000, ms(0)));
        assert_eq!(stats.block(1, ms(0)).cumulative_lost, -2);
        assert_eq!(stats.lost(), 0);
    }

    #[test]
    fn jitter_converges_to_the_mean_deviation() {
        for rtp_start in [0u32, 0x7fff_ffff, 0xffff_fff0] {
            let mut stats = ReceiveStats::default();
            // Sent every 20 ms; every other packet comes 10 ms late: |D| is 10 ms, 900 units.
            for i in 0..500u64 {
                let rtp_time = rtp_start.wrapping_add(i as u32 * 1_800);
                stats.received((1 << 16) + i, rtp_time, 90_000, ms(i * 20 + i % 2 * 10));
            }
            let jitter = stats.block(1, ms(0)).jitter;
            assert!((890..=910).contains(&jitter), "{jitter}");
        }
    }

    #[test]
    fn steady_arrival_has_no_jitter() {
        let mut stats = ReceiveStats::default();
        for i in 0..500u64 {
            stats.received((1 << 16) + i, (i * 960) as u32, 48_000, ms(i * 20));
        }
        assert_eq!(stats.block(1, ms(0)).jitter, 0);
    }

    #[test]
    fn sender_report_and_delay() {
        let mut stats = ReceiveStats::default();
        stats.sender_report(0x0123_4567_89ab_cdef, ms(1_000));
        let block = stats.block(1, ms(2_500));
        assert_eq!((block.last_sr, block.delay_since_sr), (0x4567_89ab, 98_304));
    }

    #[test]
    fn absurd_values_do_no_harm() {
        let mut stats = ReceiveStats::default();
        stats.received(u64::MAX - 1, u32::MAX, u32::MAX, Time::from_micros(u64::MAX));
        stats.received(0, 0, u32::MAX, Time::ZERO);
        stats.received(5, 0x8000_0000, 0, Time::FAR);
        stats.block(1, Time::FAR);
        stats.block(1, Time::ZERO);
    }
}
