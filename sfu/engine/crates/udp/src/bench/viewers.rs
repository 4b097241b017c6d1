//! Viewers that count what they get and decrypt a sample of it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proto::srtp::Unprotector;
use proto::{rtcp, rtp, stun, Time};

use super::peer::Peer;
use super::publisher::{FU_A, STAMP_AT};
use crate::socket::set;
use crate::{Clock, Poll, Receiver, Sender};

/// Of so many packets one is decrypted: a prime, so that it is any packet of any frame and viewer.
const SAMPLE_EVERY: u64 = 61;
/// Receive buffer of who does not listen: what fills it is dropped, which costs the node least.
const DEAF_BUFFER_BYTES: libc::c_int = 16_384;
const SLEEP: Duration = Duration::from_millis(20);

/// What one viewer's sequence numbers tell; written by its thread alone.
#[derive(Default)]
struct Counts {
    connected: AtomicBool,
    /// From the first sequence number to the highest.
    emitted: AtomicU64,
    /// Of these not received.
    missing: AtomicU64,
}

#[derive(Default)]
struct Shared {
    counts: Vec<Counts>,
    sampling: AtomicBool,
    stop: AtomicBool,
}

/// Microseconds from the publisher's send of a packet.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Until the kernel had it for the viewer.
    pub arrived: u32,
    /// Until the viewer had read it.
    pub read: u32,
}

/// All viewers, on a few threads.
pub struct Viewers {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<io::Result<Vec<Latency>>>>,
}

impl Viewers {
    /// `listening` of them read all that comes; the others stop after their first packet, so that one
    /// machine can overload a node: the kernel drops what they leave.
    pub fn start(peers: Vec<Peer>, listening: usize, clock: Clock) -> io::Result<Viewers> {
        let addresses = peers.iter().map(|peer| peer.socket.address()).collect();
        let counts = peers.iter().map(|_| Counts::default()).collect();
        let shared = Arc::new(Shared { counts, ..Shared::default() });
        let count = thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, 8);
        let mut shares: Vec<Vec<Viewer>> = (0..count).map(|_| Vec::new()).collect();
        let all = peers.len();
        for (index, peer) in peers.into_iter().enumerate() {
            // Spread evenly: who is served first waits least.
            let listens = (index + 1) * listening / all > index * listening / all;
            peer.socket.stamp()?;
            if !listens {
                set(&peer.socket, libc::SOL_SOCKET, libc::SO_RCVBUF, DEAF_BUFFER_BYTES)?;
            }
            shares[index % count].push(Viewer::new(index, peer, listens)?);
        }
        let mut threads = Vec::new();
        for viewers in shares {
            let shared = shared.clone();
            let thread = Share { viewers, shared, clock, packets: 0, latencies: Vec::new() };
            threads.push(thread::Builder::new().name("viewers".into()).spawn(move || thread.run())?);
        }
        Ok(Viewers { shared, addresses, threads })
    }

    /// (connected, receiving media, all).
    pub fn ready(&self) -> (usize, usize, usize) {
        let counts = &self.shared.counts;
        let connected = counts.iter().filter(|c| c.connected.load(Ordering::Relaxed)).count();
        let receiving = counts.iter().filter(|c| c.emitted.load(Ordering::Relaxed) > 0).count();
        (connected, receiving, counts.len())
    }

    /// (packets emitted to those who listen, those that did not arrive) so far.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |field: fn(&Counts) -> &AtomicU64| {
            self.shared.counts.iter().map(|counts| field(counts).load(Ordering::Relaxed)).sum()
        };
        (sum(|c| &c.emitted), sum(|c| &c.missing))
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Begin to sample latencies.
    pub fn begin(&self) {
        self.shared.sampling.store(true, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.shared.sampling.store(false, Ordering::Relaxed);
    }

    /// The sampled latencies.
    pub fn stop(self) -> io::Result<Vec<Latency>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for thread in self.threads {
            latencies.extend(thread.join().map_err(|_| io::Error::other("a viewer's thread panicked"))??);
        }
        Ok(latencies)
    }
}

struct Viewer {
    index: usize,
    listens: bool,
    peer: Peer,
    unprotector: Unprotector,
    first: Option<u64>,
    /// The highest sequence number, unwrapped.
    highest: u64,
    received: u64,
}

impl Viewer {
    fn new(index: usize, peer: Peer, listens: bool) -> io::Result<Viewer> {
        let unprotector = peer.unprotector()?;
        Ok(Viewer { index, listens, peer, unprotector, first: None, highest: 0, received: 0 })
    }

    fn count(&mut self, sequence: u16, counts: &Counts) {
        let first = *self.first.get_or_insert_with(|| {
            self.highest = u64::from(sequence);
            u64::from(sequence)
        });
        // RFC 3550 appendix A.1: less than half the space ahead is newer.
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < 0x8000 {
            self.highest += u64::from(ahead);
        }
        self.received += 1;
        let emitted = self.highest - first + 1;
        counts.emitted.store(emitted, Ordering::Relaxed);
        counts.missing.store(emitted.saturating_sub(self.received), Ordering::Relaxed);
    }

    /// Of a packet read at `now`, `age` after its arrival; None if it carries no time.
    fn latency(
        &mut self,
        now: Time,
        age: Duration,
        header: &rtp::Header,
        data: &mut [u8],
    ) -> io::Result<Option<Latency>> {
        let len = self.unprotector.unprotect_rtp(data, header).map_err(io::Error::other)?.len;
        let payload = header.payload(&data[..len]).map_err(io::Error::other)?;
        let stamped = payload.first().is_some_and(|first| first & 0x1f == FU_A);
        let stamp = payload.get(STAMP_AT..STAMP_AT + 8).filter(|_| stamped);
        let stamp = stamp.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        Ok(stamp.map(|stamp| {
            let read = now.since(Time::from_micros(stamp));
            Latency { arrived: read.saturating_sub(age).as_micros() as u32, read: read.as_micros() as u32 }
        }))
    }
}

/// The viewers of one thread.
struct Share {
    viewers: Vec<Viewer>,
    shared: Arc<Shared>,
    clock: Clock,
    packets: u64,
    latencies: Vec<Latency>,
}

impl Share {
    fn run(mut self) -> io::Result<Vec<Latency>> {
        let mut poll = Poll::new()?;
        for (token, viewer) in self.viewers.iter().enumerate() {
            poll.add(viewer.peer.socket.as_raw_fd(), token as u64)?;
        }
        let (mut receiver, mut sender) = (Receiver::new(), Sender::new(false));
        let mut next_checks = Time::ZERO;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let ready: Vec<u64> = poll.wait(Some(SLEEP))?.collect();
            for token in ready {
                self.receive(token as usize, &mut receiver, &mut sender)?;
                let viewer = &self.viewers[token as usize];
                if !viewer.listens && viewer.received > 0 {
                    poll.remove(viewer.peer.socket.as_raw_fd())?;
                }
            }
            let now = self.clock.now();
            if now >= next_checks {
                next_checks = now + SLEEP;
                for viewer in &mut self.viewers {
                    viewer.peer.check(now, &mut sender);
                }
            }
        }
        Ok(self.latencies)
    }

    fn receive(&mut self, token: usize, receiver: &mut Receiver, sender: &mut Sender) -> io::Result<()> {
        let viewer = &mut self.viewers[token];
        let counts = &self.shared.counts[viewer.index];
        let listens = viewer.listens;
        let sampling = self.shared.sampling.load(Ordering::Relaxed);
        let media_ssrc = viewer.peer.media_ssrc();
        let clock = self.clock;
        let (packets, latencies) = (&mut self.packets, &mut self.latencies);
        let mut messages = Vec::new();
        let mut failure = None;
        // The peer is borrowed for its socket: what changes it is kept for afterwards.
        let mut media = Vec::new();
        receiver.receive(&viewer.peer.socket, |datagram| {
            if stun::is_stun(datagram.data) {
                messages.push((datagram.data.to_vec(), datagram.remote));
                return;
            }
            if rtcp::is_rtcp(datagram.data) {
                return;
            }
            let Ok(header) = rtp::Header::parse(datagram.data) else { return };
            if header.ssrc != media_ssrc {
                return;
            }
            *packets += 1;
            let sample = sampling && listens && *packets % SAMPLE_EVERY == 0;
            let age = datagram.stamp.map(|stamp| clock.age(stamp)).unwrap_or_default();
            media.push((header, sample.then(|| (clock.now(), age, datagram.data.to_vec()))));
        })?;
        for (header, sample) in media {
            viewer.count(header.sequence, counts);
            if let Some((now, age, mut data)) = sample {
                match viewer.latency(now, age, &header, &mut data) {
                    Ok(latency) => latencies.extend(latency),
                    Err(error) => failure = Some(error),
                }
            }
        }
        for (message, from) in messages {
            viewer.peer.handle_stun(&message, from);
            viewer.peer.answer(sender);
            counts.connected.store(viewer.peer.ice.connected(), Ordering::Relaxed);
        }
        failure.map_or(Ok(()), Err)
    }
}
