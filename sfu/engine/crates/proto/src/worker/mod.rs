//! One worker: a share of the node's transports, driven by one thread.

mod commands;
mod datagrams;
mod fan_out;
mod frames;
mod injectors;
mod routing;
mod shed;
mod taps;
mod timers;
mod turns;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::SeedableRng;

use crate::config::Config;
use crate::directory::{Directory, TransportSlot};
use crate::egress::{Queued, ReplayBudget};
use crate::ice::Pair;
use crate::load::Load;
use crate::message::{
    Event, IceCredentials, Message, SubscriptionId, TapId, TrackId, TransportId, TransportSpec, WorkerIndex,
};
use crate::outbound::Outbound;
use crate::stats::WorkerStats;
use crate::time::Time;
use crate::track::{Place, Track};
use crate::transport::{push_datagram, Context, Stopped, Transport};

use fan_out::FanOut;
use frames::Holds;
use injectors::Injector;
use taps::Tap;
use timers::Timers;
use turns::Turns;

/// A send call takes this much: beyond it the caches of a small machine are left.
const ARENA: usize = 256 * 1024;

/// Where datagrams of a remote address belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Own(u32),
    Foreign(WorkerIndex, Time),
}

/// A transport as every worker knows it before somebody owns it.
struct Known {
    slot: Arc<TransportSlot>,
    /// None once a worker owns it.
    spec: Option<TransportSpec>,
    /// Ours, the newest last; after an ICE restart also those before it. Every worker keeps them, so that a
    /// request is authenticated where it arrives, before it is handed to its owner.
    local: Vec<IceCredentials>,
    /// Addresses whose datagrams this worker hands to the owner, the oldest first: at most
    /// `Limits::paths_per_transport`, since whoever has the credentials may come from any address.
    strays: VecDeque<SocketAddr>,
    since: Time,
}

/// Credentials of a transport that are valid at a time: the newest, and those before an ICE restart.
const CREDENTIALS: usize = 2;

#[derive(Debug)]
struct Alias {
    target: Option<TrackId>,
    subscribers: Vec<Place>,
    taps: Vec<TapId>,
}

pub struct Worker {
    index: WorkerIndex,
    config: Config,
    directory: Arc<Directory>,
    stats: Arc<WorkerStats>,
    rng: StdRng,
    known: HashMap<TransportId, Known>,
    ufrags: HashMap<String, TransportId>,
    routes: HashMap<SocketAddr, Route>,
    transports: Vec<Option<Transport>>,
    /// Empty places in `transports`.
    free: Vec<u32>,
    /// DTLS handshakes that have begun and not come to keys.
    handshakes: usize,
    /// Slots of the transports this worker owns.
    owned: HashMap<TransportId, u32>,
    tracks: HashMap<TrackId, Track>,
    /// Tracks that this worker fills: by a transport, or by injection (None).
    publishers: HashMap<TrackId, Option<u32>>,
    /// Workers that want each track; kept also for tracks that nobody fills yet.
    interest: HashMap<TrackId, Vec<WorkerIndex>>,
    aliases: HashMap<TrackId, Alias>,
    subscriptions: HashMap<SubscriptionId, Place>,
    injectors: HashMap<TrackId, Injector>,
    taps: HashMap<TapId, Tap>,
    timers: Timers,
    holds: Holds,
    /// When the rest of the frame that was begun last has had time to come.
    rest: Time,
    /// Finished before anything else looks at subscriptions or history.
    fan_outs: VecDeque<FanOut>,
    /// Memory for a frame on its way to one viewer.
    scratch: VecDeque<Queued>,
    dirty: VecDeque<u32>,
    budget: ReplayBudget,
    load: Load,
    turns: Turns,
    /// Whether subscriptions are denied anything because of load.
    denies: bool,
    next_tick: Time,
    messages: VecDeque<(WorkerIndex, Message)>,
    /// Last words of transports that are gone.
    farewells: VecDeque<(Pair, Vec<u8>)>,
    events: Vec<Event>,
    ready_events: VecDeque<Event>,
}

impl Worker {
    /// # Panics
    /// If the directory was not made for `config.workers` workers.
    pub fn new(index: WorkerIndex, config: Config, directory: Arc<Directory>) -> Worker {
        let stats = directory.workers[index].clone();
        let rng = StdRng::seed_from_u64(config.seed ^ (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Worker {
            index,
            config,
            directory,
            stats,
            rng,
            known: HashMap::new(),
            ufrags: HashMap::new(),
            routes: HashMap::new(),
            transports: Vec::new(),
            free: Vec::new(),
            handshakes: 0,
            owned: HashMap::new(),
            tracks: HashMap::new(),
            publishers: HashMap::new(),
            interest: HashMap::new(),
            aliases: HashMap::new(),
            subscriptions: HashMap::new(),
            injectors: HashMap::new(),
            taps: HashMap::new(),
            timers: Timers::default(),
            holds: Holds::default(),
            rest: Time::ZERO,
            fan_outs: VecDeque::new(),
            scratch: VecDeque::new(),
            dirty: VecDeque::new(),
            budget: ReplayBudget::default(),
            load: Load::default(),
            turns: Turns::default(),
            denies: false,
            next_tick: Time::ZERO,
            messages: VecDeque::new(),
            farewells: VecDeque::new(),
            events: Vec::new(),
            ready_events: VecDeque::new(),
        }
    }

    pub fn index(&self) -> WorkerIndex {
        self.index
    }

    /// A datagram from `remote` that arrived on our address `local`. It may be changed in place.
    pub fn handle_datagram(&mut self, now: Time, local: Option<IpAddr>, remote: SocketAddr, data: &mut [u8]) {
        self.stats.packets_received.add(1);
        self.stats.bytes_received.add(data.len() as u64);
        self.demultiplex(now, local, remote, data);
    }

    pub fn handle_message(&mut self, now: Time, message: Message) {
        if !matches!(message, Message::Published { .. } | Message::Stray { .. }) {
            self.finish_fan_outs(now);
        }
        match message {
            Message::Command(command) => self.handle_command(now, command),
            Message::Stray { local, remote, mut data } => self.demultiplex(now, local, remote, &mut data),
            Message::Interest { track, from } => self.add_interest(track, from),
            Message::Disinterest { track, from } => self.remove_interest(track, from),
            Message::History { track, kind, rids, packets, reports } => {
                self.take_history(now, track, kind, &rids, &packets, &reports);
            }
            Message::Published { track, packets } => self.take_published(track, &packets),
            Message::Reported { track, encoding, report } => self.deliver_report(track, encoding, report),
            Message::KeyframeWanted { track, encoding } => self.want_keyframe_here(now, track, encoding),
            Message::Ended { track } => self.end_track(now, track),
            Message::Forget { transport } => self.forget(transport),
        }
    }

    /// Call when `poll_timeout` has passed; harmless at any other time.
    pub fn handle_timeout(&mut self, now: Time) {
        self.finish_fan_outs(now);
        // A packet that is due stays so until poll_transmit takes it: first all, then each once.
        let due: Vec<u32> = std::iter::from_fn(|| self.timers.pop_due(now)).collect();
        for slot in due {
            self.service(now, slot);
        }
        if self.next_tick <= now {
            self.tick(now);
        }
        self.release_due(now);
    }

    /// The next moment at which `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Time> {
        let tick = (!self.known.is_empty() || !self.tracks.is_empty()).then_some(self.next_tick);
        [self.timers.next(), self.holds.next(), tick].into_iter().flatten().min()
    }

    /// Append what may leave now to `out`, as much as fits a send call. Returns true if more waits: send,
    /// clear and call again.
    pub fn poll_transmit(&mut self, now: Time, out: &mut Outbound) -> bool {
        while let Some((pair, data)) = self.farewells.pop_front() {
            let start = out.bytes.len();
            out.bytes.extend_from_slice(&data);
            push_datagram(out, pair, start, false);
        }
        if self.transmit_fan_outs(now, out) {
            return true;
        }
        while let Some(slot) = self.dirty.pop_front() {
            let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) else {
                continue;
            };
            let mut cx = Context { now, config: &self.config, rng: &mut self.rng, events: &mut self.events };
            let stopped = transport.transmit(&mut cx, &self.tracks, &self.stats, out, ARENA);
            if stopped == Stopped::Full {
                self.dirty.push_front(slot);
                return true;
            }
            transport.dirty = false;
            self.reschedule(slot);
        }
        self.publish_events();
        self.settle_timers();
        false
    }

    /// Messages to other workers, each in the order given.
    pub fn poll_message(&mut self) -> Option<(WorkerIndex, Message)> {
        self.messages.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.publish_events();
        self.ready_events.pop_front()
    }

    fn publish_events(&mut self) {
        self.ready_events.extend(self.events.drain(..));
    }

    fn transport_mut(&mut self, slot: u32) -> Option<&mut Transport> {
        self.transports.get_mut(slot as usize)?.as_mut()
    }

    fn mark_dirty(&mut self, slot: u32) {
        if let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) {
            if !transport.dirty {
                transport.dirty = true;
                self.dirty.push_back(slot);
            }
        }
    }

    fn reschedule(&mut self, slot: u32) {
        if let Some(transport) = self.transports.get_mut(slot as usize).and_then(Option::as_mut) {
            if transport.dirty {
                return; // `poll_transmit` comes first, and knows better afterwards
            }
            self.timers.reschedule(transport, slot, &self.config);
        }
    }
}
