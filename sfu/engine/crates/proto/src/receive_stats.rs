//! What we report of a source that we receive (RFC 3550 appendices A.3 and A.8).

use crate::rtcp::ReportBlock;
use crate::time::Time;

#[derive(Debug, Default)]
pub struct ReceiveStats {}

impl ReceiveStats {
    /// `seq` is unwrapped as [`crate::seq::Unwrapper16`] does it.
    pub fn received(&mut self, _seq: u64, _rtp_time: u32, _clock_rate: u32, _arrival: Time) {
        todo!()
    }

    pub fn sender_report(&mut self, _ntp: u64, _at: Time) {
        todo!()
    }

    /// The report; its fraction covers what came since the last call.
    pub fn block(&mut self, _ssrc: u32, _now: Time) -> ReportBlock {
        todo!()
    }

    /// Packets lost so far; duplicates make up for losses, never for more than all.
    pub fn lost(&self) -> u64 {
        todo!()
    }

    pub fn packets(&self) -> u64 {
        todo!()
    }
}
