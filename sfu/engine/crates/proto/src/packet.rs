//! A published packet as all subscribers share it: decrypted once, read-only from then on.

use crate::codec::vp8;
use crate::message::CodecSpec;
use crate::time::Time;
use std::sync::Arc;

/// One RTP packet of one encoding, without header extensions and padding.
///
/// Each worker shares out an `Arc` of its own, made by a clone: its count changes with every viewer, and two
/// cores that count in one place wait for each other. The payload is not copied.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Index of the encoding in its Track; 0 is the best.
    pub encoding: u8,
    /// Rises when sequence numbers start anew: the publisher restarted or took another SSRC.
    pub generation: u32,
    /// Sequence number unwrapped to 64 bits, gaps of dropped padding-only packets closed.
    pub seq: u64,
    /// RTP time unwrapped to 64 bits.
    pub rtp_time: u64,
    pub marker: bool,
    /// The first packet of a keyframe.
    pub keyframe_start: bool,
    /// Worth nothing to the decoder: it only holds a sequence number (a padding-only packet that came
    /// after its successor had left).
    pub empty: bool,
    pub audio_level: Option<u8>,
    /// CVO (3GPP TS 26.114) byte, if the packet carries one.
    pub orientation: Option<u8>,
    /// Where its picture id stands, if it is VP8.
    pub vp8: Option<vp8::Descriptor>,
    pub arrival: Time,
    pub codec: Arc<CodecSpec>,
    pub payload: Arc<[u8]>,
}

/// A sender report of one encoding (RFC 3550 section 6.4.1), its RTP time unwrapped like the packets'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    pub generation: u32,
    /// 64-bit NTP time of the publisher's clock.
    pub ntp: u64,
    pub rtp_time: u64,
    pub arrival: Time,
    /// Publisher's wall clock to node time: the smallest (arrival - NTP) seen on its transport, in
    /// microseconds. One for all tracks of a transport, so that sound and picture move together.
    pub offset_us: i64,
}

impl Report {
    /// When the sample of `rtp_time` was captured, in microseconds of node time (may be before its zero).
    pub fn capture_us(&self, rtp_time: u64, clock_rate: u32) -> i64 {
        let ticks = rtp_time as i64 - self.rtp_time as i64;
        ntp_to_us(self.ntp) + self.offset_us + ticks * 1_000_000 / i64::from(clock_rate.max(1))
    }
}

/// NTP 32.32 seconds to microseconds since 1900.
pub fn ntp_to_us(ntp: u64) -> i64 {
    ((u128::from(ntp) * 1_000_000) >> 32) as i64
}

/// Microseconds since 1900 to NTP 32.32 seconds; the era wraps in 2036 as NTP does.
pub fn us_to_ntp(us: i64) -> u64 {
    ((i128::from(us) << 32) / 1_000_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_round_trips_to_the_microsecond() {
        for us in [0, 1, 999_999, 3_900_000_000_000_123, (1i64 << 32) * 1_000_000 - 1] {
            let back = ntp_to_us(us_to_ntp(us));
            assert!((back - us).abs() <= 1, "{us} {back}");
        }
    }

    #[test]
    fn capture_time_follows_the_rtp_clock_both_ways() {
        let report = Report {
            generation: 0,
            ntp: us_to_ntp(10_000_000),
            rtp_time: 90_000,
            arrival: Time::ZERO,
            offset_us: -9_000_000,
        };
        assert_eq!(report.capture_us(180_000, 90_000), 2_000_000);
        assert_eq!(report.capture_us(0, 90_000), 0);
    }
}
