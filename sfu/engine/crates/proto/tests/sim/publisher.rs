//! A publisher: video frames in numbered packets, optional sound, RTX, keyframes on request or on time.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use proto::message::{Kind, TrackSpec};
use proto::packet::us_to_ntp;
use proto::{rtcp, Command, Time};

use crate::wire::{codec, Wire, EXTENSIONS};
use crate::world::Peer;

pub const VIDEO_PAYLOAD_TYPE: u8 = 96;
const AUDIO_PAYLOAD_TYPE: u8 = 111;

/// What a test asks of a publisher.
#[derive(Clone)]
pub struct Plan {
    pub codec: &'static str,
    pub rids: Vec<&'static str>,
    /// Frames between keyframes; None: only on request.
    pub group: Option<u64>,
    pub answers_pli: bool,
    pub packets_per_frame: u64,
    /// First sequence number and RTP time.
    pub first: (u16, u32),
    pub sound: bool,
    /// One padding-only packet after this many frames.
    pub padding_every: Option<u64>,
    pub frame_us: u64,
    /// Each lower encoding has so many times fewer packets a frame, one at least.
    pub shrink: u64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            codec: "VP8",
            rids: vec![],
            group: Some(60),
            answers_pli: true,
            packets_per_frame: 4,
            first: (1_000, 5_000),
            sound: false,
            padding_every: None,
            frame_us: 33_333,
            shrink: 1,
        }
    }
}

struct Layer {
    rid: Option<&'static str>,
    ssrc: u32,
    index: u64,
    rtx_index: u64,
    frame: u64,
    group_at: u64,
    keyframe: bool,
    sent: HashMap<u16, (u64, u32, bool, Vec<u8>)>,
    order: VecDeque<u16>,
    picture: u16,
    pub paused: bool,
}

pub struct Publisher {
    pub wire: Wire,
    pub plan: Plan,
    layers: Vec<Layer>,
    next_frame: Time,
    next_sound: Time,
    next_report: Time,
    sound_index: u64,
    started: Time,
    transport_sequence: u16,
    pub stopped: bool,
    /// Its wall clock minus node time, microseconds, but for a constant.
    pub wall_us: i64,
    pub feedback: u64,
    pub plis: u64,
    pub nacks: u64,
}

impl Publisher {
    pub fn new(transport: u64, plan: Plan) -> (Publisher, Vec<Command>) {
        let wire = Wire::new(transport);
        let (video, audio) = (transport * 10 + 1, transport * 10 + 2);
        let mut commands: Vec<Command> = wire.open().into();
        commands.push(Command::AddTrack {
            transport,
            track: TrackSpec {
                id: video,
                kind: Kind::Video,
                mid: "0".into(),
                codecs: vec![codec(plan.codec, VIDEO_PAYLOAD_TYPE)],
                rids: plan.rids.iter().map(|r| r.to_string()).collect(),
                ssrcs: vec![],
            },
        });
        commands.push(Command::AddTrack {
            transport,
            track: TrackSpec {
                id: audio,
                kind: Kind::Audio,
                mid: "1".into(),
                codecs: vec![codec("opus", AUDIO_PAYLOAD_TYPE)],
                rids: vec![],
                ssrcs: vec![],
            },
        });
        let rids: Vec<Option<&'static str>> =
            if plan.rids.is_empty() { vec![None] } else { plan.rids.iter().copied().map(Some).collect() };
        let layers = rids
            .into_iter()
            .enumerate()
            .map(|(i, rid)| Layer {
                rid,
                ssrc: transport as u32 * 1_000 + i as u32 * 2,
                index: u64::from(plan.first.0),
                rtx_index: 7,
                frame: 0,
                group_at: 0,
                keyframe: true,
                sent: HashMap::new(),
                order: VecDeque::new(),
                picture: 0x7FF0,
                paused: false,
            })
            .collect();
        let publisher = Publisher {
            wire,
            plan,
            layers,
            next_frame: Time::ZERO,
            next_sound: Time::ZERO,
            next_report: Time::ZERO,
            sound_index: 0,
            started: Time::ZERO,
            transport_sequence: 65_500,
            wall_us: 0,
            stopped: false,
            feedback: 0,
            plis: 0,
            nacks: 0,
        };
        (publisher, commands)
    }

    pub fn pause(&mut self, rid: &str, paused: bool) {
        for layer in self.layers.iter_mut().filter(|l| l.rid == Some(rid)) {
            layer.paused = paused;
            layer.keyframe = true;
        }
    }

    /// 90 kHz ticks since the start.
    fn ticks(&self, now: Time, rate: u64) -> u32 {
        (u64::from(self.plan.first.1) + now.since(self.started).as_micros() as u64 * rate / 1_000_000) as u32
    }

    pub fn send_frame(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        let timestamp = self.ticks(now, 90_000);
        for at in 0..self.layers.len() {
            let layer = &mut self.layers[at];
            if layer.paused {
                continue;
            }
            let due = self.plan.group.is_some_and(|group| layer.frame - layer.group_at >= group);
            let keyframe = std::mem::take(&mut layer.keyframe) || due;
            if keyframe {
                layer.group_at = layer.frame;
            }
            layer.picture = (layer.picture + 1) & 0x7FFF;
            let packets = (self.plan.packets_per_frame / self.plan.shrink.pow(at as u32)).max(1);
            let packets = packets * if keyframe { 4 } else { 1 };
            let (picture, frame) = (layer.picture, layer.frame);
            for packet in 0..packets {
                let payload = payload(self.plan.codec, picture, packet, packets, keyframe, now, frame);
                let marker = packet == packets - 1;
                let index = self.layers[at].index;
                self.send(at, index, timestamp, marker, &payload, out);
                let layer = &mut self.layers[at];
                layer.sent.insert(index as u16, (index, timestamp, marker, payload));
                layer.order.push_back(index as u16);
                if layer.order.len() > 2_000 {
                    let old = layer.order.pop_front().unwrap();
                    layer.sent.remove(&old);
                }
                layer.index += 1;
            }
            let layer = &mut self.layers[at];
            layer.frame += 1;
            if self.plan.padding_every.is_some_and(|n| layer.frame % n == 0) {
                let (index, ssrc) = (layer.index, layer.ssrc);
                layer.index += 1;
                layer.sent.insert(index as u16, (index, timestamp, false, Vec::new()));
                out.push(self.wire.seal_rtp(
                    false,
                    VIDEO_PAYLOAD_TYPE,
                    index,
                    timestamp,
                    ssrc,
                    &[(EXTENSIONS.mid, b"0")],
                    b"",
                    200,
                ));
            }
        }
    }

    fn send(
        &mut self,
        at: usize,
        index: u64,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
        out: &mut Vec<Vec<u8>>,
    ) {
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let sequence = self.transport_sequence.to_be_bytes();
        let layer = &self.layers[at];
        let mut extensions: Vec<(u8, &[u8])> = vec![(EXTENSIONS.transport_cc, &sequence)];
        if layer.frame < 10 {
            extensions.push((EXTENSIONS.mid, b"0"));
            if let Some(rid) = layer.rid {
                extensions.push((EXTENSIONS.rid, rid.as_bytes()));
            }
        }
        out.push(self.wire.seal_rtp(
            marker,
            VIDEO_PAYLOAD_TYPE,
            index,
            timestamp,
            layer.ssrc,
            &extensions,
            payload,
            0,
        ));
    }

    fn retransmit(&mut self, at: usize, sequence: u16, out: &mut Vec<Vec<u8>>) {
        let layer = &mut self.layers[at];
        let Some((_, timestamp, marker, payload)) = layer.sent.get(&sequence) else { return };
        let mut rtx = sequence.to_be_bytes().to_vec();
        rtx.extend_from_slice(payload);
        layer.rtx_index += 1;
        let rid = layer.rid.unwrap_or("");
        let mut extensions: Vec<(u8, &[u8])> = vec![(EXTENSIONS.mid, b"0")];
        if layer.rid.is_some() {
            extensions.push((EXTENSIONS.repaired_rid, rid.as_bytes()));
        }
        out.push(self.wire.seal_rtp(
            *marker,
            VIDEO_PAYLOAD_TYPE + 1,
            layer.rtx_index,
            *timestamp,
            layer.ssrc + 1,
            &extensions,
            &rtx,
            0,
        ));
    }

    fn send_reports(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        let ntp = us_to_ntp(3_900_000_000_000_000 + self.wall_us + now.micros() as i64);
        let mut packet = Vec::new();
        for layer in &self.layers {
            let info = rtcp::SenderInfo { ntp, rtp_time: self.ticks(now, 90_000), packets: 0, octets: 0 };
            rtcp::write_sr(&mut packet, layer.ssrc, info, &[]);
        }
        if self.plan.sound {
            let info = rtcp::SenderInfo { ntp, rtp_time: self.ticks(now, 48_000), packets: 0, octets: 0 };
            rtcp::write_sr(&mut packet, self.sound_ssrc(), info, &[]);
        }
        out.push(self.wire.seal_rtcp(&packet));
    }

    /// Of the video's layers.
    pub fn ssrcs(&self) -> Vec<u32> {
        self.layers.iter().map(|l| l.ssrc).collect()
    }

    fn sound_ssrc(&self) -> u32 {
        self.wire.transport as u32 * 1_000 + 500
    }
}

/// Payload that a viewer can check: capture time, frame, packet and count behind a codec's header.
fn payload(
    codec: &str,
    picture: u16,
    packet: u64,
    packets: u64,
    keyframe: bool,
    now: Time,
    frame: u64,
) -> Vec<u8> {
    let mut payload = match codec {
        "VP8" => {
            let start = u8::from(packet == 0) << 4;
            let mut p = vec![0x80 | start, 0x80, 0x80 | (picture >> 8) as u8, picture as u8];
            if packet == 0 {
                // RFC 6386 section 9.1: frame tag, start code, 640 x 360.
                p.extend_from_slice(&[u8::from(!keyframe), 0, 0, 0x9D, 1, 0x2A, 0x80, 2, 0x68, 1]);
            }
            p
        }
        _ if keyframe && packet == 0 => {
            vec![0x67, 0x42, 0xE0, 0x1F, 0x8C, 0x8D, 0x40, 0x50, 0x1E, 0xD0, 0x0F, 0x08, 0x84, 0x6A]
        }
        _ if keyframe => vec![0x65],
        _ => vec![0x41],
    };
    payload.extend_from_slice(b"MARK");
    payload.extend_from_slice(&now.micros().to_be_bytes());
    payload.extend_from_slice(&frame.to_be_bytes());
    payload.extend_from_slice(&[packet as u8, packets as u8, u8::from(keyframe)]);
    payload.resize(payload.len() + 300, 0xEE);
    payload
}

impl Peer for Publisher {
    fn handle(&mut self, _now: Time, data: &[u8], out: &mut Vec<Vec<u8>>) {
        if self.wire.handle_stun(data, out) || !rtcp::is_rtcp(data) {
            return;
        }
        let mut data = data.to_vec();
        let Ok(len) = self.wire.unprotect.unprotect_rtcp(&mut data) else { return };
        for packet in rtcp::parse(&data[..len]).flatten() {
            match packet {
                rtcp::Packet::Nack { media, lost, .. } => {
                    let lost: Vec<u16> = lost.collect();
                    self.nacks += lost.len() as u64;
                    if let Some(at) = self.layers.iter().position(|l| l.ssrc == media) {
                        for sequence in lost {
                            self.retransmit(at, sequence, out);
                        }
                    }
                }
                rtcp::Packet::Pli { media, .. } => {
                    self.plis += 1;
                    if self.plan.answers_pli {
                        for layer in self.layers.iter_mut().filter(|l| l.ssrc == media) {
                            layer.keyframe = true;
                        }
                    }
                }
                rtcp::Packet::TransportCc(_) => self.feedback += 1,
                _ => {}
            }
        }
    }

    fn poll(&mut self, now: Time, out: &mut Vec<Vec<u8>>) -> Time {
        let next_check = self.wire.poll(now, out);
        if self.stopped {
            return next_check;
        }
        if self.started == Time::ZERO {
            self.started = now;
            self.next_frame = now + Duration::from_millis(100);
            self.next_sound = self.next_frame;
            self.next_report = self.next_frame;
        }
        if self.next_report <= now {
            self.next_report = now + Duration::from_secs(1);
            self.send_reports(now, out);
        }
        if self.next_frame <= now {
            self.next_frame += Duration::from_micros(self.plan.frame_us);
            self.send_frame(now, out);
        }
        if self.plan.sound && self.next_sound <= now {
            self.next_sound += Duration::from_millis(20);
            self.sound_index += 1;
            let mut payload = b"MARK".to_vec();
            payload.extend_from_slice(&now.micros().to_be_bytes());
            payload.extend_from_slice(&self.wire.transport.to_be_bytes());
            out.push(self.wire.seal_rtp(
                false,
                AUDIO_PAYLOAD_TYPE,
                self.sound_index,
                self.ticks(now, 48_000),
                self.sound_ssrc(),
                &[(EXTENSIONS.mid, b"1"), (EXTENSIONS.audio_level, &[0x80 | 20])],
                &payload,
                0,
            ));
        }
        let sound = if self.plan.sound { self.next_sound } else { Time::FAR };
        next_check.min(self.next_frame).min(self.next_report).min(sound)
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
