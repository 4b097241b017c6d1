//! A peer with valid credentials and keys that sends what the input says: everything behind authentication.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::directory::Directory;
use proto::message::{Choice, Kind, Message, SubscriptionSpec, TrackSpec};
use proto::rtp::Header;
use proto::worker::Worker;
use proto::{rtcp, stun, Command, Config, Outbound, Time};

use super::wire::{codec, video_codecs, Wire};

const HOSTILE: u64 = 1;
const VIEWER: u64 = 2;
const VIDEO: u64 = 11;
const AUDIO: u64 = 12;
/// Of input that one run may take: some frames and reports.
const MOST: usize = 4_096;

fn address(peer: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, peer as u8], 4_000))
}

struct Scene {
    worker: Worker,
    now: Time,
    peers: [Wire; 2],
    /// The newest index of each SSRC that the hostile peer sends with.
    indices: HashMap<u32, u64>,
    out: Outbound,
    received: u64,
    sent: HashMap<SocketAddr, (u64, u64)>,
}

/// Input: (what, length, bytes of that length) over and over.
pub fn peer(data: &[u8]) {
    let mut scene = Scene::new();
    let mut rest = &data[..data.len().min(MOST)];
    while let [what, length, following @ ..] = rest {
        let (body, after) = following.split_at(usize::from(*length).min(following.len()));
        scene.step(*what, body);
        rest = after;
    }
    scene.pass(Duration::from_millis(1_500));
}

impl Scene {
    fn new() -> Scene {
        let directory = Arc::new(Directory::new(1));
        let mut scene = Scene {
            worker: Worker::new(0, Config::default(), directory.clone()),
            now: Time::from_micros(1_000_000),
            peers: [Wire::new(HOSTILE), Wire::new(VIEWER)],
            indices: HashMap::new(),
            out: Outbound::default(),
            received: 0,
            sent: HashMap::new(),
        };
        let mut commands: Vec<Command> = scene.peers.iter().flat_map(Wire::open).collect();
        let rids = vec!["h".into(), "l".into()];
        for (id, kind, rids) in [(VIDEO, Kind::Video, rids), (AUDIO, Kind::Audio, vec![])] {
            let video = kind == Kind::Video;
            let codecs = if video { video_codecs(96) } else { vec![codec("opus", 111)] };
            let mid = if video { "0" } else { "1" }.to_owned();
            let track = TrackSpec { id, kind, mid: mid.clone(), codecs: codecs.clone(), rids, ssrcs: vec![] };
            commands.push(Command::AddTrack { transport: HOSTILE, track });
            for transport in [HOSTILE, VIEWER] {
                let id = transport * 1_000 + id;
                let (ssrc, rtx_ssrc) = (id as u32 * 2, id as u32 * 2 + 1);
                let (source, mid, codecs) = (if video { VIDEO } else { AUDIO }, mid.clone(), codecs.clone());
                let encoding = Choice::Auto;
                let subscription = SubscriptionSpec {
                    id,
                    kind,
                    mid,
                    source,
                    codecs,
                    ssrc,
                    rtx_ssrc,
                    encoding,
                    spared: false,
                };
                commands.push(Command::AddSubscription { transport, subscription });
            }
        }
        for command in commands {
            if let Command::OpenTransport(spec) = &command {
                directory.add_transport(spec.id);
            }
            // What concerns a transport waits for its owner, as the control side's router has it.
            let id = match &command {
                Command::SetKeys { transport, .. }
                | Command::AddTrack { transport, .. }
                | Command::AddSubscription { transport, .. } => Some(*transport),
                _ => None,
            };
            match id.and_then(|id| directory.transport(id)) {
                Some(slot) => assert!(slot.route(command).is_none()),
                None => scene.worker.handle_message(scene.now, Message::Command(command)),
            }
        }
        for peer in [HOSTILE, VIEWER] {
            let request = scene.wire(peer).request(true);
            scene.arrive(address(peer), request);
        }
        scene
    }

    fn wire(&mut self, peer: u64) -> &mut Wire {
        &mut self.peers[peer as usize - 1]
    }

    fn step(&mut self, what: u8, body: &[u8]) {
        match what % 8 {
            0..=2 => self.rtp(body.to_vec()),
            3 | 4 => {
                let data = self.wire(HOSTILE).seal_rtcp(&[body, &[0; 8]].concat());
                self.arrive(address(HOSTILE), data);
            }
            5 => self.arrive(address(HOSTILE), body.to_vec()),
            6 => {
                let request = self.wire(HOSTILE).request(body.len() % 2 == 0);
                self.arrive(address(body.first().map_or(HOSTILE, |&b| u64::from(b))), request);
            }
            _ => {
                // Up to 5 s, or past the end of consent.
                let wait = body.iter().take(2).fold(0, |all, &b| all * 160 + 20 * u64::from(b));
                self.pass(Duration::from_millis(wait));
            }
        }
    }

    /// RTP with a valid tag, whatever its header says of itself.
    fn rtp(&mut self, mut data: Vec<u8>) {
        data.resize(data.len().max(12), 0);
        let (header_len, ssrc) = Header::parse(&data).map_or((12, 0), |h| (h.header_len, h.ssrc));
        let sequence = u16::from_be_bytes([data[2], data[3]]);
        let last = *self.indices.get(&ssrc).unwrap_or(&u64::from(sequence));
        let ahead = sequence.wrapping_sub(last as u16) as i16;
        let index = last.saturating_add_signed(ahead.into());
        self.indices.insert(ssrc, last.max(index));
        if index as u16 == sequence {
            self.wire(HOSTILE).protect.protect_rtp(&mut data, 0, header_len, index);
        }
        self.arrive(address(HOSTILE), data);
    }

    fn arrive(&mut self, from: SocketAddr, mut data: Vec<u8>) {
        let local = Some([10, 0, 0, 1].into());
        self.received += data.len() as u64;
        self.sent.entry(from).or_default().0 += data.len() as u64;
        self.worker.handle_datagram(self.now, local, from, &mut data);
        self.settle();
    }

    fn pass(&mut self, how_long: Duration) {
        let end = self.now + how_long;
        let mut stuck = 0;
        while let Some(next) = self.worker.poll_timeout().filter(|&next| next <= end) {
            stuck = if next <= self.now { stuck + 1 } else { 0 };
            assert!(stuck < 1_000, "a deadline that nothing fulfils");
            self.now = self.now.max(next);
            self.worker.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Take what the worker sends, answer its checks, and hold all of it to what the peers can read.
    fn settle(&mut self) {
        loop {
            let more = self.worker.poll_transmit(self.now, &mut self.out);
            let sent: Vec<_> = self.out.datagrams().map(|(_, to, data)| (to, data.to_vec())).collect();
            self.out.clear();
            let mut answers = Vec::new();
            for (to, data) in sent {
                let told = self.sent.entry(to).or_default();
                told.1 += data.len() as u64;
                let Some(peer) = [HOSTILE, VIEWER].into_iter().find(|&peer| address(peer) == to) else {
                    assert!(told.1 <= 3 * told.0, "{} bytes to a stranger for {}", told.1, told.0);
                    continue;
                };
                let mut out = Vec::new();
                let wire = self.wire(peer);
                if wire.handle_stun(&data, &mut out) {
                    answers.extend(out.into_iter().map(|answer| (to, answer)));
                } else if stun::is_stun(&data) || (20..64).contains(&data[0]) {
                    assert!(data[0] >= 20);
                } else if rtcp::is_rtcp(&data) {
                    let mut data = data;
                    let len = wire.unprotect.unprotect_rtcp(&mut data).expect("our RTCP opens");
                    assert!(rtcp::parse(&data[..len]).all(|packet| packet.is_ok()), "our RTCP parses");
                } else {
                    assert!(wire.open_rtp(&data).is_some(), "our RTP opens, each index once");
                }
            }
            for (from, answer) in answers {
                self.arrive(from, answer);
            }
            if !more {
                break;
            }
        }
        while self.worker.poll_message().is_some() {}
        while self.worker.poll_event().is_some() {}
    }
}
