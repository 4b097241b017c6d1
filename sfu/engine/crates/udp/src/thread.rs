//! The loop of one worker thread.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use proto::stats::WorkerStats;
use proto::stun;
use proto::worker::Worker;
use proto::{Event, Message, Outbound, Time};

use crate::clock::{thread_cpu_time, Clock};
use crate::events::Events;
use crate::inbox::Inbox;
use crate::poll::Poll;
use crate::priority::{set_urgent, Urgency};
use crate::receive::Receiver;
use crate::send::Sender;
use crate::socket::Socket;
use crate::tcp::{Connections, TcpPeers};

/// Longest sleep: bounds how long a lost wake-up could go unnoticed.
const MAX_SLEEP: Duration = Duration::from_millis(500);

/// How often idle connections are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Bits of epoll tokens: TCP listeners by their index, connections by their number.
const LISTENER: u64 = 1 << 40;
const CONNECTION: u64 = 1 << 41;

/// What a thread shares with the node and with the other threads.
pub struct Shared {
    pub clock: Clock,
    pub inboxes: Vec<Inbox>,
    pub events: Events,
    pub tcp: Arc<Connections>,
    pub stop: AtomicBool,
}

/// One worker, its sockets and its buffers.
pub struct WorkerThread {
    worker: Worker,
    sockets: Vec<Socket>,
    shared: Arc<Shared>,
    stats: Arc<WorkerStats>,
    poll: Poll,
    tcp: TcpPeers,
    next_sweep: Time,
    receiver: Receiver,
    sender: Sender,
    out: Outbound,
    messages: VecDeque<Message>,
    outgoing: Vec<Vec<Message>>,
    events: Vec<Event>,
}

impl WorkerThread {
    pub fn new(
        worker: Worker,
        sockets: Vec<Socket>,
        shared: Arc<Shared>,
        stats: Arc<WorkerStats>,
        poll: Poll,
        tcp: TcpPeers,
        gso: bool,
    ) -> WorkerThread {
        let outgoing = shared.inboxes.iter().map(|_| Vec::new()).collect();
        WorkerThread {
            worker,
            sockets,
            shared,
            stats,
            poll,
            tcp,
            next_sweep: Time::ZERO,
            receiver: Receiver::new(),
            sender: Sender::new(gso),
            out: Outbound::default(),
            messages: VecDeque::new(),
            outgoing,
            events: Vec::new(),
        }
    }

    /// Runs until `stop` is set; orders that came before it are still carried out.
    pub fn run(mut self) -> io::Result<()> {
        for (token, socket) in self.sockets.iter().enumerate() {
            self.poll.add(socket.as_raw_fd(), token as u64)?;
        }
        for (index, listener) in self.tcp.listeners().enumerate() {
            self.poll.add(listener, LISTENER | index as u64)?;
        }
        let inbox_token = self.sockets.len() as u64;
        self.poll.add(self.shared.inboxes[self.worker.index()].as_raw_fd(), inbox_token)?;
        let mut urgency =
            set_urgent(true).then(|| Urgency::new(true, self.shared.clock.now(), thread_cpu_time()));
        loop {
            self.rest();
            let stopping = self.shared.stop.load(Ordering::Acquire);
            let now = self.shared.clock.now();
            let sleep = match self.worker.poll_timeout() {
                _ if stopping || self.tcp.has_unfinished() => Duration::ZERO,
                Some(deadline) => deadline.since(now).min(MAX_SLEEP),
                None => MAX_SLEEP,
            };
            let mut mail = stopping;
            // Of all that is read in this turn: how long what waited longest has waited, which is as long as
            // the last turn's sending took if it came meanwhile.
            let mut lateness: Option<Duration> = None;
            let mut ready: Vec<u64> = self.poll.wait(Some(sleep))?.collect();
            ready.extend(self.tcp.take_unfinished().into_iter().map(|n| CONNECTION | u64::from(n)));
            for token in ready {
                if token == inbox_token {
                    mail = true;
                    continue;
                }
                let now = self.shared.clock.now();
                let (worker, messages) = (&mut self.worker, &mut self.messages);
                let mut take = |local, remote, data: &mut [u8]| {
                    // A check may follow its order within one turn, and not every peer repeats it (FFmpeg).
                    if stun::is_stun(data) && self.shared.inboxes[worker.index()].has_mail() {
                        lateness = lateness.max(deliver(now, &self.shared, worker, messages));
                    }
                    worker.handle_datagram(now, local, remote, data);
                };
                if token & CONNECTION != 0 {
                    self.tcp.serve((token ^ CONNECTION) as u32, now, take);
                    continue;
                }
                if token & LISTENER != 0 {
                    let poll = &self.poll;
                    self.tcp.accept((token ^ LISTENER) as usize, now, |fd, number| {
                        poll.add_stream(fd, CONNECTION | u64::from(number))
                    });
                    continue;
                }
                self.receiver.receive(&self.sockets[token as usize], |datagram| {
                    take(datagram.local, datagram.remote, datagram.data);
                })?;
                let age = self.receiver.oldest().map(|stamp| self.shared.clock.age(stamp));
                lateness = lateness.max(age);
            }
            if mail {
                let now = self.shared.clock.now();
                lateness = lateness.max(deliver(now, &self.shared, &mut self.worker, &mut self.messages));
            }
            let now = self.shared.clock.now();
            if let Some(lateness) = lateness {
                self.worker.handle_lateness(lateness);
            }
            if self.next_sweep <= now {
                self.next_sweep = now + SWEEP;
                self.tcp.sweep(now);
            }
            if self.worker.poll_timeout().is_some_and(|deadline| deadline <= now) {
                self.worker.handle_timeout(now);
            }
            self.drain();
            if stopping {
                return Ok(());
            }
            let change = urgency.as_mut().and_then(|u| u.look(self.shared.clock.now(), thread_cpu_time));
            if let Some(urgent) = change {
                set_urgent(urgent);
            }
        }
    }

    /// Let the packets of a frame that is under way come together.
    fn rest(&self) {
        if let Some(until) = self.worker.poll_rest() {
            let rest = until.since(self.shared.clock.now());
            if !rest.is_zero() {
                std::thread::sleep(rest);
            }
        }
    }

    fn drain(&mut self) {
        // First what other workers wait for: sending to a thousand viewers takes a while.
        self.hand_over();
        loop {
            self.out.clear();
            let more = self.worker.poll_transmit(self.shared.clock.now(), &mut self.out);
            if !self.out.is_empty() {
                let sent = self.sender.send(&self.sockets, &self.out);
                self.stats.sends.add(sent.calls);
                self.stats.send_errors.add(sent.dropped + self.shared.tcp.send(&self.out));
            }
            if !more {
                break;
            }
        }
        self.hand_over();
        while let Some(event) = self.worker.poll_event() {
            self.events.push(event);
        }
        if !self.events.is_empty() {
            self.stats.events_dropped.add(self.shared.events.push(&mut self.events));
        }
    }

    fn hand_over(&mut self) {
        while let Some((to, message)) = self.worker.poll_message() {
            self.outgoing[to].push(message);
        }
        let now = self.shared.clock.now();
        for (inbox, batch) in self.shared.inboxes.iter().zip(&mut self.outgoing) {
            if !batch.is_empty() {
                self.stats.messages_dropped.add(inbox.push(now, batch));
            }
        }
    }
}

/// Give the worker its mail, by way of `messages`, which is empty before and after: how long the oldest had
/// waited.
fn deliver(
    now: Time,
    shared: &Shared,
    worker: &mut Worker,
    messages: &mut VecDeque<Message>,
) -> Option<Duration> {
    let since = shared.inboxes[worker.index()].take(messages);
    for message in messages.drain(..) {
        worker.handle_message(now, message);
    }
    since.map(|since| now.since(since))
}
