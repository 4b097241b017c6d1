//! What a worker wants sent: bytes in one arena, and a list of where which run of them goes.

use std::net::{IpAddr, SocketAddr};

/// One or more datagrams of equal size (the last may be shorter) to one destination: a GSO message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// The local address that the peer knows us by; the reply leaves from it (IP_PKTINFO).
    pub local: Option<IpAddr>,
    pub remote: SocketAddr,
    /// Where the bytes lie in [`Outbound::bytes`].
    pub start: usize,
    pub len: usize,
    /// Size of each datagram in bytes but the last; equal to `len` for a single datagram.
    pub segment: usize,
}

/// An arena that the driver owns, hands to `poll_transmit`, sends and clears.
#[derive(Debug, Default)]
pub struct Outbound {
    pub bytes: Vec<u8>,
    pub transmits: Vec<Transmit>,
}

impl Outbound {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.transmits.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }

    /// The datagrams, one by one, whatever their grouping. For tests and for senders without GSO.
    pub fn datagrams(&self) -> impl Iterator<Item = (Option<IpAddr>, SocketAddr, &[u8])> {
        self.transmits.iter().flat_map(move |t| {
            self.bytes[t.start..t.start + t.len].chunks(t.segment.max(1)).map(move |d| (t.local, t.remote, d))
        })
    }
}
