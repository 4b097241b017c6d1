//! The core's share of forwarding, without sockets and threads, for profilers that count instructions:
//!
//! `valgrind --tool=callgrind --toggle-collect='*forward_frame*' forward VIEWERS FRAMES`
//!
//! A frame of nine packets of 1,160 bytes comes each 33 ms, as 2.5 Mb/s have it; what leaves is thrown away.
//!
//! `forward VIEWERS FRAMES WORKERS` shares the viewers out among workers on threads of their own and says how
//! fast they forward together: the first has the publisher, the others get its packets as messages.

use std::net::SocketAddr;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use proto::directory::Directory;
use proto::message::*;
use proto::route::{Route, Router};
use proto::srtp::{Profile, Protector};
use proto::stun::{self, BindingRequest};
use proto::worker::Worker;
use proto::{rtp, Command, Config, Message, Outbound, Time};

const PACKETS: u16 = 9;
const PROFILE: Profile = Profile::AeadAes128Gcm;

const FRAME: Duration = Duration::from_micros(33_333);
/// Frames that a worker may be behind the first one.
const AHEAD: usize = 4;

/// What the first worker has for another at a time.
type Mail = (Time, Vec<Message>);

/// A worker and what its driver would hold.
struct Lane {
    worker: Worker,
    out: Outbound,
    now: Time,
}

struct Bench {
    lanes: Vec<Lane>,
    router: Router,
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

impl Lane {
    /// Datagrams that would have left.
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

    /// All timers until the next frame is due.
    fn idle(&mut self) -> usize {
        let mut sent = 0;
        let next = self.now + FRAME;
        while let Some(at) = self.worker.poll_timeout().filter(|&at| at < next) {
            self.now = self.now.max(at);
            self.worker.handle_timeout(self.now);
            sent += self.drain();
        }
        self.now = next;
        sent
    }

    #[inline(never)]
    fn forward_frame(&mut self, frame: &mut [Vec<u8>], others: &[SyncSender<Mail>]) -> usize {
        for packet in frame {
            self.worker.handle_datagram(self.now, None, address(0), packet);
        }
        let mut mail: Vec<Vec<Message>> = others.iter().map(|_| Vec::new()).collect();
        while let Some((to, message)) = self.worker.poll_message() {
            mail[to - 1].push(message);
        }
        for (other, messages) in others.iter().zip(mail) {
            other.send((self.now, messages)).expect("the other worker runs");
        }
        self.drain() + self.idle()
    }

    /// What the first worker published, until it ends.
    fn follow(mut self, mail: &Receiver<Mail>) -> usize {
        let mut sent = 0;
        while let Ok((now, messages)) = mail.recv() {
            self.now = now;
            for message in messages {
                self.worker.handle_message(now, message);
            }
            sent += self.drain() + self.idle();
            // Nothing is lost here, so that nobody wants a keyframe of the first worker.
            assert!(self.worker.poll_message().is_none());
        }
        sent
    }
}

impl Bench {
    fn new(workers: usize) -> Bench {
        let directory = Arc::new(Directory::new(workers));
        let config = Config { workers, ..Config::default() };
        let lane = |index| Lane {
            worker: Worker::new(index, config.clone(), directory.clone()),
            out: Outbound::default(),
            now: Time::from_micros(1_000_000),
        };
        Bench { lanes: (0..workers).map(lane).collect(), router: Router::new(directory.clone()) }
    }

    fn command(&mut self, command: Command) {
        match self.router.route(command) {
            Route::All(command) => {
                for lane in &mut self.lanes {
                    lane.worker.handle_message(lane.now, Message::Command(command.clone()));
                }
            }
            Route::One(at, command) => {
                let lane = &mut self.lanes[at];
                lane.worker.handle_message(lane.now, Message::Command(command));
            }
            Route::Kept | Route::Gone => {}
        }
    }

    /// Open a transport, on the worker that its id falls to, and make ICE and keys work.
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
        let at = id as usize % self.lanes.len();
        let lane = &mut self.lanes[at];
        lane.worker.handle_datagram(lane.now, None, address(id), &mut request);
        lane.out.clear();
        lane.worker.poll_transmit(lane.now, &mut lane.out);
        let mut answers = Vec::new();
        for (_, to, data) in lane.out.datagrams() {
            let Ok(message) = stun::Message::parse(data) else { continue };
            if message.class() == stun::Class::Request {
                let mut answer = Vec::new();
                let transaction = message.transaction_id();
                stun::write_binding_success(&mut answer, transaction, to, remote.pwd.as_bytes());
                answers.push((to, answer));
            }
        }
        for (from, mut answer) in answers {
            lane.worker.handle_datagram(lane.now, None, from, &mut answer);
        }
        self.settle();
    }

    /// Carry messages until nobody has one more.
    fn settle(&mut self) {
        while let Some((to, message)) = self.lanes.iter_mut().find_map(|lane| lane.worker.poll_message()) {
            let lane = &mut self.lanes[to];
            lane.worker.handle_message(lane.now, message);
        }
        for lane in &mut self.lanes {
            lane.drain();
        }
    }
}

/// An encrypted frame; the first one is an IDR, all others are slices; first_mb_in_slice is 0.
fn frame(protector: &Protector, number: u32) -> Vec<Vec<u8>> {
    (0..PACKETS)
        .map(|at| {
            let index = u64::from(number) * u64::from(PACKETS) + u64::from(at) + 1;
            let mut data = Vec::new();
            let last = at + 1 == PACKETS;
            rtp::write_header(&mut data, last, 102, index as u16, number * 3_000, 5, false, &[]);
            let header_len = data.len();
            data.extend_from_slice(&[if number == 0 { 0x65 } else { 0x41 }, 0x88]);
            data.resize(header_len + 1_160, number as u8);
            protector.protect_rtp(&mut data, 0, header_len, index);
            data
        })
        .collect()
}

fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let viewers = arguments.first().copied().unwrap_or(500) as u64;
    let frames = arguments.get(1).copied().unwrap_or(100);
    let mut bench = Bench::new(arguments.get(2).copied().unwrap_or(1).max(1));
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
    let mut frames: Vec<Vec<Vec<u8>>> = (0..frames as u32).map(|number| frame(&protector, number)).collect();
    let mut lanes = bench.lanes.into_iter();
    let mut first = lanes.next().expect("at least one worker");
    let begin = Instant::now();
    let sent = thread::scope(|scope| {
        let mut others = Vec::new();
        let mut threads = Vec::new();
        for lane in lanes {
            let (sender, receiver) = sync_channel::<Mail>(AHEAD);
            others.push(sender);
            threads.push(scope.spawn(move || lane.follow(&receiver)));
        }
        let sent: usize = frames.iter_mut().map(|frame| first.forward_frame(frame, &others)).sum();
        drop(others);
        sent + threads.into_iter().map(|t| t.join().expect("a worker's thread")).sum::<usize>()
    });
    let took = begin.elapsed().as_secs_f64();
    println!("{sent} datagrams, {:.0} a second", sent as f64 / took);
}
