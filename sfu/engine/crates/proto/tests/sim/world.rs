//! A node of several workers, peers and the network between them, driven by one seeded clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::directory::Directory;
use proto::message::{Command, Event, Message};
use proto::route::{Route, Router};
use proto::worker::Worker;
use proto::{Config, Limits, Outbound, Time};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::busy::Busy;
use crate::memory;

/// What the network does to datagrams, the same in both directions.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    pub loss: f64,
    pub duplicate: f64,
    pub delay: Duration,
    /// Uniform on top of the delay: reorders.
    pub jitter: Duration,
}

impl Network {
    pub const GOOD: Network =
        Network { loss: 0.0, duplicate: 0.0, delay: Duration::from_millis(5), jitter: Duration::ZERO };

    pub fn lossy(loss: f64) -> Network {
        Network {
            loss,
            duplicate: loss / 2.0,
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(8),
        }
    }
}

/// The other end of a transport.
pub trait Peer {
    fn handle(&mut self, now: Time, data: &[u8], out: &mut Vec<Vec<u8>>);
    /// Send what is due; returns when to be called next.
    fn poll(&mut self, now: Time, out: &mut Vec<Vec<u8>>) -> Time;
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}

enum Happening {
    ToNode { worker: usize, from: SocketAddr, data: Vec<u8> },
    ToPeer { to: SocketAddr, data: Vec<u8> },
}

pub struct World {
    pub now: Time,
    pub rng: SmallRng,
    pub network: Network,
    pub events: Vec<(Time, Event)>,
    pub dropped: u64,
    /// Bytes that left for each address.
    pub sent_to: HashMap<SocketAddr, u64>,
    /// Every datagram towards the node, once this is Some.
    pub record: Option<Vec<(SocketAddr, Vec<u8>)>>,
    workers: Vec<Worker>,
    busy: Vec<Busy>,
    router: Router,
    pub directory: Arc<Directory>,
    peers: HashMap<SocketAddr, (Box<dyn Peer>, Time)>,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: HashMap<u64, Happening>,
    serial: u64,
    /// Spreads addresses over workers as the kernel's hash does.
    spread: u64,
}

impl World {
    pub fn new(seed: u64, workers: usize, network: Network) -> World {
        Self::with_limits(seed, workers, network, Limits::default())
    }

    pub fn with_limits(seed: u64, workers: usize, network: Network, limits: Limits) -> World {
        let directory = Arc::new(Directory::new(workers));
        let config = Config { workers, seed, limits, ..Config::default() };
        World {
            now: Time::from_micros(1_000_000),
            rng: SmallRng::seed_from_u64(seed),
            network,
            events: Vec::new(),
            dropped: 0,
            sent_to: HashMap::new(),
            record: None,
            workers: (0..workers).map(|i| Worker::new(i, config.clone(), directory.clone())).collect(),
            busy: (0..workers).map(|_| Busy::default()).collect(),
            router: Router::new(directory.clone()),
            directory,
            peers: HashMap::new(),
            queue: BinaryHeap::new(),
            happenings: HashMap::new(),
            serial: 0,
            spread: seed,
        }
    }

    pub fn add_peer(&mut self, at: SocketAddr, peer: impl Peer + 'static) {
        self.peers.insert(at, (Box::new(peer), self.now));
    }

    /// From now on each datagram to a peer takes a worker so long.
    pub fn cost(&mut self, cost: Duration) {
        for busy in &mut self.busy {
            busy.cost = cost;
        }
    }

    /// The peer's NAT gives it another address.
    pub fn rebind(&mut self, from: SocketAddr, to: SocketAddr) {
        if let Some(peer) = self.peers.remove(&from) {
            self.peers.insert(to, peer);
        }
    }

    pub fn remove_peer(&mut self, at: SocketAddr) {
        self.peers.remove(&at);
    }

    pub fn peer<P: 'static>(&mut self, at: SocketAddr) -> &mut P {
        self.peers
            .get_mut(&at)
            .expect("no such peer")
            .0
            .as_any()
            .downcast_mut()
            .expect("another kind of peer")
    }

    pub fn command(&mut self, command: Command) {
        match self.router.route(command) {
            Route::All(command) => {
                for worker in 0..self.workers.len() {
                    let copy = clone_broadcast(&command);
                    self.workers[worker].handle_message(self.now, Message::Command(copy));
                }
            }
            Route::One(worker, command) => {
                self.workers[worker].handle_message(self.now, Message::Command(command));
            }
            Route::Kept | Route::Gone => {}
        }
        self.settle();
    }

    /// Put a datagram on the wire towards the node, from any address.
    pub fn send_to_node(&mut self, from: SocketAddr, data: Vec<u8>) {
        if let Some(record) = &mut self.record {
            record.push((from, data.clone()));
        }
        let hash = (u64::from(from.port()) ^ self.spread).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        let worker = (hash % self.workers.len() as u64) as usize;
        self.launch(|data| Happening::ToNode { worker, from, data }, data);
    }

    fn launch(&mut self, make: impl Fn(Vec<u8>) -> Happening, data: Vec<u8>) {
        let copies = 1 + usize::from(self.rng.random_bool(self.network.duplicate));
        for _ in 0..copies {
            if self.rng.random_bool(self.network.loss) {
                self.dropped += 1;
                continue;
            }
            let jitter = self.network.jitter.as_micros() as u64;
            let extra = if jitter > 0 { self.rng.random_range(0..=jitter) } else { 0 };
            self.serial += 1;
            let at = self.now + self.network.delay + Duration::from_micros(extra);
            self.queue.push(Reverse((at, self.serial)));
            self.happenings.insert(self.serial, make(data.clone()));
        }
    }

    /// What the engine alone has allocated, bytes: what its end gives back.
    pub fn into_engine_bytes(self) -> i64 {
        let World { workers, router, directory, .. } = self;
        let before = memory::live();
        drop((workers, router, directory));
        before - memory::live()
    }

    pub fn run(&mut self, how_long: Duration) {
        let end = self.now + how_long;
        let mut stuck = 0;
        loop {
            let arrival = self.queue.peek().map_or(Time::FAR, |Reverse((at, _))| *at);
            let workers = self.workers.iter().zip(&self.busy);
            let timer =
                workers.map(|(worker, busy)| busy.next(worker.poll_timeout())).min().unwrap_or(Time::FAR);
            let peer = self.peers.values().map(|(_, at)| *at).min().unwrap_or(Time::FAR);
            let next = arrival.min(timer).min(peer);
            if next > end {
                break;
            }
            // Time must move: a deadline in the past that nothing fulfils would spin a driver's thread.
            stuck = if next <= self.now { stuck + 1 } else { 0 };
            assert!(
                stuck < 10_000,
                "stuck at {:?}: arrival {arrival:?}, timer {timer:?}, peer {peer:?}",
                self.now
            );
            self.now = self.now.max(next);
            while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= self.now) {
                let Some(Reverse((_, serial))) = self.queue.pop() else { break };
                match self.happenings.remove(&serial) {
                    Some(Happening::ToNode { worker, from, data }) => {
                        self.busy[worker].arrive(self.now, from, data);
                    }
                    Some(Happening::ToPeer { to, data }) => {
                        let mut out = Vec::new();
                        if let Some((peer, next)) = self.peers.get_mut(&to) {
                            peer.handle(self.now, &data, &mut out);
                            *next = self.now;
                        }
                        self.send_all(to, out);
                    }
                    None => {}
                }
            }
            let mut due: Vec<SocketAddr> =
                self.peers.iter().filter(|(_, (_, at))| *at <= self.now).map(|(&a, _)| a).collect();
            due.sort();
            for at in due {
                let mut out = Vec::new();
                if let Some((peer, next)) = self.peers.get_mut(&at) {
                    *next = peer.poll(self.now, &mut out).max(self.now + Duration::from_micros(1));
                }
                self.send_all(at, out);
            }
            for (worker, busy) in self.workers.iter_mut().zip(&mut self.busy) {
                if !busy.is_free(self.now) {
                    continue;
                }
                busy.read(self.now, worker);
                if worker.poll_timeout().is_some_and(|at| at <= self.now) {
                    worker.handle_timeout(self.now);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn send_all(&mut self, from: SocketAddr, out: Vec<Vec<u8>>) {
        for data in out {
            self.send_to_node(from, data);
        }
    }

    /// Drain the workers until nothing moves between them.
    fn settle(&mut self) {
        let mut out = Outbound::default();
        loop {
            let mut moved = false;
            for index in 0..self.workers.len() {
                loop {
                    let more = self.workers[index].poll_transmit(self.now, &mut out);
                    let sent: Vec<(SocketAddr, Vec<u8>)> =
                        out.datagrams().map(|(_, to, data)| (to, data.to_vec())).collect();
                    out.clear();
                    self.busy[index].sent(self.now, sent.len() as u32);
                    for (to, data) in sent {
                        *self.sent_to.entry(to).or_default() += data.len() as u64;
                        self.launch(|data| Happening::ToPeer { to, data }, data);
                    }
                    if !more {
                        break;
                    }
                }
                while let Some((to, message)) = self.workers[index].poll_message() {
                    self.workers[to].handle_message(self.now, message);
                    moved = true;
                }
                while let Some(event) = self.workers[index].poll_event() {
                    self.events.push((self.now, event));
                }
            }
            if !moved {
                return;
            }
        }
    }
}

fn clone_broadcast(command: &Command) -> Command {
    match command {
        Command::OpenTransport(spec) => Command::OpenTransport(spec.clone()),
        Command::RestartIce { transport, local, remote } => {
            Command::RestartIce { transport: *transport, local: local.clone(), remote: remote.clone() }
        }
        Command::CloseTransport { transport } => Command::CloseTransport { transport: *transport },
        Command::PointAlias { alias, kind, target, picture } => {
            Command::PointAlias { alias: *alias, kind: *kind, target: *target, picture: *picture }
        }
        Command::RemoveAlias { alias } => Command::RemoveAlias { alias: *alias },
        Command::RequestKeyframe { source } => Command::RequestKeyframe { source: *source },
        _ => panic!("not for all workers"),
    }
}
