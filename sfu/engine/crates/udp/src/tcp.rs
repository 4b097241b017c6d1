//! ICE-TCP (RFC 6544): passive candidates on the port that UDP has, RFC 4571 framing, for peers whose
//! network lets no UDP out.
//!
//! To the core a connection is one more remote address. IPv4 peers appear as IPv4-mapped IPv6, and all
//! carry [`MARK`] as flow label and the connection's number as scope, so that no TCP peer is ever taken
//! for the UDP peer of the same address and port.

mod listen;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use proto::{Limits, Outbound, Time};

use listen::Listeners;

pub use listen::listen_group;

/// A flow label outside the 20 bits that the network has: no datagram carries it.
const MARK: u32 = 0x7C9_0000;
/// A frame longer than any datagram we take: not a peer of ours.
const MAX_FRAME: usize = 4_096;
/// Without a frame for this long a connection is closed; consent checks come every 5 s.
const IDLE: Duration = Duration::from_secs(30);
/// Reads of one connection in a turn, 16 KiB each: 50 frames. Others are served before its next.
const READS: usize = 4;

/// The core's name for connection `number` from `remote`.
fn name(number: u32, remote: SocketAddr) -> SocketAddr {
    let ip = match remote.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    SocketAddrV6::new(ip, remote.port(), MARK, number).into()
}

/// The connection behind a remote address of the core, None if it is a UDP peer.
pub fn number(remote: SocketAddr) -> Option<u32> {
    match remote {
        SocketAddr::V6(remote) if remote.flowinfo() == MARK => Some(remote.scope_id()),
        _ => None,
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    name: SocketAddr,
    /// The peer's, as the system has it.
    ip: IpAddr,
    local: Option<IpAddr>,
    pending: Mutex<Vec<u8>>,
    /// `Limits::tcp_pending_bytes`: more is dropped, packet by packet.
    most_pending: usize,
}

/// All connections of a node: whichever worker owns a transport writes to its peer.
#[derive(Debug, Default)]
pub struct Connections {
    last: AtomicU32,
    by_number: RwLock<HashMap<u32, Arc<Connection>>>,
}

impl Connections {
    fn get(&self, number: u32) -> Option<Arc<Connection>> {
        self.by_number.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Send the datagrams of `out` that go to TCP peers; returns how many were dropped.
    pub fn send(&self, out: &Outbound) -> u64 {
        let mut dropped = 0;
        for transmit in &out.transmits {
            let Some(number) = number(transmit.remote) else { continue };
            let data = &out.bytes[transmit.start..transmit.start + transmit.len];
            let datagrams = data.chunks(transmit.segment.max(1));
            match self.get(number) {
                Some(connection) => dropped += connection.send(datagrams),
                None => dropped += datagrams.count() as u64,
            }
        }
        dropped
    }
}

impl Connection {
    /// Frames are written whole or not at all.
    fn send<'a>(&self, datagrams: impl Iterator<Item = &'a [u8]>) -> u64 {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        for datagram in datagrams {
            if pending.len() + datagram.len() + 2 > self.most_pending {
                dropped += 1;
                continue;
            }
            pending.extend_from_slice(&(datagram.len() as u16).to_be_bytes());
            pending.extend_from_slice(datagram);
        }
        self.write(&mut pending);
        dropped
    }

    fn flush(&self) {
        self.write(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// An error shows at the next read, which closes the connection.
    fn write(&self, pending: &mut Vec<u8>) {
        let mut written = 0;
        while written < pending.len() {
            match (&self.stream).write(&pending[written..]) {
                Ok(0) | Err(_) => break,
                Ok(n) => written += n,
            }
        }
        pending.drain(..written);
    }
}

/// A connection as the worker that accepted it reads it.
#[derive(Debug)]
struct Reading {
    connection: Arc<Connection>,
    buffer: Vec<u8>,
    last_frame: Time,
}

/// Listeners of one worker, and the connections that it accepted.
pub struct TcpPeers {
    listeners: Listeners,
    connections: Arc<Connections>,
    reading: HashMap<u32, Reading>,
    /// Connections that have more to read: their descriptors, being edge-triggered, won't say so again.
    unfinished: Vec<u32>,
    limits: Limits,
}

impl TcpPeers {
    pub fn new(listeners: Vec<TcpListener>, connections: Arc<Connections>, limits: Limits) -> TcpPeers {
        let listeners = Listeners::new(listeners);
        TcpPeers { listeners, connections, reading: HashMap::new(), unfinished: Vec::new(), limits }
    }

    /// Whether `take_unfinished` has some.
    pub fn has_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Connections to be served once more although nothing new has happened to them.
    pub fn take_unfinished(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.unfinished)
    }

    pub fn listeners(&self) -> impl Iterator<Item = RawFd> + '_ {
        self.listeners.descriptors()
    }

    /// Take what waits at a listener; `watch` gets each new connection's descriptor and number.
    pub fn accept(
        &mut self,
        listener: usize,
        now: Time,
        mut watch: impl FnMut(RawFd, u32) -> io::Result<()>,
    ) {
        while let Some((stream, remote)) = self.listeners.accept(listener) {
            let mut by_number = self.connections.by_number.write().unwrap_or_else(PoisonError::into_inner);
            let from_there = by_number.values().filter(|c| c.ip == remote.ip()).count();
            if by_number.len() >= self.limits.tcp_connections
                || from_there >= self.limits.tcp_connections_per_address
                || stream.set_nonblocking(true).is_err()
            {
                continue; // dropping it closes it
            }
            // Media is late or it is useless: no waiting for fuller segments.
            let _ = stream.set_nodelay(true);
            let number = self.connections.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            let connection = Arc::new(Connection {
                name: name(number, remote),
                ip: remote.ip(),
                local: stream.local_addr().ok().map(|a| a.ip()),
                stream,
                pending: Mutex::default(),
                most_pending: self.limits.tcp_pending_bytes,
            });
            if watch(connection.stream.as_raw_fd(), number).is_ok() {
                by_number.insert(number, connection.clone());
                self.reading.insert(number, Reading { connection, buffer: Vec::new(), last_frame: now });
            }
        }
    }

    /// A connection became readable or writable: read until it blocks or had its turn, give each frame to
    /// `handle`.
    pub fn serve(
        &mut self,
        number: u32,
        now: Time,
        mut handle: impl FnMut(Option<IpAddr>, SocketAddr, &mut [u8]),
    ) {
        let Some(reading) = self.reading.get_mut(&number) else { return };
        reading.connection.flush();
        let (mut open, mut reads) = (true, 0);
        let mut chunk = [0; 16 * 1024];
        while open {
            if reads == READS {
                self.unfinished.push(number);
                return;
            }
            reads += 1;
            match (&reading.connection.stream).read(&mut chunk) {
                Ok(0) => open = false,
                Ok(n) => {
                    reading.buffer.extend_from_slice(&chunk[..n]);
                    open = reading.take_frames(now, &mut handle);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => open = false,
            }
        }
        if !open {
            self.close(number);
        }
    }

    fn close(&mut self, number: u32) {
        self.reading.remove(&number);
        self.connections.by_number.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    /// Close the connections that have said nothing for too long.
    pub fn sweep(&mut self, now: Time) {
        let idle = |r: &Reading| now.since(r.last_frame) > IDLE;
        let numbers: Vec<u32> = self.reading.iter().filter(|(_, r)| idle(r)).map(|(n, _)| *n).collect();
        for number in numbers {
            self.close(number);
        }
    }
}

impl Reading {
    /// False if the peer does not speak RFC 4571.
    fn take_frames(
        &mut self,
        now: Time,
        handle: &mut impl FnMut(Option<IpAddr>, SocketAddr, &mut [u8]),
    ) -> bool {
        let mut at = 0;
        while let Some(head) = self.buffer.get(at..at + 2) {
            let len = usize::from(u16::from_be_bytes([head[0], head[1]]));
            if len > MAX_FRAME {
                return false;
            }
            let Some(frame) = self.buffer.get_mut(at + 2..at + 2 + len) else { break };
            self.last_frame = now;
            handle(self.connection.local, self.connection.name, frame);
            at += 2 + len;
        }
        self.buffer.drain(..at);
        true
    }
}

#[cfg(test)]
mod tests;
