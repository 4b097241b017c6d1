//! An address that a peer was heard from, and what may go there before it has answered us.

use std::net::{IpAddr, SocketAddr};

use super::check::Check;
use crate::time::Time;

/// What a peer address may make us send before it has answered: three times what came from it, so
/// that a spoofed source is no amplifier (RFC 9000 section 8.1 has the same rule for QUIC).
const AMPLIFICATION: u64 = 3;

/// An address pair that datagrams may be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub local: Option<IpAddr>,
    pub remote: SocketAddr,
}

#[derive(Debug)]
pub struct Path {
    pub local: Option<IpAddr>,
    pub remote: SocketAddr,
    pub received: u64,
    pub sent: u64,
    pub verified: bool,
    pub last_request: Time,
    pub last_answer: Time,
    pub check: Option<Check>,
    pub next_check: Time,
}

impl Path {
    pub fn new(local: Option<IpAddr>, remote: SocketAddr, now: Time) -> Path {
        Path {
            local,
            remote,
            received: 0,
            sent: 0,
            verified: false,
            last_request: now,
            last_answer: Time::ZERO,
            check: None,
            next_check: now,
        }
    }

    pub fn pair(&self) -> Pair {
        Pair { local: self.local, remote: self.remote }
    }

    /// Whether `size` bytes may go there, which has perhaps not answered yet.
    pub fn takes(&self, size: u64) -> bool {
        self.verified || self.sent + size <= AMPLIFICATION * self.received
    }
}
