//! What is asked of a publisher: keyframes, and packets that were lost.

use std::time::Duration;

use super::Encoding;
use crate::rtcp;
use crate::stats::TrackStats;
use crate::time::Time;

/// Requests for a keyframe reach the publisher at most this often: each costs it a large frame.
const KEYFRAME_REQUEST: Duration = Duration::from_secs(1);

impl Encoding {
    /// True if nobody wanted one before.
    pub fn want_keyframe(&mut self, now: Time) -> bool {
        let news = self.keyframe_wanted.is_none() && self.ssrc.is_some();
        if news {
            self.keyframe_wanted = Some(now);
        }
        news
    }

    /// One coalesced request a second while somebody waits (RFC 4585 section 6.3.1, RFC 5104 section 4.3.1).
    pub fn poll_keyframe(
        &mut self,
        now: Time,
        pli: bool,
        fir: bool,
        sender: u32,
        stats: &TrackStats,
        out: &mut Vec<u8>,
    ) {
        if !self.keyframe_due(now) {
            return;
        }
        let Some(ssrc) = self.ssrc else { return };
        if pli {
            rtcp::write_pli(out, sender, ssrc);
        } else if fir {
            self.fir_sequence = self.fir_sequence.wrapping_add(1);
            rtcp::write_fir(out, sender, ssrc, self.fir_sequence);
        } else {
            return;
        }
        stats.pli_sent.add(1);
    }

    /// True if a request should leave now; it counts as sent.
    pub fn keyframe_due(&mut self, now: Time) -> bool {
        let due = self.keyframe_deadline() <= now;
        if due {
            self.keyframe_asked = Some(now);
        }
        due
    }

    fn keyframe_deadline(&self) -> Time {
        match (self.keyframe_wanted, self.keyframe_asked) {
            (None, _) => Time::FAR,
            (Some(wanted), None) => wanted,
            (Some(wanted), Some(asked)) => wanted.max(asked + KEYFRAME_REQUEST),
        }
    }

    pub fn poll_nack(
        &mut self,
        now: Time,
        rtt: Duration,
        sender: u32,
        stats: &TrackStats,
        out: &mut Vec<u8>,
    ) {
        if self.nack.next_deadline().is_none_or(|at| at > now) {
            return;
        }
        let Some(ssrc) = self.ssrc else { return };
        let mut lost = Vec::new();
        self.nack.poll(now, rtt, &mut lost);
        if !lost.is_empty() {
            stats.nack_sent.add(lost.len() as u64);
            rtcp::write_nack(out, sender, ssrc, &lost);
        }
    }

    pub fn next_deadline(&self) -> Time {
        self.nack.next_deadline().unwrap_or(Time::FAR).min(self.keyframe_deadline())
    }
}
