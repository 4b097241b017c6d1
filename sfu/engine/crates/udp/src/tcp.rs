//! ICE-TCP (RFC 6544): passive candidates on the port that UDP has, RFC 4571 framing, for peers whose
//! network lets no UDP out.
//!
//! To the core a connection is one more remote address. IPv4 peers appear as IPv4-mapped IPv6, and all
//! carry [`MARK`] as flow label and the connection's number as scope, so that no TCP peer is ever taken
//! for the UDP peer of the same address and port.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use proto::{Outbound, Time};

use crate::address::RawAddress;
use crate::socket::set;

/// A flow label outside the 20 bits that the network has: no datagram carries it.
const MARK: u32 = 0x7C9_0000;
/// Connections of a node. Browsers open one beside UDP: four nodes' seats.
const MAX_CONNECTIONS: usize = 4_096;
/// A frame longer than any datagram we take: not a peer of ours.
const MAX_FRAME: usize = 4_096;
/// What waits for a slow reader: 1 s at 2 Mb/s. More is dropped, packet by packet.
const MAX_PENDING: usize = 256 * 1024;
/// Without a frame for this long a connection is closed; consent checks come every 5 s.
const IDLE: Duration = Duration::from_secs(30);
const BACKLOG: libc::c_int = 1_024;

/// One listener per address of `bind` for each worker.
///
/// # Errors
/// What bind(2) and listen(2) say, with the address in the text.
pub fn listen_group(bind: &[IpAddr], port: u16, workers: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let group =
        (0..workers).map(|_| bind.iter().map(|ip| listen(SocketAddr::new(*ip, port), workers > 1)).collect());
    group.collect()
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let at = |error: io::Error| io::Error::new(error.kind(), format!("TCP {address}: {error}"));
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; a non-negative result is a new descriptor that nobody else owns.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(at(io::Error::last_os_error()));
    }
    // SAFETY: see above.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Connections of the process before us may linger; a second listener is refused all the same.
    set(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if shared {
        set(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    if address.is_ipv6() {
        set(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    let mut raw = RawAddress::empty();
    let len = raw.set(address);
    // SAFETY: `raw` holds an address of `len` bytes; the descriptor is ours.
    let failed = unsafe {
        libc::bind(fd.as_raw_fd(), (&raw const raw).cast(), len) != 0
            || libc::listen(fd.as_raw_fd(), BACKLOG) != 0
    };
    if failed {
        return Err(at(io::Error::last_os_error()));
    }
    Ok(TcpListener::from(fd))
}

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
    local: Option<IpAddr>,
    pending: Mutex<Vec<u8>>,
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
            if pending.len() + datagram.len() + 2 > MAX_PENDING {
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
    listeners: Vec<TcpListener>,
    connections: Arc<Connections>,
    reading: HashMap<u32, Reading>,
}

impl TcpPeers {
    pub fn new(listeners: Vec<TcpListener>, connections: Arc<Connections>) -> TcpPeers {
        TcpPeers { listeners, connections, reading: HashMap::new() }
    }

    pub fn listeners(&self) -> impl Iterator<Item = RawFd> + '_ {
        self.listeners.iter().map(AsRawFd::as_raw_fd)
    }

    /// Take what waits at a listener; `watch` gets each new connection's descriptor and number.
    pub fn accept(
        &mut self,
        listener: usize,
        now: Time,
        mut watch: impl FnMut(RawFd, u32) -> io::Result<()>,
    ) {
        // WouldBlock ends it, and so does a lack of descriptors: the next event tries again.
        while let Ok((stream, remote)) = self.listeners[listener].accept() {
            let mut by_number = self.connections.by_number.write().unwrap_or_else(PoisonError::into_inner);
            if by_number.len() >= MAX_CONNECTIONS || stream.set_nonblocking(true).is_err() {
                continue; // dropping it resets it
            }
            // Media is late or it is useless: no waiting for fuller segments.
            let _ = stream.set_nodelay(true);
            let number = self.connections.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            let connection = Arc::new(Connection {
                name: name(number, remote),
                local: stream.local_addr().ok().map(|a| a.ip()),
                stream,
                pending: Mutex::default(),
            });
            if watch(connection.stream.as_raw_fd(), number).is_ok() {
                by_number.insert(number, connection.clone());
                self.reading.insert(number, Reading { connection, buffer: Vec::new(), last_frame: now });
            }
        }
    }

    /// A connection became readable or writable: read until it blocks, give each frame to `handle`.
    pub fn serve(
        &mut self,
        number: u32,
        now: Time,
        mut handle: impl FnMut(Option<IpAddr>, SocketAddr, &mut [u8]),
    ) {
        let Some(reading) = self.reading.get_mut(&number) else { return };
        reading.connection.flush();
        let mut open = true;
        let mut chunk = [0; 16 * 1024];
        while open {
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
mod tests {
    use super::*;
    use proto::Transmit;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn pair() -> (TcpPeers, TcpStream, u32) {
        let mut group = listen_group(&[Ipv4Addr::LOCALHOST.into()], 0, 1).unwrap();
        let mut peers = TcpPeers::new(group.remove(0), Arc::default());
        let client = TcpStream::connect(peers.listeners[0].local_addr().unwrap()).unwrap();
        let mut accepted = None;
        while accepted.is_none() {
            peers.accept(0, Time::ZERO, |_, number| {
                accepted = Some(number);
                Ok(())
            });
        }
        (peers, client, accepted.unwrap())
    }

    fn serve(peers: &mut TcpPeers, number: u32, want: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut got = Vec::new();
        for _ in 0..1_000 {
            peers.serve(number, Time::ZERO, |_, from, data| got.push((from, data.to_vec())));
            if got.len() >= want || peers.reading.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        got
    }

    #[test]
    fn frames_come_whole_however_they_are_cut_and_answers_go_back() {
        let (mut peers, mut client, number) = pair();
        client.set_nodelay(true).unwrap();
        for piece in [&b"\x00"[..], b"\x03on", b"e\x00\x03two\x00", b"\x00\x00\x05three"] {
            client.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        let got = serve(&mut peers, number, 4);
        let texts: Vec<&[u8]> = got.iter().map(|(_, data)| &data[..]).collect();
        assert_eq!(texts, [&b"one"[..], b"two", b"", b"three"]);
        let remote = got[0].0;
        assert_eq!(super::number(remote), Some(number));
        assert_eq!(remote.port(), client.local_addr().unwrap().port());

        let bytes = b"abcdefghij".to_vec();
        let transmit = Transmit { local: None, remote, start: 0, len: 10, segment: 4 };
        assert_eq!(peers.connections.send(&Outbound { bytes, transmits: vec![transmit] }), 0);
        let mut answer = [0; 16];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"\x00\x04abcd\x00\x04efgh\x00\x02ij");
    }

    #[test]
    fn who_reads_nothing_costs_a_bounded_buffer() {
        let (peers, _client, number) = pair();
        let remote = peers.reading[&number].connection.name;
        let out = Outbound {
            bytes: vec![7; 60_000],
            transmits: vec![Transmit { local: None, remote, start: 0, len: 60_000, segment: 1_200 }],
        };
        let dropped: u64 = (0..400).map(|_| peers.connections.send(&out)).sum();
        assert!(dropped > 0);
        assert!(peers.reading[&number].connection.pending.lock().unwrap().len() <= MAX_PENDING);
    }

    #[test]
    fn nonsense_silence_and_the_end_close() {
        let (mut peers, mut client, number) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap(); // a frame of 18,245 bytes
        assert!(serve(&mut peers, number, 1).is_empty());
        assert!(peers.reading.is_empty() && peers.connections.get(number).is_none());

        let (mut peers, client, number) = pair();
        drop(client);
        serve(&mut peers, number, 1);
        assert!(peers.reading.is_empty());

        let (mut peers, _client, _) = pair();
        peers.sweep(Time::ZERO + IDLE);
        assert_eq!(peers.reading.len(), 1);
        peers.sweep(Time::ZERO + IDLE + Duration::from_secs(1));
        assert!(peers.reading.is_empty());
    }

    #[test]
    fn a_tcp_peer_is_never_a_udp_peer() {
        let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        assert_eq!(number(remote), None);
        assert_eq!(number("[2001:db8::1]:5000".parse().unwrap()), None);
        assert_eq!(number(name(7, remote)), Some(7));
        assert_ne!(name(7, remote), name(8, remote));
        assert_eq!(name(7, remote).ip(), IpAddr::V6(Ipv6Addr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201])));
    }
}
