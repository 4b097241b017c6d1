//! RTCP of a publisher, and what it gets: reports, congestion feedback, NACK, requests for keyframes.

use std::time::Duration;

use super::{Encoding, Receiver, REPORT};
use crate::config::Limits;
use crate::message::{Event, TrackId};
use crate::packet::Report;
use crate::rtcp;
use crate::time::Time;
use crate::timeline::observe_report;

/// Sender reports that came before the first packet of their SSRC.
const EARLY_REPORTS: usize = 16;

impl Receiver {
    /// RTCP sender report of a publisher.
    pub fn handle_sender_report(
        &mut self,
        now: Time,
        ssrc: u32,
        ntp: u64,
        rtp_time: u32,
    ) -> Option<(TrackId, u8, Report)> {
        let Some(role) = self.roles.get(&ssrc).filter(|r| !r.rtx).copied() else {
            if self.early.len() < EARLY_REPORTS {
                self.early.insert(ssrc, (ntp, rtp_time, now));
            }
            return None;
        };
        let track = self.tracks.get_mut(role.track)?;
        let encoding = &mut track.encodings[role.encoding];
        if encoding.ssrc() != Some(ssrc) {
            if self.early.len() < EARLY_REPORTS {
                self.early.insert(ssrc, (ntp, rtp_time, now));
            }
            return None;
        }
        let offset_us = observe_report(&mut self.offset, now, ntp);
        encoding.heard_report(now, ntp);
        let report = encoding.report(now, ntp, rtp_time, offset_us?);
        Some((track.spec.id, role.encoding as u8, report))
    }

    /// A report that came before the first packet of its SSRC, once that has come.
    pub fn take_early_report(&mut self, ssrc: u32) -> Option<(TrackId, u8, Report)> {
        if self.early.is_empty() {
            return None;
        }
        let (ntp, rtp_time, at) = self.early.remove(&ssrc)?;
        self.handle_sender_report(at, ssrc, ntp, rtp_time)
    }

    /// RTCP BYE (RFC 3550 section 6.6) ends an encoding and nothing more: libwebrtc says it whenever it stops
    /// to send, for `replaceTrack(null)` or `active: false` too, and goes on with the same SSRC.
    pub fn handle_bye(&mut self, ssrc: u32, events: &mut Vec<Event>) {
        if let Some(role) = self.roles.get(&ssrc).filter(|r| !r.rtx) {
            if let Some(track) = self.tracks.get_mut(role.track) {
                track.encodings[role.encoding].end(track.spec.id, events);
            }
        }
    }

    /// True if nobody wanted one of this encoding before.
    pub fn want_keyframe(&mut self, now: Time, track: TrackId, encoding: u8) -> bool {
        let track = self.tracks.iter_mut().find(|t| t.spec.id == track);
        let encoding = track.and_then(|t| t.encodings.get_mut(usize::from(encoding)));
        encoding.is_some_and(|e| e.want_keyframe(now))
    }

    /// Write the RTCP that is due, a compound packet each; returns true if anything was written.
    pub fn poll_rtcp(
        &mut self,
        now: Time,
        rtt: Duration,
        limits: &Limits,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> bool {
        let before = out.len();
        if self.next_report <= now {
            self.next_report = now + REPORT;
            let mut blocks = Vec::new();
            for track in &mut self.tracks {
                for encoding in &mut track.encodings {
                    blocks.extend(encoding.report_block(now, &track.stats));
                    encoding.check_idle(now, track.spec.id, events);
                }
                track.stats.bitrate_bps.set(track.encodings.iter_mut().map(|e| e.take_bits(now)).sum());
            }
            for blocks in blocks.chunks(31) {
                rtcp::write_rr(out, self.local_ssrc, blocks);
            }
            if self.remb && !self.transport_cc {
                let ssrcs: Vec<u32> = self.roles.keys().copied().take(31).collect();
                rtcp::write_remb(out, self.local_ssrc, limits.publisher_bps, &ssrcs);
            }
        }
        if self.next_feedback <= now {
            self.next_feedback = Time::FAR;
            self.arrivals_wait = false;
            let media = self.roles.keys().next().copied().unwrap_or(0);
            self.arrivals.write_feedback(out, self.local_ssrc, media);
        }
        for track in &mut self.tracks {
            let codec = track.codecs.first();
            let (pli, fir) = codec.map_or((false, false), |c| (c.pli, c.fir));
            for encoding in &mut track.encodings {
                encoding.poll_nack(now, rtt, self.local_ssrc, &track.stats, out);
                encoding.poll_keyframe(now, pli, fir, self.local_ssrc, &track.stats, out);
            }
        }
        out.len() > before
    }

    pub fn next_deadline(&self) -> Time {
        let encodings = self.tracks.iter().flat_map(|t| &t.encodings).map(Encoding::next_deadline);
        encodings.chain([self.next_feedback, self.next_report]).min().unwrap_or(Time::FAR)
    }
}
