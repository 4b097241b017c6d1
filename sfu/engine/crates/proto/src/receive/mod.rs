//! The receiving side of a transport: which SSRC is which encoding of which Track, and the feedback
//! that publishers get (RFC 3550, RFC 4585, RFC 4588, transport-wide congestion control).

mod encoding;
mod meter;
mod seen;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Limits;
use crate::message::{CodecSpec, Event, Extensions, TrackId, TrackSpec};
use crate::packet::{Packet, Report};
use crate::rtcp;
use crate::rtp::Header;
use crate::stats::TrackStats;
use crate::time::Time;
use crate::timeline::{observe_report, OffsetFilter};
use crate::twcc::ArrivalRecorder;

pub use encoding::{Encoding, Incoming};
use meter::{Meter, Verdict};

/// Feedback of arrivals every 100 ms: with it Chromium's top layer is there in the second second,
/// without it after twelve.
const FEEDBACK: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_secs(1);

/// Sender reports that came before the first packet of their SSRC.
const EARLY_REPORTS: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Role {
    track: usize,
    encoding: usize,
    rtx: bool,
}

#[derive(Debug)]
struct RxTrack {
    spec: TrackSpec,
    codecs: Vec<Arc<CodecSpec>>,
    encodings: Vec<Encoding>,
    stats: Arc<TrackStats>,
}

/// What one datagram of a publisher came to.
#[derive(Debug)]
pub enum Outcome {
    Packet(TrackId, Packet),
    /// Probes, duplicates, padding, unknown SSRCs.
    Nothing,
    /// The publisher has been past its bounds for too long.
    TooFast,
}

#[derive(Debug)]
pub struct Receiver {
    local_ssrc: u32,
    extensions: Extensions,
    transport_cc: bool,
    remb: bool,
    tracks: Vec<RxTrack>,
    roles: HashMap<u32, Role>,
    early: HashMap<u32, (u64, u32, Time)>,
    offset: OffsetFilter,
    arrivals: ArrivalRecorder,
    arrivals_wait: bool,
    next_feedback: Time,
    next_report: Time,
    meter: Meter,
}

impl Receiver {
    pub fn new(local_ssrc: u32, extensions: Extensions, transport_cc: bool, remb: bool) -> Receiver {
        Receiver {
            local_ssrc,
            extensions,
            transport_cc,
            remb,
            tracks: Vec::new(),
            roles: HashMap::new(),
            early: HashMap::new(),
            offset: OffsetFilter::default(),
            arrivals: ArrivalRecorder::default(),
            arrivals_wait: false,
            next_feedback: Time::FAR,
            next_report: Time::FAR,
            meter: Meter::default(),
        }
    }

    pub fn add_track(&mut self, spec: TrackSpec, stats: Arc<TrackStats>) {
        let free = self.tracks.iter().position(|t| t.spec.id == 0);
        let track = free.unwrap_or(self.tracks.len());
        let rids: Vec<String> = if spec.rids.is_empty() { vec![String::new()] } else { spec.rids.clone() };
        for (at, &(media, rtx)) in spec.ssrcs.iter().enumerate() {
            // Without rids the SSRCs name the single encoding; with them, one encoding each.
            let encoding = at.min(rids.len() - 1);
            if media != 0 {
                self.roles.insert(media, Role { track, encoding, rtx: false });
            }
            if rtx != 0 {
                self.roles.insert(rtx, Role { track, encoding, rtx: true });
            }
        }
        let made = RxTrack {
            codecs: spec.codecs.iter().cloned().map(Arc::new).collect(),
            encodings: rids.into_iter().map(Encoding::new).collect(),
            spec,
            stats,
        };
        match free {
            Some(at) => self.tracks[at] = made,
            None => self.tracks.push(made),
        }
    }

    pub fn remove_track(&mut self, id: TrackId) {
        // Slots stay, so that roles keep their meaning; nothing is routed to an emptied one, nor asked for
        // it, until the next track takes it.
        if let Some(at) = self.tracks.iter().position(|t| t.spec.id == id) {
            self.roles.retain(|_, role| role.track != at);
            self.tracks[at].codecs.clear();
            self.tracks[at].encodings.clear();
            self.tracks[at].spec.mid.clear();
            self.tracks[at].spec.id = 0;
        }
    }

    pub fn track_ids(&self) -> impl Iterator<Item = TrackId> + '_ {
        self.tracks.iter().map(|t| t.spec.id).filter(|&id| id != 0)
    }

    /// An authenticated, decrypted RTP packet: `data` is header and payload without the tag.
    pub fn handle_rtp(
        &mut self,
        now: Time,
        header: &Header,
        data: &[u8],
        limits: &Limits,
        events: &mut Vec<Event>,
    ) -> Outcome {
        match self.meter.take(now, data.len(), limits) {
            Verdict::Fine => {}
            Verdict::Drop => return Outcome::Nothing,
            Verdict::Close => return Outcome::TooFast,
        }
        let found = Found::read(header, data, &self.extensions);
        if let Some(sequence) = found.transport_sequence {
            if self.transport_cc {
                self.arrivals.record(sequence, now);
                if !self.arrivals_wait {
                    self.arrivals_wait = true;
                    self.next_feedback = now + FEEDBACK;
                }
            }
        }
        if self.next_report == Time::FAR {
            self.next_report = now + REPORT;
        }
        let Ok(payload) = header.payload(data) else { return Outcome::Nothing };
        let Some(role) = self.role(header, &found, limits) else { return Outcome::Nothing };
        let Some(track) = self.tracks.get_mut(role.track) else { return Outcome::Nothing };
        let RxTrack { spec, codecs, encodings, stats } = track;
        let encoding = &mut encodings[role.encoding];
        let incoming = if role.rtx {
            // RFC 4588 section 4: the original sequence number, then the original payload.
            let Some((original, payload)) = payload.split_first_chunk::<2>() else { return Outcome::Nothing };
            let Some(codec) = codecs.iter().find(|c| c.rtx_payload_type == Some(header.payload_type)) else {
                return Outcome::Nothing;
            };
            if encoding.ssrc().is_none() {
                return Outcome::Nothing; // probes with RTP time 0 come before media
            }
            Incoming {
                ssrc: None,
                sequence: u16::from_be_bytes(*original),
                timestamp: header.timestamp,
                marker: header.marker,
                payload,
                codec,
            }
        } else {
            let Some(codec) = codecs.iter().find(|c| c.payload_type == header.payload_type) else {
                return Outcome::Nothing;
            };
            Incoming {
                ssrc: Some(header.ssrc),
                sequence: header.sequence,
                timestamp: header.timestamp,
                marker: header.marker,
                payload,
                codec,
            }
        };
        let packet = encoding.handle(now, incoming, spec.id, role.encoding as u8, stats, events);
        match packet {
            Some(mut packet) => {
                packet.audio_level = found.audio_level;
                if let Some(level) = found.audio_level {
                    stats.hear(level);
                }
                packet.orientation = found.orientation;
                Outcome::Packet(spec.id, packet)
            }
            None => Outcome::Nothing,
        }
    }

    fn role(&mut self, header: &Header, found: &Found<'_>, limits: &Limits) -> Option<Role> {
        if let Some(&role) = self.roles.get(&header.ssrc) {
            return Some(role);
        }
        if self.roles.len() >= limits.ssrcs_per_transport {
            return None;
        }
        let role = self.learn(header.payload_type, found)?;
        self.roles.insert(header.ssrc, role);
        Some(role)
    }

    /// Route a new SSRC by mid and rid (RFC 8843 section 9.2, RFC 8852), by payload type where only one
    /// track has it and there is nothing else to go by.
    fn learn(&self, payload_type: u8, found: &Found<'_>) -> Option<Role> {
        let takes = |t: &RxTrack| {
            t.codecs
                .iter()
                .any(|c| c.payload_type == payload_type || c.rtx_payload_type == Some(payload_type))
        };
        let track = match found.mid {
            Some(mid) => self.tracks.iter().position(|t| t.spec.mid == mid && takes(t))?,
            None => {
                let mut candidates = self.tracks.iter().enumerate().filter(|(_, t)| takes(t));
                let (at, _) = candidates.next()?;
                if candidates.next().is_some() {
                    return None;
                }
                at
            }
        };
        let t = &self.tracks[track];
        let is_rtx = t.codecs.iter().any(|c| c.rtx_payload_type == Some(payload_type));
        let (rid, rtx) = match (found.rid, found.repaired_rid) {
            (_, Some(repaired)) => (Some(repaired), true),
            (rid, None) => (rid, is_rtx),
        };
        let encoding = match rid {
            Some(rid) => t.encodings.iter().position(|e| e.rid() == rid)?,
            None if t.encodings.len() == 1 => 0,
            None => return None,
        };
        Some(Role { track, encoding, rtx })
    }

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

/// Header extensions of interest.
#[derive(Default)]
struct Found<'a> {
    mid: Option<&'a str>,
    rid: Option<&'a str>,
    repaired_rid: Option<&'a str>,
    transport_sequence: Option<u16>,
    audio_level: Option<u8>,
    orientation: Option<u8>,
}

impl<'a> Found<'a> {
    fn read(header: &Header, data: &'a [u8], ids: &Extensions) -> Found<'a> {
        let mut found = Found::default();
        for (id, value) in header.extensions(data) {
            if id == 0 {
                continue;
            } else if id == ids.transport_cc {
                found.transport_sequence = value.try_into().ok().map(u16::from_be_bytes);
            } else if id == ids.mid {
                found.mid = std::str::from_utf8(value).ok();
            } else if id == ids.rid {
                found.rid = std::str::from_utf8(value).ok();
            } else if id == ids.repaired_rid {
                found.repaired_rid = std::str::from_utf8(value).ok();
            } else if id == ids.audio_level {
                found.audio_level = value.first().copied();
            } else if id == ids.video_orientation {
                found.orientation = value.first().copied();
            }
        }
        found
    }
}
