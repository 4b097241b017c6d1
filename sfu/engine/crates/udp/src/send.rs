//! Sending: sendmmsg of per-destination GSO messages, with a fallback per destination.

use std::collections::HashMap;
use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use proto::{Outbound, Transmit};

use crate::address::RawAddress;
use crate::cmsg::{self, Control};
use crate::poll::wait_writable;
use crate::socket::Socket;
use crate::tcp;

/// Messages per call.
const BATCH: usize = 64;
/// Datagrams in one GSO message (UDP_MAX_SEGMENTS before Linux 6.0).
const MAX_SEGMENTS: usize = 64;
/// Payload of one UDP message over IPv4, less an IPv6 header's surplus.
const MAX_BYTES: usize = 65_487;
/// How long one call of `send` may wait for room in the socket's buffer: a tenth of the 20 ms that the
/// next frame of sound is away. What does not fit then is dropped: late is worse than lost.
const MAX_WAIT: Duration = Duration::from_millis(2);
/// Classes of destinations whose path takes no GSO.
const MAX_REFUSALS: usize = 1_024;

/// What one call of `send` did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub datagrams: u64,
    pub bytes: u64,
    /// System calls.
    pub calls: u64,
    /// Datagrams that were dropped: no room, no route, refused.
    pub dropped: u64,
}

/// Buffers of one thread, and what it learned of destinations.
pub struct Sender {
    gso: bool,
    refusals: Refusals,
    batch: Batch,
}

impl Sender {
    pub fn new(gso: bool) -> Sender {
        Sender { gso, refusals: Refusals::default(), batch: Batch::new() }
    }

    /// Send all of `out` that goes by UDP. Datagrams to one destination stay in order.
    pub fn send(&mut self, sockets: &[Socket], out: &Outbound) -> Sent {
        let mut sent = Sent::default();
        let mut waited = false;
        for (index, socket) in sockets.iter().enumerate() {
            let wildcard = socket.address().ip().is_unspecified();
            for transmit in &out.transmits {
                if tcp::number(transmit.remote).is_some() {
                    continue;
                }
                match pick(sockets, transmit) {
                    Some(picked) if picked == index => {}
                    Some(_) => continue,
                    None => {
                        // Counted once, at the first socket.
                        sent.dropped += if index == 0 { datagrams(transmit) } else { 0 };
                        continue;
                    }
                }
                let local = transmit.local.filter(|_| wildcard);
                let segment = transmit.segment.clamp(1, transmit.len.max(1));
                let per_message = if self.gso && !self.refusals.refuses(transmit.remote.ip(), segment) {
                    (MAX_BYTES / segment).clamp(1, MAX_SEGMENTS) * segment
                } else {
                    segment
                };
                for data in out.bytes[transmit.start..transmit.start + transmit.len].chunks(per_message) {
                    if self.batch.is_full() {
                        self.flush(socket, &mut sent, &mut waited);
                    }
                    self.batch.push(Piece { local, remote: transmit.remote, data, segment });
                }
            }
            self.flush(socket, &mut sent, &mut waited);
        }
        sent
    }

    /// Send the batch. Its pieces' data are alive: they are pushed and flushed within `send`.
    fn flush(&mut self, socket: &Socket, sent: &mut Sent, waited: &mut bool) {
        let mut next = 0;
        while next < self.batch.len {
            sent.calls += 1;
            let error = match self.batch.send_from(socket, next) {
                Ok(count) => {
                    for i in next..next + count {
                        let (len, segment) = self.batch.sizes[i];
                        sent.datagrams += len.div_ceil(segment) as u64;
                        sent.bytes += len as u64;
                    }
                    next += count;
                    continue;
                }
                Err(error) => error,
            };
            let (len, segment) = self.batch.sizes[next];
            match error.raw_os_error() {
                Some(libc::EINTR) => continue,
                Some(libc::EAGAIN) => {
                    if !std::mem::replace(waited, true) && wait_writable(socket.as_raw_fd(), MAX_WAIT) {
                        continue;
                    }
                    let rest = &self.batch.sizes[next..self.batch.len];
                    sent.dropped +=
                        rest.iter().map(|(len, segment)| len.div_ceil(*segment) as u64).sum::<u64>();
                    next = self.batch.len;
                }
                // EIO: the device computes no checksums; EINVAL or EMSGSIZE: a segment is larger than
                // the path's MTU (udp_send_skb). Singly the kernel fragments instead.
                Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) if len > segment => {
                    let before = sent.datagrams;
                    self.batch.send_singly(socket, next, sent);
                    if sent.datagrams > before {
                        let any_size = error.raw_os_error() == Some(libc::EIO);
                        self.refusals
                            .remember(self.batch.remotes[next].ip(), if any_size { 0 } else { segment });
                    }
                    next += 1;
                }
                // No route, forbidden, address gone: this destination's loss alone.
                _ => {
                    sent.dropped += len.div_ceil(segment) as u64;
                    next += 1;
                }
            }
        }
        self.batch.len = 0;
    }
}

fn datagrams(transmit: &Transmit) -> u64 {
    transmit.len.div_ceil(transmit.segment.max(1)) as u64
}

/// The socket that the peer knows us by: bound to exactly `local`, else to the wildcard, else, if it
/// doesn't matter, the first of the family.
fn pick(sockets: &[Socket], transmit: &Transmit) -> Option<usize> {
    let family = |s: &Socket| s.address().is_ipv4() == transmit.remote.is_ipv4();
    let exact = |s: &Socket| Some(s.address().ip()) == transmit.local;
    let wildcard = |s: &Socket| s.address().ip().is_unspecified();
    let find = |test: &dyn Fn(&Socket) -> bool| sockets.iter().position(|s| family(s) && test(s));
    find(&exact).or_else(|| find(&wildcard)).or_else(|| find(&|_| transmit.local.is_none()))
}

/// Networks whose path refused GSO, with the smallest segment refused (0: any).
#[derive(Debug, Default)]
struct Refusals {
    by_network: HashMap<IpAddr, usize>,
}

impl Refusals {
    fn refuses(&self, ip: IpAddr, segment: usize) -> bool {
        !self.by_network.is_empty()
            && self.by_network.get(&network(ip)).is_some_and(|refused| segment >= *refused)
    }

    fn remember(&mut self, ip: IpAddr, segment: usize) {
        if self.by_network.len() >= MAX_REFUSALS {
            self.by_network.clear();
        }
        let refused = self.by_network.entry(network(ip)).or_insert(segment);
        *refused = segment.min(*refused);
    }
}

/// Destinations that very likely share a path: an IPv4 /24, an IPv6 /48.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) & 0xffff_ff00).into(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !0 << 80).into(),
    }
}

/// One message: datagrams of `segment` bytes, the last may be shorter.
struct Piece<'a> {
    local: Option<IpAddr>,
    remote: SocketAddr,
    data: &'a [u8],
    segment: usize,
}

/// The arrays that sendmmsg takes.
struct Batch {
    len: usize,
    /// Bytes and segment size of each message.
    sizes: Vec<(usize, usize)>,
    locals: Vec<Option<IpAddr>>,
    remotes: Vec<SocketAddr>,
    addresses: Vec<RawAddress>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the headers point into this batch's own arrays, which move with it and never grow, or to
// data that is not looked at after `Sender::send` has returned.
unsafe impl Send for Batch {}

impl Batch {
    fn new() -> Batch {
        Batch {
            len: 0,
            sizes: vec![(0, 1); BATCH],
            locals: vec![None; BATCH],
            remotes: vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)); BATCH],
            addresses: vec![RawAddress::empty(); BATCH],
            controls: vec![Control::empty(); BATCH],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH],
            // SAFETY: all zeroes is a valid mmsghdr: null pointers with zero lengths.
            headers: vec![unsafe { zeroed() }; BATCH],
        }
    }

    fn is_full(&self) -> bool {
        self.len == BATCH
    }

    fn push(&mut self, piece: Piece<'_>) {
        let i = self.len;
        self.sizes[i] = (piece.data.len(), piece.segment);
        self.locals[i] = piece.local;
        self.remotes[i] = piece.remote;
        self.vectors[i] =
            libc::iovec { iov_base: piece.data.as_ptr().cast_mut().cast(), iov_len: piece.data.len() };
        let header = &mut self.headers[i].msg_hdr;
        header.msg_namelen = self.addresses[i].set(piece.remote);
        header.msg_name = (&raw mut self.addresses[i]).cast();
        header.msg_iov = &raw mut self.vectors[i];
        header.msg_iovlen = 1;
        let segment = (piece.data.len() > piece.segment).then_some(piece.segment as u16);
        cmsg::write(header, &mut self.controls[i], piece.local, segment);
        self.len += 1;
    }

    /// Send messages from `next` on; how many left.
    fn send_from(&mut self, socket: &Socket, next: usize) -> io::Result<usize> {
        // SAFETY: the headers from `next` to `len` were filled by `push`: they point into this batch's
        // arrays, which never grow, and to data that `Sender::send` borrows until it has flushed.
        let count = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers[next..self.len].as_mut_ptr(),
                (self.len - next) as u32,
                libc::MSG_DONTWAIT as _,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Send the datagrams of message `i` one by one; each fails alone.
    fn send_singly(&mut self, socket: &Socket, i: usize, sent: &mut Sent) {
        let (len, segment) = self.sizes[i];
        let vector = self.vectors[i];
        let mut header = self.headers[i].msg_hdr;
        let mut control = self.controls[i];
        cmsg::write(&mut header, &mut control, self.locals[i], None);
        for start in (0..len).step_by(segment) {
            let size = segment.min(len - start);
            // SAFETY: `start + size` lies within the message's data.
            let base = unsafe { vector.iov_base.cast::<u8>().add(start) };
            let mut one = libc::iovec { iov_base: base.cast(), iov_len: size };
            header.msg_iov = &raw mut one;
            sent.calls += 1;
            // SAFETY: as in `send_from`, with a vector and control room on this stack.
            let result = unsafe { libc::sendmsg(socket.as_raw_fd(), &header, libc::MSG_DONTWAIT) };
            if result >= 0 {
                sent.datagrams += 1;
                sent.bytes += size as u64;
            } else {
                sent.dropped += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
