//! `forward`: what a forwarded packet costs, and what it costs at least.
//!
//! A publisher and all viewers run in this process and reach a node over loopback like anybody: ICE,
//! then SRTP with keys set beforehand (DTLS is a matter of joins, not of packets). Viewers only count,
//! watch sequence numbers and decrypt a sample. Then the same publisher feeds the floor: the same
//! decryption, encryption and sends to the same viewers without anything in between.

mod floor;
mod ice;
mod peer;
mod publisher;
mod viewers;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proto::message::{Choice, CodecSpec, Extensions, Kind, SubscriptionSpec, TrackSpec};
use proto::srtp::Profile;
use proto::{Command, Config};

use crate::{Clock, Node, Probe};
use floor::Floor;
use peer::Peer;
use publisher::Publisher;
use viewers::Viewers;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const TRACK: u64 = 1;
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// What is still in queues and buffers when the publisher has stopped.
const DRAIN: Duration = Duration::from_millis(500);
const FLOOR_AT_MOST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub viewers: usize,
    /// Of the published track, in 10^6 bits per second of payload.
    pub mbps: f64,
    pub seconds: f64,
    /// Before it is measured: joining costs keyframes and replays that are not part of forwarding.
    pub warm_up: Duration,
    /// Over which the publisher spreads the packets of a frame.
    pub spread: Duration,
    pub gso: bool,
    pub workers: usize,
    pub profile: Profile,
    /// Viewers that read all they get; the others take no CPU.
    pub listening: usize,
    /// Whether a worker that can't keep up sheds load.
    pub shed: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

impl Percentiles {
    fn of(us: impl Iterator<Item = u32>) -> Percentiles {
        let mut us: Vec<u32> = us.collect();
        us.sort_unstable();
        let ms =
            |percent: usize| us.get(us.len() * percent / 100).map_or(f64::NAN, |us| f64::from(*us) / 1e3);
        Percentiles { p50: ms(50), p99: ms(99) }
    }
}

#[derive(Debug, Clone)]
pub struct Report {
    /// Measured, without warming up.
    pub seconds: f64,
    pub packets_per_s: f64,
    /// CPU time of the worker threads over packets sent to viewers.
    pub cpu_us_per_packet: f64,
    pub floor_us_per_packet: f64,
    pub lost: u64,
    pub shed: Shed,
    /// From just before the publisher's send to just after the viewer's receive.
    pub latency_ms: Percentiles,
    /// The same to the kernel's receive time at the viewer, whenever that reads it.
    pub arrival_ms: Percentiles,
    /// Packets decrypted by viewers.
    pub samples: usize,
    /// Whether GSO was used.
    pub gso: bool,
    pub probe: Probe,
}

/// What was shed while it was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shed {
    /// Packets withheld from viewers whose turn it was to pause.
    pub packets: u64,
    /// Viewers that paused, on average of a look a second.
    pub viewers_paused: f64,
    /// Whether new seats were refused at the end.
    pub seats_refused: bool,
    /// Standing lateness of the latest worker at the end.
    pub lateness: Duration,
}

/// Runs for about `seconds` twice; progress goes to stderr.
///
/// # Errors
/// Sockets that can't be had, viewers that don't connect, samples that don't decrypt.
pub fn run(options: Options) -> io::Result<Report> {
    raise_descriptor_limit();
    let mut config = Config { workers: options.workers, gso: options.gso, ..Config::default() };
    config.limits.publisher_bps = config.limits.publisher_bps.max((options.mbps * 2e6) as u64);
    config.limits.publisher_packets_per_s =
        config.limits.publisher_packets_per_s.max(options.mbps as u32 * 250);
    if !options.shed {
        config.limits.shed_above = Duration::ZERO;
    }
    let node = Node::start(crate::Options { bind: vec![LOOPBACK], port: 0, config })?;
    let engine = SocketAddr::new(LOOPBACK, node.port());
    let clock = node.clock();

    let publisher_peer = Peer::new(0, engine, options.profile)?;
    open_publisher(&node, &publisher_peer);
    let mut peers = Vec::with_capacity(options.viewers);
    for id in 1..=options.viewers as u64 {
        let peer = Peer::new(id, engine, options.profile)?;
        open_viewer(&node, &peer);
        peers.push(peer);
    }
    let viewers = Viewers::start(peers, options.listening, clock)?;
    let publisher = Running::start(Publisher::new(publisher_peer, options.mbps, options.spread, clock)?);
    wait_for(&viewers, clock)?;

    eprintln!("forward: {} viewers connected, {} worker(s)", options.viewers, node.workers());
    thread::sleep(options.warm_up);
    viewers.begin();
    let (cpu, begin) = (cpu_total(&node), clock.now());
    let (packets, missing) = (packets_sent(&node), viewers.counts().1);
    let withheld_before = withheld(&node, options.viewers);
    let mut paused = 0;
    let seconds = options.seconds;
    for second in 0..seconds.ceil() as u64 {
        thread::sleep(Duration::from_secs_f64((seconds - second as f64).min(1.0)));
        paused += node.directory().workers.iter().map(|w| w.paused.get()).sum::<u64>();
        eprintln!("forward: {} of {seconds} s", second + 1);
    }
    let workers = &node.directory().workers;
    let shed = Shed {
        packets: withheld(&node, options.viewers) - withheld_before,
        viewers_paused: paused as f64 / seconds.ceil(),
        seats_refused: workers.iter().any(|w| w.seats_refused.get() > 0),
        lateness: Duration::from_micros(workers.iter().map(|w| w.lateness_us.get()).max().unwrap_or(0)),
    };
    let (cpu, took) = (cpu_total(&node).saturating_sub(cpu), clock.now().since(begin));
    let packets = packets_sent(&node) - packets;
    publisher.stop()?;
    thread::sleep(DRAIN);
    let lost = viewers.counts().1.saturating_sub(missing);
    viewers.end();
    let (gso, probe) = (node.gso(), node.probe());
    node.close();

    eprintln!("forward: the floor");
    let floor_us = measure_floor(&options, gso, &viewers, clock)?;
    let latencies = viewers.stop()?;
    Ok(Report {
        seconds: took.as_secs_f64(),
        packets_per_s: packets as f64 / took.as_secs_f64(),
        cpu_us_per_packet: cpu.as_secs_f64() * 1e6 / packets.max(1) as f64,
        floor_us_per_packet: floor_us,
        lost,
        shed,
        latency_ms: Percentiles::of(latencies.iter().map(|latency| latency.read)),
        arrival_ms: Percentiles::of(latencies.iter().map(|latency| latency.arrived)),
        samples: latencies.len(),
        gso,
        probe,
    })
}

fn codec() -> CodecSpec {
    CodecSpec {
        payload_type: publisher::PAYLOAD_TYPE,
        rtx_payload_type: Some(publisher::PAYLOAD_TYPE + 1),
        name: "H264".into(),
        clock_rate: 90_000,
        channels: 1,
        fmtp: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".into(),
        nack: true,
        pli: true,
        fir: false,
    }
}

fn open_publisher(node: &Node, peer: &Peer) {
    node.send(Command::OpenTransport(peer.transport_spec(Extensions::default())));
    node.send(Command::SetKeys { transport: peer.transport(), keys: peer.engine_keys() });
    let track = TrackSpec {
        id: TRACK,
        kind: Kind::Video,
        mid: "0".into(),
        codecs: vec![codec()],
        rids: vec![],
        ssrcs: vec![(publisher::SSRC, 0)],
    };
    node.send(Command::AddTrack { transport: peer.transport(), track });
}

fn open_viewer(node: &Node, peer: &Peer) {
    // What a browser negotiates and what costs per packet: transport-wide sequence numbers.
    let extensions = Extensions { transport_cc: floor::TRANSPORT_CC, ..Extensions::default() };
    node.send(Command::OpenTransport(peer.transport_spec(extensions)));
    node.send(Command::SetKeys { transport: peer.transport(), keys: peer.engine_keys() });
    let subscription = SubscriptionSpec {
        id: peer.transport(),
        kind: Kind::Video,
        mid: "0".into(),
        source: TRACK,
        codecs: vec![codec()],
        ssrc: peer.media_ssrc(),
        rtx_ssrc: peer.media_ssrc() + 1,
        encoding: Choice::Auto,
        spared: false,
    };
    node.send(Command::AddSubscription { transport: peer.transport(), subscription });
}

fn wait_for(viewers: &Viewers, clock: Clock) -> io::Result<()> {
    let begin = clock.now();
    loop {
        let (connected, receiving, all) = viewers.ready();
        if receiving == all {
            return Ok(());
        }
        if clock.now().since(begin) > CONNECT_WITHIN {
            let text = format!("of {all} viewers {connected} connected and {receiving} received media");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn measure_floor(options: &Options, gso: bool, viewers: &Viewers, clock: Clock) -> io::Result<f64> {
    let floor = Floor::new(options.profile, gso, viewers.addresses())?;
    let peer = Peer::new(0, floor.address(), options.profile)?;
    let unprotector = peer.engine_unprotector()?;
    let publisher = Running::start(Publisher::new(peer, options.mbps, Duration::ZERO, clock)?);
    let seconds = Duration::from_secs_f64(options.seconds).min(FLOOR_AT_MOST);
    let result = thread::spawn(move || floor.run(unprotector, seconds, clock)).join();
    publisher.stop()?;
    result.map_err(|_| io::Error::other("the floor's thread panicked"))?
}

/// A publisher on its thread.
struct Running {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Running {
    fn start(mut publisher: Publisher) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        Running { stop, thread: thread::spawn(move || publisher.run(&flag)) }
    }

    fn stop(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| io::Error::other("the publisher's thread panicked"))?
    }
}

fn packets_sent(node: &Node) -> u64 {
    node.directory().workers.iter().map(|worker| worker.packets_sent.get()).sum()
}

/// Packets withheld from all viewers so far: their subscriptions have the numbers of their transports.
fn withheld(node: &Node, viewers: usize) -> u64 {
    let ids = 1..=viewers as u64;
    ids.filter_map(|id| node.directory().subscription(id)).map(|stats| stats.shed.get()).sum()
}

fn cpu_total(node: &Node) -> Duration {
    node.cpu_times().iter().sum()
}

/// A socket per viewer: the soft limit of 1,024 descriptors is soon reached.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a live rlimit. A limit that stays shows when a socket can't be had.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
