//! One encoding of a published Track: order, losses, padding, keyframes.

mod requests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::seen::Seen;
use crate::codec::{self, vp8, CodecName};
use crate::message::{CodecSpec, Event, TrackId};
use crate::nack::NackGenerator;
use crate::packet::{Packet, Report};
use crate::receive_stats::ReceiveStats;
use crate::ring::WIDEST_GAP;
use crate::rtcp::ReportBlock;
use crate::seq::{Unwrapper16, Unwrapper32};
use crate::stats::TrackStats;
use crate::time::Time;
use crate::track::IDLE;

/// The control side is told of changes at most this often: a publisher may change with every packet.
const TELL: Duration = Duration::from_millis(100);

/// Dropped padding-only packets remembered: Chromium probes with up to a hundred in a row.
const PADDING: usize = 256;

/// A packet on its way into an encoding. `ssrc` is None for what RTX brought back.
pub struct Incoming<'a> {
    pub ssrc: Option<u32>,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: &'a [u8],
    pub codec: &'a Arc<CodecSpec>,
}

#[derive(Debug)]
pub struct Encoding {
    rid: String,
    ssrc: Option<u32>,
    generation: u32,
    sequence: Unwrapper16,
    time: Unwrapper32,
    highest: u64,
    seen: Seen,
    padding: VecDeque<u64>,
    forgotten_padding: u64,
    /// Sequence numbers at or below this are older than the padding that is remembered.
    oldest: u64,
    keyframe_time: Option<u64>,
    codec: Option<Arc<CodecSpec>>,
    codec_name: CodecName,
    /// SSRC and payload type that the control side knows of, and since when.
    announced: Option<(u32, u8)>,
    told: Option<Time>,
    resolved: Option<Time>,
    size: Option<(u32, u32)>,
    nack: NackGenerator,
    stats: ReceiveStats,
    last_packet: Time,
    flowing: bool,
    keyframe_wanted: Option<Time>,
    keyframe_asked: Option<Time>,
    fir_sequence: u8,
    bits: (Time, u64),
}

impl Encoding {
    pub fn new(rid: String) -> Encoding {
        Encoding {
            rid,
            ssrc: None,
            generation: 0,
            sequence: Unwrapper16::default(),
            time: Unwrapper32::default(),
            highest: 0,
            seen: Seen::default(),
            padding: VecDeque::new(),
            forgotten_padding: 0,
            oldest: 0,
            keyframe_time: None,
            codec: None,
            codec_name: CodecName::Other,
            announced: None,
            told: None,
            resolved: None,
            size: None,
            nack: NackGenerator::default(),
            stats: ReceiveStats::default(),
            last_packet: Time::ZERO,
            flowing: false,
            keyframe_wanted: None,
            keyframe_asked: None,
            fir_sequence: 0,
            bits: (Time::ZERO, 0),
        }
    }

    pub fn rid(&self) -> &str {
        &self.rid
    }

    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// A new SSRC: everything that counted for the old one starts again.
    fn restart(&mut self, ssrc: u32) {
        let rid = std::mem::take(&mut self.rid);
        *self = Encoding {
            ssrc: Some(ssrc),
            generation: self.generation + u32::from(self.ssrc.is_some()),
            keyframe_wanted: self.keyframe_wanted,
            keyframe_asked: self.keyframe_asked,
            fir_sequence: self.fir_sequence,
            bits: self.bits,
            told: self.told,
            announced: self.announced.take(),
            size: self.size,
            resolved: self.resolved,
            ..Encoding::new(rid)
        };
    }

    pub fn handle(
        &mut self,
        now: Time,
        incoming: Incoming<'_>,
        track: TrackId,
        index: u8,
        stats: &TrackStats,
        events: &mut Vec<Event>,
    ) -> Option<Packet> {
        if let Some(ssrc) = incoming.ssrc {
            if self.ssrc != Some(ssrc) {
                self.restart(ssrc);
            }
        }
        if let Some(ssrc) = self.ssrc.filter(|_| self.highest > 0) {
            if self.sequence.peek(incoming.sequence) > self.highest + WIDEST_GAP {
                incoming.ssrc?; // retransmissions go back, not ahead
                self.restart(ssrc);
            }
        }
        let seq = self.sequence.unwrap(incoming.sequence);
        if !self.seen.insert(seq) || seq <= self.oldest {
            stats.duplicates.add(1);
            return None;
        }
        let newest = seq > self.highest;
        self.highest = self.highest.max(seq);
        if incoming.codec.nack {
            self.nack.received(seq, now);
        }
        if incoming.ssrc.is_some() {
            self.stats.received(seq, incoming.timestamp, incoming.codec.clock_rate, now);
        } else {
            stats.recovered.add(1);
        }
        self.last_packet = now;
        self.bits.1 += incoming.payload.len() as u64 * 8;
        stats.packets.add(1);
        stats.bytes.add(incoming.payload.len() as u64);
        let empty = incoming.payload.is_empty();
        if empty {
            stats.padding_dropped.add(1);
            if newest {
                self.close_gap(seq);
                return None;
            }
        }
        let rtp_time = self.time.unwrap(incoming.timestamp);
        if !empty {
            self.announce(now, &incoming, track, events);
        }
        let frame = codec::inspect(self.codec_name, incoming.payload);
        // SPS, PPS and the slices of one IDR are one keyframe: it starts once.
        let keyframe_start = frame.keyframe_start && self.keyframe_time != Some(rtp_time);
        if keyframe_start {
            self.keyframe_time = Some(rtp_time);
            self.keyframe_wanted = None;
            stats.keyframes.add(1);
        }
        let told_lately = self.resolved.is_some_and(|at| now.since(at) < TELL);
        if frame.size.is_some() && frame.size != self.size && !told_lately {
            self.resolved = Some(now);
            self.size = frame.size;
            if let Some((width, height)) = frame.size {
                events.push(Event::Resolution { track, rid: self.rid.clone(), width, height });
            }
        }
        Some(Packet {
            encoding: index,
            generation: self.generation,
            seq: self.closed(seq),
            rtp_time,
            marker: incoming.marker,
            keyframe_start,
            empty,
            audio_level: None,
            orientation: None,
            vp8: match self.codec_name {
                CodecName::Vp8 => vp8::Descriptor::parse(incoming.payload).ok(),
                _ => None,
            },
            arrival: now,
            codec: incoming.codec.clone(),
            payload: incoming.payload.into(),
        })
    }

    fn announce(&mut self, now: Time, incoming: &Incoming<'_>, track: TrackId, events: &mut Vec<Event>) {
        let same = self.codec.as_ref().is_some_and(|c| Arc::ptr_eq(c, incoming.codec));
        if !same {
            self.codec = Some(incoming.codec.clone());
            self.codec_name = CodecName::from_sdp(&incoming.codec.name);
        }
        let news = Some((self.ssrc.unwrap_or(0), incoming.codec.payload_type));
        if self.flowing && self.announced == news || self.told.is_some_and(|at| now.since(at) < TELL) {
            return;
        }
        (self.flowing, self.told, self.announced) = (true, Some(now), news);
        events.push(Event::Flowing {
            track,
            rid: self.rid.clone(),
            codec: (**incoming.codec).clone(),
            ssrc: self.ssrc.unwrap_or(0),
        });
    }

    fn close_gap(&mut self, seq: u64) {
        self.padding.push_back(seq);
        if self.padding.len() > PADDING {
            if let Some(oldest) = self.padding.pop_front() {
                self.forgotten_padding += 1;
                self.oldest = oldest;
            }
        }
    }

    /// The sequence number without the padding-only packets before it.
    fn closed(&self, seq: u64) -> u64 {
        seq - self.forgotten_padding - self.padding.partition_point(|&p| p < seq) as u64
    }

    /// For LSR and DLSR of our next report block.
    pub fn heard_report(&mut self, now: Time, ntp: u64) {
        self.stats.sender_report(ntp, now);
    }

    pub fn report(&self, now: Time, ntp: u64, rtp_time: u32, offset_us: i64) -> Report {
        Report {
            generation: self.generation,
            ntp,
            rtp_time: self.time.peek(rtp_time),
            arrival: now,
            offset_us,
        }
    }

    pub fn report_block(&mut self, now: Time, track: &TrackStats) -> Option<ReportBlock> {
        track.lost.add(self.stats.take_lost());
        let ssrc = self.ssrc.filter(|_| self.flowing)?;
        Some(self.stats.block(ssrc, now))
    }

    /// Bits per second since the last call.
    pub fn take_bits(&mut self, now: Time) -> u64 {
        let (since, bits) = std::mem::replace(&mut self.bits, (now, 0));
        bits * 1_000_000 / (now.since(since).as_micros() as u64).max(1)
    }

    pub fn check_idle(&mut self, now: Time, track: TrackId, events: &mut Vec<Event>) {
        if now.since(self.last_packet) > IDLE {
            self.end(track, events);
        }
    }

    /// Idle from now on, until the next packet.
    pub fn end(&mut self, track: TrackId, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.flowing) {
            events.push(Event::Idle { track, rid: self.rid.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::codec;

    fn feed(encoding: &mut Encoding, seq: u16, payload: &[u8]) -> Option<u64> {
        let codec = Arc::new(codec("VP8", 96));
        let incoming = Incoming {
            ssrc: Some(7),
            sequence: seq,
            timestamp: u32::from(seq) * 3000,
            marker: true,
            payload,
            codec: &codec,
        };
        let stats = TrackStats::default();
        encoding.handle(Time::from_micros(1), incoming, 1, 0, &stats, &mut Vec::new()).map(|p| p.seq)
    }

    #[test]
    fn padding_closes_the_sequence_also_over_the_wrap() {
        for start in [0u16, 100, 32_766, 65_533] {
            let mut encoding = Encoding::new(String::new());
            let at = |i: u16| start.wrapping_add(i);
            let first = feed(&mut encoding, at(0), b"media").unwrap();
            assert_eq!(feed(&mut encoding, at(1), b""), None);
            assert_eq!(feed(&mut encoding, at(2), b""), None);
            assert_eq!(feed(&mut encoding, at(3), b"media"), Some(first + 1));
            assert_eq!(feed(&mut encoding, at(5), b"media"), Some(first + 3));
            // Late padding keeps its place: the gap is already known to viewers.
            assert_eq!(feed(&mut encoding, at(4), b""), Some(first + 2));
            assert_eq!(feed(&mut encoding, at(4), b""), None);
        }
    }
}
