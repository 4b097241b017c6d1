//! The receiving side of a transport: which SSRC is which encoding of which Track, and the feedback
//! that publishers get (RFC 3550, RFC 4585, RFC 4588, transport-wide congestion control).

mod encoding;
mod feedback;
mod found;
mod meter;
mod seen;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Limits;
use crate::message::{CodecSpec, Event, Extensions, TrackId, TrackSpec};
use crate::packet::Packet;
use crate::rtp::Header;
use crate::stats::TrackStats;
use crate::time::Time;
use crate::timeline::OffsetFilter;
use crate::twcc::ArrivalRecorder;

pub use encoding::{Encoding, Incoming};
use found::Found;
use meter::{Meter, Verdict};

/// Feedback of arrivals every 100 ms: with it Chromium's top layer is there in the second second,
/// without it after twelve.
const FEEDBACK: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_secs(1);

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
}
