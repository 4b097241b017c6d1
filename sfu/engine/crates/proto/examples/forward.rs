//! The core's share of forwarding, without sockets and threads, for profilers that count instructions:
//!
//! `valgrind --tool=callgrind --toggle-collect='*forward_frame*' forward VIEWERS FRAMES`
//!
//! A frame of nine packets of 1,160 bytes comes each 33 ms, as 2.5 Mb/s have it; what leaves is thrown away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::directory::Directory;
use proto::message::*;
use proto::route::{Route, Router};
use proto::srtp::{Profile, Protector};
use proto::stun::{self, BindingRequest};
use proto::worker::Worker;
use proto::{rtp, Command, Config, Message, Outbound, Time};

const PACKETS: u16 = 9;
const PROFILE: Profile = Profile::AeadAes128Gcm;

struct Bench {
    worker: Worker,
    router: Router,
    now: Time,
    out: Outbound,
}

fn address(id: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, (id >> 8) as u8, id as u8], 5_000))
}

fn credentials(side: &str, id: u64) -> IceCredentials {
    IceCredentials { ufrag: format!("{side}{id}"), pwd: format!("{side}-password-{id:012}") }
}

fn key(id: u64, side: u8) -> Vec<u8> {
    (0..28).map(|i| id.to_le_bytes()[i % 8] ^ side ^ i as u8).collect()
}

fn codec() -> CodecSpec {
    CodecSpec {
        payload_type: 102,
        rtx_payload_type: Some(103),
        name: "H264".into(),
        clock_rate: 90_000,
        channels: 1,
        fmtp: "packetization-mode=1;profile-level-id=42e01f".into(),
        nack: true,
        pli: true,
        fir: false,
    }
}

impl Bench {
    fn command(&mut self, command: Command) {
        if let Route::All(command) | Route::One(_, command) = self.router.route(command) {
            self.worker.handle_message(self.now, Message::Command(command));
        }
    }

    /// Open a transport and make ICE and keys work.
    fn open(&mut self, id: u64, more: Command) {
        let extensions = Extensions { transport_cc: 3, ..Extensions::default() };
        let (local, remote) = (credentials("n", id), credentials("p", id));
        self.command(Command::OpenTransport(TransportSpec {
            id,
            local: local.clone(),
            remote: remote.clone(),
            dial: None,
            extensions,
            transport_cc: true,
            remb: false,
            cname: "bench".into(),
        }));
        let keys = SrtpKeys { profile: PROFILE, receive: key(id, 1), send: key(id, 2) };
        self.command(Command::SetKeys { transport: id, keys });
        self.command(more);
        let mut request = Vec::new();
        BindingRequest {
            transaction_id: [7; 12],
            username: &format!("{}:{}", local.ufrag, remote.ufrag),
            key: local.pwd.as_bytes(),
            priority: 1,
            controlling: Some(1),
            use_candidate: true,
        }
        .write(&mut request);
        self.worker.handle_datagram(self.now, None, address(id), &mut request);
        self.out.clear();
        self.worker.poll_transmit(self.now, &mut self.out);
        let mut answers = Vec::new();
        for (_, to, data) in self.out.datagrams() {
            let Ok(message) = stun::Message::parse(data) else { continue };
            if message.class() == stun::Class::Request {
                let mut answer = Vec::new();
                let transaction = message.transaction_id();
                stun::write_binding_success(&mut answer, transaction, to, remote.pwd.as_bytes());
                answers.push((to, answer));
            }
        }
        for (from, mut answer) in answers {
            self.worker.handle_datagram(self.now, None, from, &mut answer);
        }
    }

    fn drain(&mut self) -> usize {
        let mut datagrams = 0;
        loop {
            self.out.clear();
            let more = self.worker.poll_transmit(self.now, &mut self.out);
            datagrams += self.out.transmits.iter().map(|t| t.len.div_ceil(t.segment)).sum::<usize>();
            if !more {
                break;
            }
        }
        while self.worker.poll_event().is_some() {}
        datagrams
    }

    /// One frame in, and all timers until the next one is due.
    #[inline(never)]
    fn forward_frame(&mut self, frame: &mut [Vec<u8>]) -> usize {
        for packet in frame {
            self.worker.handle_datagram(self.now, None, address(0), packet);
        }
        let mut sent = self.drain();
        let next = self.now + Duration::from_micros(33_333);
        while let Some(at) = self.worker.poll_timeout().filter(|&at| at < next) {
            self.now = self.now.max(at);
            self.worker.handle_timeout(self.now);
            sent += self.drain();
        }
        self.now = next;
        sent
    }
}

fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let viewers = arguments.first().copied().unwrap_or(500) as u64;
    let frames = arguments.get(1).copied().unwrap_or(100);
    let directory = Arc::new(Directory::new(1));
    let mut bench = Bench {
        worker: Worker::new(0, Config::default(), directory.clone()),
        router: Router::new(directory),
        now: Time::from_micros(1_000_000),
        out: Outbound::default(),
    };
    let track = TrackSpec {
        id: 1,
        kind: Kind::Video,
        mid: "0".into(),
        codecs: vec![codec()],
        rids: vec![],
        ssrcs: vec![(5, 0)],
    };
    bench.open(0, Command::AddTrack { transport: 0, track });
    for id in 1..=viewers {
        let subscription = SubscriptionSpec {
            id,
            kind: Kind::Video,
            mid: "0".into(),
            source: 1,
            codecs: vec![codec()],
            ssrc: 1_000 + 2 * id as u32,
            rtx_ssrc: 1_001 + 2 * id as u32,
            encoding: Choice::Auto,
            spared: false,
        };
        bench.open(id, Command::AddSubscription { transport: id, subscription });
    }
    let protector = Protector::new(PROFILE, &key(0, 1)).expect("a key of the profile's length");
    let mut index = 0u64;
    let mut sent = 0;
    for number in 0..frames as u32 {
        let mut frame: Vec<Vec<u8>> = (0..PACKETS)
            .map(|at| {
                index += 1;
                let mut data = Vec::new();
                let last = at + 1 == PACKETS;
                rtp::write_header(&mut data, last, 102, index as u16, number * 3_000, 5, false, &[]);
                let header_len = data.len();
                // The first frame is an IDR, all others are slices; first_mb_in_slice is 0.
                data.extend_from_slice(&[if number == 0 { 0x65 } else { 0x41 }, 0x88]);
                data.resize(header_len + 1_160, number as u8);
                protector.protect_rtp(&mut data, 0, header_len, index);
                data
            })
            .collect();
        sent += bench.forward_frame(&mut frame);
    }
    println!("{sent} datagrams");
}
