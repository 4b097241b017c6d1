//! A viewer that checks everything it receives: no packet index twice, numbers without holes, times that
//! rise, frames whole and in a decodable order, sound and picture together.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use proto::codec::vp8;
use proto::message::{Choice, Kind, SubscriptionSpec, TrackId};
use proto::packet::ntp_to_us;
use proto::{rtcp, Command, Time};

use crate::wire::{codec, video_codecs, Wire};
use crate::world::Peer;

const VIDEO: u8 = 100;
const AUDIO: u8 = 120;

#[derive(Debug, Clone)]
pub struct Frame {
    pub at: Time,
    /// When the publisher made it.
    pub made: Time,
    pub timestamp: u32,
    pub keyframe: bool,
    pub number: u64,
    pub picture: Option<u16>,
    pub payload_type: u8,
}

#[derive(Default)]
struct Assembly {
    packets: HashSet<u8>,
    count: u8,
    frame: Option<Frame>,
}

pub struct Viewer {
    pub wire: Wire,
    pub ssrc: u32,
    pub nacks: bool,
    /// Frames in the order in which a decoder gets them.
    pub frames: Vec<Frame>,
    pub sound: Vec<(Time, Time, u32)>,
    /// Whose sound it was: the publisher's transport.
    pub voices: Vec<(Time, u64)>,
    pub reports: Vec<(Time, u32, u64, u32)>,
    pub byes: u64,
    indices: HashSet<(u32, u64)>,
    assemblies: BTreeMap<u64, Assembly>,
    received: HashSet<u64>,
    /// Packets that only hold a number.
    empty: HashSet<u64>,
    highest: Option<u64>,
    missing: HashMap<u64, (Time, u32)>,
    next_nack: Time,
    next_pli: Time,
    last_frame: Option<u64>,
    pub last_index: u64,
    pub rtx: u64,
    /// Frames that never became whole.
    pub torn: u64,
}

impl Viewer {
    pub fn new(transport: u64, video: TrackId, audio: Option<TrackId>) -> (Viewer, Vec<Command>) {
        Self::choosing(transport, video, audio, Choice::Auto)
    }

    pub fn choosing(
        transport: u64,
        video: TrackId,
        audio: Option<TrackId>,
        encoding: Choice,
    ) -> (Viewer, Vec<Command>) {
        let wire = Wire::new(transport);
        let mut commands: Vec<Command> = wire.open().into();
        let ssrc = 0x1000_0000 + transport as u32 * 16;
        commands.push(Command::AddSubscription {
            transport,
            subscription: Self::subscription(transport, video, encoding, ssrc),
        });
        if let Some(audio) = audio {
            commands.push(Command::AddSubscription {
                transport,
                subscription: SubscriptionSpec {
                    id: transport * 10 + 2,
                    kind: Kind::Audio,
                    mid: "1".into(),
                    source: audio,
                    codecs: vec![codec("opus", AUDIO)],
                    ssrc: ssrc + 2,
                    rtx_ssrc: ssrc + 3,
                    encoding: Choice::Auto,
                    spared: false,
                },
            });
        }
        let viewer = Viewer {
            wire,
            ssrc,
            nacks: true,
            frames: vec![],
            sound: vec![],
            voices: vec![],
            reports: vec![],
            byes: 0,
            indices: HashSet::new(),
            assemblies: BTreeMap::new(),
            received: HashSet::new(),
            empty: HashSet::new(),
            highest: None,
            missing: HashMap::new(),
            next_nack: Time::FAR,
            next_pli: Time::FAR,
            last_frame: None,
            last_index: 0,
            rtx: 0,
            torn: 0,
        };
        (viewer, commands)
    }

    pub fn subscription(transport: u64, source: TrackId, encoding: Choice, ssrc: u32) -> SubscriptionSpec {
        SubscriptionSpec {
            id: transport * 10 + 1,
            kind: Kind::Video,
            mid: "0".into(),
            source,
            codecs: video_codecs(VIDEO),
            ssrc,
            rtx_ssrc: ssrc + 1,
            encoding,
            spared: false,
        }
    }

    fn video(&mut self, now: Time, index: u64, timestamp: u32, payload_type: u8, payload: &[u8]) {
        self.received.insert(index);
        self.missing.remove(&index);
        if let Some(highest) = self.highest {
            assert!(index < highest + 5_000, "a jump from {highest} to {index}");
            for lost in highest + 1..index {
                self.missing.insert(lost, (now + Duration::from_millis(10), 0));
                self.next_nack = self.next_nack.min(now + Duration::from_millis(10));
            }
        }
        self.highest = Some(self.highest.map_or(index, |h| h.max(index)));
        self.last_index = self.highest.unwrap_or(0);
        let Some(mark) = payload.windows(4).position(|w| w == b"MARK") else {
            assert!(payload.is_empty(), "payload without a mark");
            self.empty.insert(index);
            self.decode(now);
            return;
        };
        let field = &payload[mark + 4..];
        let made = Time::from_micros(u64::from_be_bytes(field[..8].try_into().unwrap()));
        let number = u64::from_be_bytes(field[8..16].try_into().unwrap());
        let (packet, count, keyframe) = (field[16], field[17], field[18] == 1);
        let picture = (payload_type == VIDEO + 2)
            .then(|| vp8::Descriptor::parse(payload).ok()?.picture_id.map(|(id, _, _)| id))
            .flatten();
        let assembly = self.assemblies.entry(index - u64::from(packet)).or_default();
        assembly.packets.insert(packet);
        assembly.count = count;
        assembly.frame.get_or_insert(Frame {
            at: now,
            made,
            timestamp,
            keyframe,
            number,
            picture,
            payload_type,
        });
        self.decode(now);
    }

    /// Hand frames to the decoder: whole, next in order, or a keyframe.
    fn decode(&mut self, now: Time) {
        loop {
            while self.last_frame.is_some_and(|next| self.empty.contains(&next)) {
                self.last_frame = self.last_frame.map(|next| next + 1);
            }
            let next = self.assemblies.iter().find(|(&start, a)| {
                let Some(frame) = &a.frame else { return false };
                a.packets.len() == usize::from(a.count)
                    && (self.last_frame == Some(start)
                        || frame.keyframe && self.last_frame.is_none_or(|last| start > last))
            });
            let Some((&start, _)) = next else { return };
            let assembly = self.assemblies.remove(&start).unwrap();
            let later = self.assemblies.split_off(&start);
            self.torn += std::mem::replace(&mut self.assemblies, later).len() as u64;
            self.last_frame = Some(start + u64::from(assembly.count));
            let frame = assembly.frame.unwrap();
            if let Some(last) = self.frames.last() {
                let rise = frame.timestamp.wrapping_sub(last.timestamp) as i32;
                assert!(rise > 0, "time went back: {last:?} then {frame:?}");
                if let (Some(a), Some(b)) = (last.picture, frame.picture) {
                    let step = b.wrapping_sub(a) & 0x7FFF;
                    assert!((1..0x4000).contains(&step), "picture ids {a} then {b}");
                }
            }
            self.frames.push(Frame { at: now, ..frame });
        }
    }

    /// Drop records of what is past, as a test that lasts a day must.
    pub fn forget(&mut self) {
        self.frames.drain(..self.frames.len().saturating_sub(1));
        self.sound.drain(..self.sound.len().saturating_sub(1));
        self.voices.clear();
        self.reports.drain(..self.reports.len().saturating_sub(8));
        let mut newest: HashMap<u32, u64> = HashMap::new();
        for &(ssrc, index) in &self.indices {
            let highest = newest.entry(ssrc).or_default();
            *highest = index.max(*highest);
        }
        self.indices.retain(|(ssrc, index)| index + 2_000 > newest[ssrc]);
        let highest = self.highest.unwrap_or(0);
        self.received.retain(|index| index + 2_000 > highest);
        self.empty.retain(|index| index + 2_000 > highest);
        for set in [&mut self.received, &mut self.empty] {
            set.shrink_to_fit();
        }
        self.indices.shrink_to_fit();
        self.frames.shrink_to_fit();
        self.sound.shrink_to_fit();
        self.voices.shrink_to_fit();
        self.reports.shrink_to_fit();
    }

    /// The longest time without a new frame in `from..`.
    pub fn longest_freeze(&self, from: Time, to: Time) -> Duration {
        let mut last = from;
        let mut longest = Duration::ZERO;
        for frame in self.frames.iter().filter(|f| f.at >= from && f.at <= to) {
            longest = longest.max(frame.at.since(last));
            last = frame.at;
        }
        longest.max(to.since(last))
    }

    /// Capture time in microseconds of an RTP time by the newest report of its SSRC.
    pub fn captured(&self, ssrc: u32, timestamp: u32, rate: i64) -> Option<i64> {
        let (_, _, ntp, rtp) = *self.reports.iter().rev().find(|r| r.1 == ssrc)?;
        Some(ntp_to_us(ntp) + i64::from(timestamp.wrapping_sub(rtp) as i32) * 1_000_000 / rate)
    }
}

impl Peer for Viewer {
    fn handle(&mut self, now: Time, data: &[u8], out: &mut Vec<Vec<u8>>) {
        if self.wire.handle_stun(data, out) {
            return;
        }
        if rtcp::is_rtcp(data) {
            let mut data = data.to_vec();
            let Ok(len) = self.wire.unprotect.unprotect_rtcp(&mut data) else { return };
            for packet in rtcp::parse(&data[..len]) {
                match packet.expect("the node writes what it can parse") {
                    rtcp::Packet::SenderReport { ssrc, info, .. } => {
                        self.reports.push((now, ssrc, info.ntp, info.rtp_time));
                    }
                    rtcp::Packet::Bye { .. } => self.byes += 1,
                    _ => {}
                }
            }
            return;
        }
        let Some((header, index, payload)) = self.wire.open_rtp(data) else { return };
        assert!(
            self.indices.insert((header.ssrc, index)),
            "index {index} of SSRC {:x} used twice: a nonce reused",
            header.ssrc
        );
        if header.ssrc == self.ssrc {
            if self.received.contains(&index) {
                return; // overtaken by its own retransmission
            }
            self.video(now, index, header.timestamp, header.payload_type, &payload);
        } else if header.ssrc == self.ssrc + 1 {
            self.rtx += 1;
            let lost = u16::from_be_bytes([payload[0], payload[1]]);
            let newest = self.highest.expect("RTX before media");
            let original = newest - u64::from((newest as u16).wrapping_sub(lost));
            if !self.received.contains(&original) {
                self.video(now, original, header.timestamp, header.payload_type - 1, &payload[2..]);
            }
        } else if header.ssrc == self.ssrc + 2 {
            let made = u64::from_be_bytes(payload[4..12].try_into().unwrap());
            self.sound.push((now, Time::from_micros(made), header.timestamp));
            self.voices.push((now, u64::from_be_bytes(payload[12..20].try_into().unwrap())));
        } else {
            panic!("an SSRC that nobody announced: {:x}", header.ssrc);
        }
    }

    fn poll(&mut self, now: Time, out: &mut Vec<Vec<u8>>) -> Time {
        let next_check = self.wire.poll(now, out);
        if self.nacks && self.next_nack <= now {
            let mut ask: Vec<u16> = Vec::new();
            let newest = self.highest.unwrap_or(0);
            self.missing.retain(|&lost, (_, tries)| *tries < 15 && lost + 3_000 > newest);
            let mut due: Vec<u64> =
                self.missing.iter().filter(|(_, (at, _))| *at <= now).map(|(&l, _)| l).collect();
            due.sort_unstable();
            for lost in due {
                if let Some((at, tries)) = self.missing.get_mut(&lost) {
                    *at = now + Duration::from_millis(60);
                    *tries += 1;
                    ask.push(lost as u16);
                }
            }
            if !ask.is_empty() {
                let mut packet = Vec::new();
                rtcp::write_nack(&mut packet, 1, self.ssrc, &ask);
                out.push(self.wire.seal_rtcp(&packet));
            }
            self.next_nack = self.missing.values().map(|(at, _)| *at).min().unwrap_or(Time::FAR);
        }
        // Like a browser: nothing decodable for a second although packets come.
        let last = self.frames.last().map(|f| f.at);
        if let (Some(_), Some(last)) = (self.highest, last) {
            if now.since(last) > Duration::from_secs(1) && self.next_pli <= now || self.next_pli == Time::FAR
            {
                self.next_pli = now + Duration::from_secs(1);
                if now.since(last) > Duration::from_secs(1) {
                    let mut packet = Vec::new();
                    rtcp::write_pli(&mut packet, 1, self.ssrc);
                    out.push(self.wire.seal_rtcp(&packet));
                }
            }
        }
        next_check.min(self.next_nack).min(now + Duration::from_millis(500))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
